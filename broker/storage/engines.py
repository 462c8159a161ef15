# SPDX-License-Identifier: EUPL-1.2
"""Connections: one way to write and one to read, for SQLite and for PostgreSQL.

Every writing transaction is durable when COMMIT returns: SQLite in WAL mode with synchronous=FULL,
PostgreSQL with synchronous_commit on. SQLite's transactions are begun by us, as BEGIN IMMEDIATE: Python's
driver would begin them late and deferred, and a deferred one may fail halfway. Readers cannot write.
No wait is endless: locks and statements have a limit, and a writer that stalls with the head locked is
cut off.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from broker.storage.faults import storage_errors
from sluis.errors import InvalidInput, Unavailable

_STATEMENT_MS = 60_000
_READERS = 8
_SCRUB_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The pools of one store. `single` is for a connection that one task keeps (SQLite: the writer's)."""

    writer: Engine
    reader: Engine
    single: Engine

    @property
    def dialect(self) -> Dialect:
        """How this engine speaks SQL."""
        return self.writer.dialect

    def rewrite(self, tables: Sequence[str]) -> None:
        """Write tables anew without what was deleted from them; SQLite does the whole file."""
        with storage_errors():
            if self.dialect.name != "postgresql":
                connection = sqlite3.connect(str(self.writer.url.database), timeout=_STATEMENT_MS / 1000)
                try:
                    connection.execute("VACUUM")
                finally:
                    connection.close()
                return
            with self.single.connect() as alone:
                alone.exec_driver_sql("SET statement_timeout = 0")
                for table in tables:
                    alone.exec_driver_sql(f"VACUUM (FULL) {table}")

    def truncate_log(self) -> bool:
        """Empty SQLite's write-ahead log, in which old pages stand; False when somebody still reads from it."""
        with storage_errors():
            # Beside the pool, and with little patience: writers wait while it waits for readers.
            connection = sqlite3.connect(str(self.writer.url.database), timeout=_SCRUB_SECONDS)
            try:
                busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.close()
        return busy == 0

    def close(self) -> None:
        """Close every pooled connection."""
        for engine in (self.writer, self.reader, self.single):
            engine.dispose()


@contextmanager
def lend(engine: Engine) -> Iterator[Connection]:
    """Lend a connection, in a transaction unless the engine commits by itself; undone unless committed.

    A connection that failed is thrown away, so that the next caller gets a new one.
    """
    with storage_errors():
        connection = engine.connect()
    try:
        with storage_errors():
            connection.begin()
        yield connection
    except (Unavailable, SQLAlchemyError):
        connection.invalidate()
        raise
    finally:
        connection.close()


@contextmanager
def session(engine: Engine, table: str = "") -> Iterator[Connection]:
    """Lend a connection, and raise our errors for what goes wrong in the block."""
    with lend(engine) as connection, storage_errors(table):
        yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Lend a reader's connection, all of whose reads are of one moment."""
    begin = "BEGIN" if engine.dialect.name == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ"
    with session(engine) as connection:
        connection.exec_driver_sql(begin)  # the reader's connections commit by themselves otherwise
        yield connection
        connection.exec_driver_sql("COMMIT")  # after an error the pool does ROLLBACK


def parse_url(text: str) -> URL:
    """Read a database URL: `sqlite:///file`, `postgresql://...`. Raises InvalidInput `malformed-config`.

    The text is never repeated in an error: it may hold a password.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise InvalidInput("malformed-config", "the database URL cannot be read") from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise InvalidInput("malformed-config", "the database must be SQLite or PostgreSQL")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise InvalidInput("malformed-config", "SQLite needs a file: `sqlite:///folder/broker.db`")
    if not Path(url.database).absolute().parent.is_dir():
        raise InvalidInput("malformed-config", "the folder of the database file is not there")
    return url


def connect(url: URL, wait_ms: int) -> Engines:
    """Make the pools, and SQLite's file; `wait_ms` bounds the wait for a lock. Raises Unavailable."""
    if url.drivername.startswith("postgresql"):
        return _postgres(url, wait_ms)
    _use_wal(str(url.database), wait_ms)
    return _sqlite(url, wait_ms)


def _sqlite(url: URL, wait_ms: int) -> Engines:
    common: dict[str, Any] = {
        "hide_parameters": True,
        "pool_timeout": wait_ms / 1000,
        "connect_args": {"timeout": wait_ms / 1000},
    }
    # One connection writes, so that threads of this process queue here and not in SQLite's polling wait.
    writer = create_engine(url, pool_size=1, max_overflow=0, **common)
    reader = create_engine(url, pool_size=_READERS, max_overflow=0, isolation_level="AUTOCOMMIT", **common)

    @event.listens_for(writer, "connect")
    def _writer_connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        # What is destroyed is overwritten with zeros in the file, not only marked as free.
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(writer, "begin")
    def _writer_begins(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(reader, "connect")
    def _reader_connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    return Engines(writer=writer, reader=reader, single=writer)


def _use_wal(path: str, wait_ms: int) -> None:
    """Make the file, readable by its owner alone, and put it in WAL mode, which it then keeps."""
    until = time.monotonic() + wait_ms / 1000
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise Unavailable(
            "storage-unavailable", f"the database file cannot be opened ({error.strerror})"
        ) from None
    while True:
        try:
            with storage_errors():
                connection = sqlite3.connect(path, timeout=wait_ms / 1000)
                try:
                    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                finally:
                    connection.close()
        except Unavailable:
            # The switch does not honour the busy timeout when another process switches at this moment.
            if time.monotonic() >= until:
                raise
            time.sleep(0.02)
            continue
        if mode != "wal":
            raise Unavailable("storage-unavailable", "the file system does not support SQLite's WAL mode")
        return


def _postgres(url: URL, wait_ms: int) -> Engines:
    settings = {
        "lock_timeout": wait_ms,
        "statement_timeout": _STATEMENT_MS,
        "idle_in_transaction_session_timeout": _STATEMENT_MS,
        # Every read has its index. A plan made while a table was small would scan it, and is kept while it grows.
        "enable_seqscan": "off",
        # Without scans a plan may look dear enough to be compiled, which takes a hundred times as long as the read.
        "jit": "off",
    }
    options = " ".join(
        [str(url.query.get("options", "")), *(f"-c {name}={value}" for name, value in settings.items())]
    )
    common: dict[str, Any] = {
        "hide_parameters": True,
        "connect_args": {
            "options": options.strip(),
            "connect_timeout": 5,
            "fallback_application_name": "sluis-broker",
            "client_encoding": "utf8",  # a server in SQL_ASCII would hand out bytes for text
        },
        "pool_pre_ping": True,
    }
    pooled = {**common, "pool_timeout": wait_ms / 1000}
    url = url.difference_update_query(["options"])
    writer = create_engine(url, pool_size=4, max_overflow=0, isolation_level="READ COMMITTED", **pooled)
    reader = create_engine(url, pool_size=_READERS, max_overflow=0, isolation_level="AUTOCOMMIT", **pooled)
    single = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **common)

    @event.listens_for(writer, "connect")
    def _writer_connected(connection: Any, _record: object) -> None:
        mode = connection.execute("SHOW synchronous_commit").fetchone()[0]
        if mode == "off":
            connection.execute("SET synchronous_commit = on")
        connection.commit()

    @event.listens_for(reader, "connect")
    def _reader_connected(connection: Any, _record: object) -> None:
        connection.execute("SET default_transaction_read_only = on")
        connection.commit()

    return Engines(writer=writer, reader=reader, single=single)
