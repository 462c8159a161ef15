# SPDX-License-Identifier: EUPL-1.2
"""A day of exchanges between invented parties, played over real processes."""
