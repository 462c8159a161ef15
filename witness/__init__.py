# SPDX-License-Identifier: EUPL-1.2
"""The cosigner: checks that a log only grows, and signs that it does."""
