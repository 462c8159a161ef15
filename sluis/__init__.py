# SPDX-License-Identifier: EUPL-1.2
"""Sluis: what both sides of an exchange must agree on, and the participant's kit.

Nothing in this package or in `adapters` imports the broker, an evaluator or the witness.
"""

__version__ = "0.1.0"
