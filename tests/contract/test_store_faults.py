# SPDX-License-Identifier: EUPL-1.2
"""Several writers at once, and a database that goes away and comes back."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, make_url

from broker.storage.port import Store, Transaction
from broker.storage.sql import SqlStore
from sluis.errors import Unavailable
from sluis.merkle import CompactRange, leaf_hash
from tests.contract.conftest import Database
from tests.contract.rows import RECIPIENT, append_all, commit, push, push_all
from tests.postgres import run_on_server

WRITERS, ROUNDS = 4, 12


def _kill_connections(database: Database) -> None:
    run_on_server(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        database.url,
    )


@contextmanager
def _head_locked(database: Database) -> Iterator[None]:
    """Hold the lock that every writer needs, from outside."""
    url = make_url(database.url)
    if database.postgres:
        target = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(target) as other:
            other.execute("SELECT * FROM log_head FOR UPDATE")
            yield
            other.rollback()
    else:
        connection = sqlite3.connect(str(url.database), isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
        finally:
            connection.close()


def _check_log(store: Store) -> None:
    rows = list(store.entries(0, 1 << 40))
    head = store.head()
    assert [row.log_index for row in rows] == list(range(head.tree.size))
    assert CompactRange().extend(leaf_hash(row.entry) for row in rows)[0] == head.tree


def test_writers_on_two_stores_make_one_contiguous_log(database: Database) -> None:
    stores = [database.open(20_000), database.open(20_000)]
    indexes: list[int] = []
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(ROUNDS):
                names = [f"{number}-{turn}-{item}" for item in range(number + 1)]
                indexes.extend(push_all(stores[number % 2], *names))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    total = ROUNDS * sum(range(1, WRITERS + 1))
    assert sorted(indexes) == list(range(total))
    for store in stores:
        _check_log(store)
        assert [view.log_index for view in store.mailbox(RECIPIENT, -1, 1_000)] == list(range(total))


def test_a_writer_sees_what_the_one_before_it_committed(database: Database) -> None:
    one, two = database.open(), database.open()
    push_all(one, "a")
    with two.transaction() as tx:
        assert tx.head.tree.size == 1
    push_all(two, "b")
    with one.transaction() as tx:
        assert tx.head.tree.size == 2


def test_a_locked_head_is_unavailable_and_then_works_again(database: Database) -> None:
    store = database.open(wait_ms=150)
    push_all(store, "a")
    with _head_locked(database):
        with pytest.raises(Unavailable) as caught:
            push_all(store, "b")
        assert caught.value.code == "storage-unavailable"
        assert store.head().tree.size == 1
    assert push_all(store, "b") == [1]


def test_a_second_transaction_in_one_process_waits_its_turn(database: Database) -> None:
    store = database.open(wait_ms=150)
    with store.transaction() as tx:
        with pytest.raises(Unavailable):
            push_all(store, "b")
        push(tx, "a")
        tx.commit()
    assert push_all(store, "b") == [1]


def test_writes_beside_the_log_are_refused_as_unavailable_too(sqlite_database: Database) -> None:
    store = sqlite_database.open(wait_ms=100)
    with _head_locked(sqlite_database):
        with pytest.raises(Unavailable):
            store.add_checkpoint(1, "note", 1)
        with pytest.raises(Unavailable):
            store.add_register_entries(b"id", [(b"p", "", "")])
        with pytest.raises(Unavailable):
            store.try_lead("checkpoints")
    store.add_checkpoint(1, "note", 1)
    assert store.checkpoint() == "note"


def test_killed_connections_are_replaced_without_an_error(postgres_database: Database) -> None:
    store = postgres_database.open()
    push_all(store, "a")
    assert store.head().tree.size == 1
    _kill_connections(postgres_database)
    store.ping()
    assert push_all(store, "b") == [1]
    _check_log(store)


def test_a_connection_killed_halfway_undoes_the_transaction(postgres_database: Database) -> None:
    store = postgres_database.open()
    push_all(store, "a")

    def cut_off(tx: Transaction) -> None:
        push(tx, "b")
        _kill_connections(postgres_database)

    with pytest.raises(Unavailable):
        commit(store, cut_off)
    assert store.head().tree.size == 1
    assert push_all(store, "b") == [1]
    _check_log(store)


def _lose_next_answer(store: Store, database: Database, *, committed: bool) -> None:
    """Cut the connection in COMMIT: after the server carried it out, or before."""
    assert isinstance(store, SqlStore)
    dialect: Any = store._engines.writer.dialect
    commit_as_ever = dialect.do_commit

    def commit_and_lose(connection: Any) -> None:
        dialect.do_commit = commit_as_ever
        if committed:
            commit_as_ever(connection)
        _kill_connections(database)
        connection.execute("SELECT 1")  # raises what a lost answer raises

    dialect.do_commit = commit_and_lose


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_up(postgres_database: Database, committed: bool) -> None:
    store = postgres_database.open()
    push_all(store, "a")
    _lose_next_answer(store, postgres_database, committed=committed)
    if committed:
        assert push_all(store, "b") == [1]
    else:
        with pytest.raises(Unavailable):
            push_all(store, "b")
    assert store.head().tree.size == (2 if committed else 1)
    assert push_all(store, "c") == [2 if committed else 1]
    _check_log(store)


def test_a_read_only_database_is_unavailable_and_then_works_again(database: Database) -> None:
    store = database.open()
    push_all(store, "a")
    if database.postgres:
        # As after a failover, when this is the standby.
        name = make_url(database.url).database
        run_on_server(f"ALTER DATABASE {name} SET default_transaction_read_only = on", database.url)
        _kill_connections(database)
    else:
        _pragma(store, "query_only = ON")
    with pytest.raises(Unavailable):
        push_all(store, "b")
    assert store.head().tree.size == 1
    if database.postgres:
        with psycopg.connect(
            make_url(database.url).set(drivername="postgresql").render_as_string(False)
        ) as c:
            c.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
            c.commit()
            c.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert push_all(store, "b") == [1]


def test_a_full_disk_is_unavailable_and_nothing_is_lost(sqlite_database: Database) -> None:
    store = sqlite_database.open()
    append_all(store, 50)
    mended = False

    @event.listens_for(store._engines.writer, "connect")  # type: ignore[attr-defined]  # it is an SqlStore
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        if not mended:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    store._engines.writer.dispose()  # type: ignore[attr-defined]
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            append_all(store, 500)
        assert "SQLITE_FULL" in caught.value.message
        assert store.head().tree.size == 50
        _check_log(store)
    mended = True
    append_all(store, 500)
    assert store.head().tree.size == 550
    _check_log(store)


def _pragma(store: Store, setting: str) -> None:
    assert isinstance(store, SqlStore)
    with store._engines.writer.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {setting}")


def test_one_store_leads_until_it_goes(database: Database) -> None:
    one, two = database.open(), database.open()
    assert one.try_lead("checkpoints")
    assert one.try_lead("checkpoints")
    assert not two.try_lead("checkpoints")
    assert two.try_lead("expiry")
    one.close()
    assert two.try_lead("checkpoints")


def test_a_dead_leader_loses_its_lead(database: Database) -> None:
    one, two = database.open(), database.open()
    assert one.try_lead("checkpoints")
    if database.postgres:
        _kill_connections(database)
    else:
        database.clock.now_ms += 10_001
    assert two.try_lead("checkpoints")
    with suppress(Unavailable):
        assert not one.try_lead("checkpoints")
    assert not one.try_lead("checkpoints")


def test_a_lead_is_kept_for_as_long_as_it_is_asked_for(database: Database) -> None:
    one, two = database.open(), database.open()
    for _ in range(8):
        assert one.try_lead("checkpoints")
        assert not two.try_lead("checkpoints")
        database.clock.now_ms += 4_000


def test_a_clock_set_back_does_not_freeze_a_dead_leaders_lease(sqlite_database: Database) -> None:
    one, two = sqlite_database.open(), sqlite_database.open()
    assert one.try_lead("checkpoints")
    sqlite_database.clock.now_ms -= 500_000
    assert two.try_lead("checkpoints")
    assert not one.try_lead("checkpoints")
