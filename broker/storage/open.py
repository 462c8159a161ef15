# SPDX-License-Identifier: EUPL-1.2
"""Opens the store: migrates the database to the version of this code, one replica at a time.

sqlite:////var/lib/sluis/broker.db
postgresql://sluis@/sluis?host=/run/postgresql
"""

import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from broker.storage.bulk import is_postgres
from broker.storage.engines import Engines, connect, parse_url, session
from broker.storage.leader import lock_number
from broker.storage.port import Store
from broker.storage.sql import SqlStore
from sluis.errors import Conflict

WAIT_MS = 10_000


def system_now_ms() -> int:
    """Tell the time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def open_store(url: str, *, now_ms: Callable[[], int] = system_now_ms, wait_ms: int = WAIT_MS) -> Store:
    """Open, and where needed make or migrate, the database at `url`.

    `now_ms` decides what has expired, and ends leases; `wait_ms` bounds each wait for a lock.
    Raises InvalidInput `malformed-config`, Conflict `wrong-state` for a database that is newer than this
    code, Unavailable `storage-unavailable`.
    """
    engines = connect(parse_url(url), wait_ms)
    try:
        migrate(engines)
    except BaseException:
        engines.close()
        raise
    return SqlStore(engines, now_ms)


def migrate(engines: Engines) -> None:
    """Bring the tables to the newest version known, in one transaction."""
    with session(engines.writer) as connection:
        if is_postgres(engines.dialect):
            # SQLite needs no more than its transaction, which holds the whole database.
            number = {"number": lock_number("migrate")}
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), number)
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        _upgrade(connection)
        connection.commit()


def alembic_config(connection: Connection) -> Config:
    """Say to Alembic where the migrations are, and on which connection they run."""
    config = Config()
    # Alembic reads its settings through configparser, for which % is special.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    config = alembic_config(connection)
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_heads()
    if not known.issuperset(current):
        raise Conflict("wrong-state", "the database was made by a newer version of Sluis than this one")
    if set(current) != set(scripts.get_heads()):
        command.upgrade(config, "head")
