# SPDX-License-Identifier: EUPL-1.2
"""What a warm process has imported before it is forked (tests/warm.py)."""

import gc
import os
from importlib import import_module

SERVICES = ("broker.wire.serve", "evaluator.serve", "witness.serve")
COMMANDS = ("sluis.cli", "demo.stage")
LATE = (  # what a service imports when it begins
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
    "uvicorn.protocols.http.h11_impl",
)

os.environ["GRPC_VERBOSITY"] = "ERROR"  # as the stage has it; gRPC reads it when it is imported
for name in (*SERVICES, *COMMANDS, *LATE):
    import_module(name)
gc.collect()
gc.freeze()  # so that a child's collector does not copy what it shares
