# SPDX-License-Identifier: EUPL-1.2
"""When data end, what stops that, and how they are destroyed. Read destroy.py first."""
