# SPDX-License-Identifier: EUPL-1.2
"""The rules as data: `catalog/` (words), `agreements/` (rules), `cases/` (examples with their outcome)."""
