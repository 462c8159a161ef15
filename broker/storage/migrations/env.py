# SPDX-License-Identifier: EUPL-1.2
"""Runs the migrations on the connection that `open.py` hands over, inside its transaction and lock."""

from alembic import context

from broker.storage.epoch_tables import METADATA

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("use broker.storage.open.open_store, or put a connection into config.attributes")

context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
