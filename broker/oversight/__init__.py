# SPDX-License-Identifier: EUPL-1.2
"""What privacy officers look for in the record. Pure functions: no storage, no pages."""
