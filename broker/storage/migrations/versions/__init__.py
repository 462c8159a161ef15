# SPDX-License-Identifier: EUPL-1.2
"""One file per version of the database, written by hand, never changed once released."""
