# SPDX-License-Identifier: EUPL-1.2
"""Tests; a package only so that `tests.independent_count` is ours whatever else is installed."""
