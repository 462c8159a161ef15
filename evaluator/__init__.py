# SPDX-License-Identifier: EUPL-1.2
"""The pseudonym service: one of two that hold a key share each."""
