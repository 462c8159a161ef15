# SPDX-License-Identifier: EUPL-1.2
"""Hit or no hit: questions about deposited signals."""
