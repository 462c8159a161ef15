# SPDX-License-Identifier: EUPL-1.2
"""Pseudonymised registers, from which facts are proven."""
