# SPDX-License-Identifier: EUPL-1.2
"""The log towards the outside: checkpoints, witnesses, proofs."""
