# SPDX-License-Identifier: EUPL-1.2
"""Alembic's folder: how a database gets from one version of `tables.py` to the next."""
