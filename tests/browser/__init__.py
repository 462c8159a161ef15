# SPDX-License-Identifier: EUPL-1.2
"""The console in a real browser, on real processes."""
