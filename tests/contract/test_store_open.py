# SPDX-License-Identifier: EUPL-1.2
"""Opening a database: made, migrated, refused; and what the migrations leave there."""

import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, text

from broker.storage.all_tables import METADATA
from broker.storage.open import open_store
from broker.storage.port import Store
from broker.storage.queries import Rows
from broker.storage.sql import SqlStore
from sluis.errors import Conflict, InvalidInput, Unavailable
from tests.contract.conftest import Database
from tests.contract.rows import AGREEMENT, EPOCH, RECIPIENT, digest, push_all

FROM_NOTHING = True  # here a database begins without tables


def _writer(store: Store) -> SqlStore:
    assert isinstance(store, SqlStore)
    return store


def test_migrations_and_tables_agree(database: Database) -> None:
    store = _writer(database.open())
    with store._engines.writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert _indexes(connection) == _expected_indexes(connection)


def _indexes(connection: Connection) -> dict[str, bool]:
    """Give each index by name and whether it is partial, which Alembic does not compare."""
    query = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
        if connection.dialect.name == "postgresql"
        else "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    rows = connection.execute(text(query)).all()
    return {
        row[0]: " WHERE " in row[1]
        for row in rows
        if not row[0].endswith("_pkey") and row[0][:7] != "alembic"
    }


def _expected_indexes(connection: Connection) -> dict[str, bool]:
    return {
        str(index.name): index.dialect_options[connection.dialect.name]["where"] is not None
        for table in METADATA.tables.values()
        for index in table.indexes
    }


def test_ciphertext_is_stored_uncompressed(postgres_database: Database) -> None:
    store = _writer(postgres_database.open())
    with store._engines.writer.connect() as connection:
        query = "SELECT attstorage FROM pg_attribute WHERE attrelid = CAST(:t AS regclass) AND attname = :c"
        for table, column in (("signal", "envelope"), ("log_tile", "hashes")):
            assert connection.execute(text(query), {"t": table, "c": column}).scalar() in ("e", b"e")


def test_every_lookup_of_many_uses_its_index(database: Database) -> None:
    store = _writer(database.open())
    exchange = store._queries.exchange
    domain = {"a_agreement": AGREEMENT, "a_kind": "fine", "a_epoch": EPOCH, "a_recipient": RECIPIENT}
    among = {"among": [digest("subject", 16)]}
    wanted: list[tuple[Rows, dict[str, Any], str]] = [
        (exchange.deposits, {**domain, **among, "now": 0}, "signal_deposit_idx"),
        (
            exchange.mailbox,
            {"a_recipient": RECIPIENT, "after": 0, "now": 0, "limit": 5},
            "delivery_waiting_idx",
        ),
        (exchange.periods, {"a_snapshot_id": b"", **among}, "register_entry_snapshot_id_pseudonym_idx"),
    ]
    push_all(store, "a")
    if database.postgres:
        with store._engines.writer.begin() as connection:
            # Now the planner knows how small the tables are; it must not settle for reading all of them.
            connection.exec_driver_sql("ANALYZE")
    prefix = "EXPLAIN " if database.postgres else "EXPLAIN QUERY PLAN "

    def explain(*arguments: Any) -> tuple[str, Any]:
        return prefix + arguments[2], arguments[3]

    with store._engines.writer.connect() as connection:
        event.listen(connection, "before_cursor_execute", explain, retval=True)
        for query, values, index in wanted:
            plan = connection.execute(query, values).all()
            assert index in str(plan), plan


def test_sqlite_is_durable_and_checks_references(sqlite_database: Database) -> None:
    store = _writer(sqlite_database.open())
    with store._engines.writer.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_postgres_is_durable_even_when_the_server_says_otherwise(postgres_database: Database) -> None:
    store = _writer(postgres_database.open())
    with store._engines.writer.begin() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    store._engines.writer.dispose()
    with store._engines.writer.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_what_was_written_is_there_after_reopening(database: Database) -> None:
    push_all(database.open(), "a")
    again = database.open()
    assert again.head().tree.size == 1
    assert [view.log_index for view in again.mailbox(RECIPIENT, -1, 5)] == [0]


def test_replicas_that_start_at_once_all_get_a_database(database: Database) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        try:
            barrier.wait()
            database.open()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(database.opened) == 4
    assert [push_all(store, f"s{number}") for number, store in enumerate(database.opened)] == [
        [0],
        [1],
        [2],
        [3],
    ]


def test_a_database_newer_than_the_code_is_refused(database: Database) -> None:
    store = _writer(database.open())
    with store._engines.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict) as caught:
        database.open()
    assert caught.value.code == "wrong-state"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:////no/secret/folder/x.db",
        "mysql://user:secret@host/db",
        "postgresql+asyncpg://user:secret@host/db",
        "secret",
    ],
)
def test_an_unusable_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_store(url)
    assert caught.value.code == "malformed-config"
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable) as caught:
        open_store("postgresql://nobody:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "broker.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(Unavailable):
        open_store(f"sqlite:///{tmp_path}/broker.db", wait_ms=100)


def test_a_new_database_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/100% broker.db").close()
    assert (tmp_path / "100% broker.db").stat().st_mode & 0o077 == 0
