# SPDX-License-Identifier: EUPL-1.2
"""The broker: `exchange` is the life of a signal; read it first."""
