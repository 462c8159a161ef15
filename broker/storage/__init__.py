# SPDX-License-Identifier: EUPL-1.2
"""Where the broker keeps what it must not lose. `port.py` is what the rest of the broker sees."""
