# SPDX-License-Identifier: EUPL-1.2
"""The rest of a signal's life: read `life.py` first."""
