# SPDX-License-Identifier: EUPL-1.2
"""Ends, destruction and holds in the store: what a batch takes, what it leaves, and what a crash leaves."""

import os
import signal as signals
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broker.storage.port import Store, Transaction
from broker.storage.retention_port import START, HoldSubject, LegalHold, Link
from broker.storage.sql import SqlStore
from sluis.errors import Conflict
from tests.contract.conftest import Database
from tests.contract.rows import (
    AGREEMENT,
    EPOCH,
    FAR,
    OTHER,
    RECIPIENT,
    SENDER,
    append_all,
    commit,
    digest,
    first_answer,
    push,
    push_all,
    snapshot,
)

ROOT = Path(__file__).resolve().parents[2]


def look(store: Store, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """What stands in the tables."""
    assert isinstance(store, SqlStore)
    with store._engines.writer.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def destroy(store: Store, now_ms: int, limit: int = 10) -> list[bytes]:
    """Destroy what ended, as the broker does; the ids."""
    with store.transaction() as tx:
        due = tx.retention.signals_due(now_ms, START, limit)
        links = [index for item in due for index in tx.retention.links_of(item)]
        rows = [(item.signal_id, tx.append(b"destroyed", now_ms)) for item in due]
        tx.retention.empty_signals(rows)
        tx.retention.drop_links(links)
        tx.commit()
    return [item.signal_id for item in due]


def test_what_ended_is_due_in_order_of_its_end_a_page_at_a_time(store: Store) -> None:
    for name, end in (("c", 30), ("a", 10), ("b", 20), ("b2", 20), ("late", 31)):
        push_all(store, name, expires_at_ms=end)
    with store.transaction() as tx:
        everything = tx.retention.signals_due(30, START, 10)
        first = tx.retention.signals_due(30, START, 2)
        cursor = (first[-1].retain_until_ms, first[-1].signal_id)
        second = tx.retention.signals_due(30, cursor, 10)
    assert [item.retain_until_ms for item in everything] == [10, 20, 20, 30]
    assert [*first, *second] == everything
    assert everything[0].signal_id == digest("a", 16)


def test_destroying_leaves_a_stub_and_nothing_else(store: Store) -> None:
    push_all(store, "goes", "stays", expires_at_ms=20)
    commit(store, lambda tx: tx.retention.limit_signal(digest("goes", 16), 10, "P1D other", ""))
    assert destroy(store, 15) == [digest("goes", 16)]
    assert look(
        store, "SELECT envelope, redaction, pseudonym, destroyed_index, sender FROM signal ORDER BY 4"
    ) in (
        [(b"", b"", b"", 2, SENDER), (b"envelope of stays", b"", digest("stays subject", 16), None, SENDER)],
        [(b"envelope of stays", b"", digest("stays subject", 16), None, SENDER), (b"", b"", b"", 2, SENDER)],
    )
    assert look(store, "SELECT log_index FROM entry_salt") == [(1,)]
    assert look(store, "SELECT log_index FROM first_answer") == [(1,)]
    assert destroy(store, 15) == []
    gone = store.retention.signal(digest("goes", 16))
    assert gone is not None
    assert (gone.destroyed_index, gone.term) == (2, "P1D other")
    assert [item.signal_id for item in store.retention.destroyed(SENDER, FAR, 10)] == [gone.signal_id]
    assert store.retention.destroyed(OTHER, FAR, 10) == []
    assert store.retention.destroyed("", 2, 10) == []


def test_a_destroyed_signal_is_delivered_to_nobody_whatever_the_clock_says(database: Database) -> None:
    store = database.open()
    database.clock.now_ms = 15
    subject = digest("subject", 16)
    push_all(store, "mail", expires_at_ms=10)
    push_all(store, "deposit", expires_at_ms=10, delivery="on_match", pseudonym=subject)
    destroy(store, 15)
    database.clock.now_ms = 5
    assert store.mailbox(RECIPIENT, -1, 10) == []
    assert store.deliveries_at([0]) == []
    with store.transaction() as tx:
        for pseudonym in (subject, b""):
            assert tx.deposits(RECIPIENT, AGREEMENT, "fine", EPOCH, [pseudonym], 5) == []
        assert tx.known_signals([digest("mail", 16)])


def test_what_has_ended_waits_for_nobody_although_its_header_has_not_expired(database: Database) -> None:
    store = database.open()
    subject = digest("subject", 16)
    push_all(store, "mail", expires_at_ms=100, retain_until_ms=50)
    push_all(store, "deposit", expires_at_ms=100, retain_until_ms=50, delivery="on_match", pseudonym=subject)
    for now, waiting in ((49, 1), (50, 0)):
        database.clock.now_ms = now
        assert len(store.mailbox(RECIPIENT, -1, 10)) == waiting
        with store.transaction() as tx:
            assert len(tx.deposits(RECIPIENT, AGREEMENT, "fine", EPOCH, [subject], now)) == waiting


def test_the_links_of_a_signal_are_its_push_and_what_was_decided_on_it_later(store: Store) -> None:
    push_all(store, "one", "two", expires_at_ms=10)

    def release(tx: Transaction) -> None:
        for name in ("one", "two", "one"):
            index = tx.append(f"release of {name}".encode(), 1_000)
            tx.add_salt(index, digest("salt"), b"inputs", Link(signal_id=digest(name, 16)))

    commit(store, release)
    with store.transaction() as tx:
        found = {
            item.signal_id: tx.retention.links_of(item) for item in tx.retention.signals_due(10, START, 9)
        }
    assert found == {digest("one", 16): [0, 2, 4], digest("two", 16): [1, 3]}
    destroy(store, 10)
    assert look(store, "SELECT * FROM entry_salt") == []


def test_links_with_an_end_of_their_own_are_due_by_it(store: Store) -> None:
    def write(tx: Transaction) -> None:
        for number, end in enumerate((30, 10, 20, None)):
            index = tx.append(b'{"number":%d}' % number, 1_000)
            tx.add_salt(index, digest("salt"), b"inputs", Link(ends_at_ms=end))
            tx.add_first_answer(first_answer(str(number), index))

    commit(store, write)
    with store.transaction() as tx:
        due = tx.retention.links_due(29, (-1, -1), 10)
        assert tx.retention.links_due(29, (due[0].ends_at_ms, due[0].log_index), 10) == due[1:]
        assert [(item.log_index, item.entry) for item in due] == [(1, b'{"number":1}'), (2, b'{"number":2}')]
        tx.retention.drop_links([1, 2])
        tx.commit()
    assert look(store, "SELECT log_index FROM entry_salt ORDER BY 1") == [(0,), (3,)]
    assert look(store, "SELECT log_index FROM first_answer ORDER BY 1") == [(0,), (3,)]
    assert [index for index, _ in store.retention.bare(0, 10)] == [1, 2]


def test_a_signal_only_ever_ends_sooner_unless_a_loss_is_over(store: Store) -> None:
    push_all(store, "one", expires_at_ms=100)
    one = digest("one", 16)

    def end() -> tuple[int, int, str, int | None, str]:
        found = store.retention.signal(one)
        assert found is not None
        return (found.retain_until_ms, found.term_until_ms, found.term, found.lost_at_ms, found.after_loss)

    commit(store, lambda tx: tx.retention.limit_signal(one, 200, "P9Y", "P6M"))
    assert end() == (100, 100, "P5Y fine-to-certifier", None, "P6M")
    commit(store, lambda tx: tx.retention.set_loss(one, 20, 50))
    assert end() == (50, 100, "P5Y fine-to-certifier", 20, "P6M")
    commit(store, lambda tx: tx.retention.limit_signal(one, 80, "P1Y", "P6M"))
    assert end() == (50, 80, "P1Y", 20, "P6M")
    commit(store, lambda tx: tx.retention.set_loss(one, None, 80))
    assert end() == (80, 80, "P1Y", None, "P6M")


def test_only_signals_that_a_register_can_shorten_are_watched(store: Store) -> None:
    push_all(store, "a", "b", "gone", after_loss="P6M", expires_at_ms=100)
    push_all(store, "plain")
    commit(store, lambda tx: tx.retention.empty_signals([(digest("gone", 16), 1)]))
    wanted = sorted([digest("a", 16), digest("b", 16)])
    assert list(store.retention.watched(b"", 10)) == wanted
    assert list(store.retention.watched(wanted[0], 10)) == wanted[1:]
    assert list(store.retention.watched(b"", 1)) == wanted[:1]


def test_what_is_overdue_is_told_by_party(store: Store) -> None:
    push_all(store, "a", expires_at_ms=10)
    push_all(store, "b", expires_at_ms=20, sender=OTHER, recipient=OTHER)
    assert [item.retain_until_ms for item in store.retention.overdue("", 21, 10)] == [10, 20]
    assert [item.retain_until_ms for item in store.retention.overdue(OTHER, 21, 10)] == [20]
    assert [item.retain_until_ms for item in store.retention.overdue("", 20, 10)] == [10]


# registers


def test_a_register_is_destroyed_with_all_that_it_held(store: Store) -> None:
    one = snapshot("one", 2)
    append_all(store, 1)
    store.add_register_entries(one.snapshot_id, [(digest(str(n), 16), "", "") for n in range(2)])
    commit(store, lambda tx: tx.activate_snapshot(one, 0))
    (found,) = store.retention.registers()
    assert (found.snapshot_id, found.log_index, found.entry) == (one.snapshot_id, 0, b"entry 0")
    with store.transaction() as tx:
        assert tx.retention.is_active(one.snapshot_id)
        tx.retention.drop_register(one.snapshot_id)
        tx.commit()
    assert store.retention.registers() == []
    assert look(store, "SELECT * FROM register_entry") == []
    with store.transaction() as tx:
        assert not tx.retention.is_active(one.snapshot_id)
        assert tx.register_owners(AGREEMENT, "certified", RECIPIENT, EPOCH) == frozenset()


def test_a_register_that_lapsed_still_holds_what_it_held_until_that_is_destroyed(store: Store) -> None:
    one = snapshot("one", 1)
    append_all(store, 1)
    store.add_register_entries(one.snapshot_id, [(digest("1", 16), "", "")])
    commit(store, lambda tx: tx.activate_snapshot(one, 0))
    commit(store, lambda tx: tx.retention.lapse_register(one.snapshot_id))
    with store.transaction() as tx:
        assert not tx.retention.is_active(one.snapshot_id)
        assert tx.retention.has_content(one.snapshot_id)
        assert tx.register_owners(AGREEMENT, "certified", RECIPIENT, EPOCH) == frozenset()
    assert [found.snapshot_id for found in store.retention.registers()] == [one.snapshot_id]
    commit(store, lambda tx: tx.retention.drop_register(one.snapshot_id))
    with store.transaction() as tx:
        assert not tx.retention.has_content(one.snapshot_id)
    assert store.retention.registers() == []


# holds


def _hold(name: str, index: int, **changes: Any) -> LegalHold:
    hold = LegalHold(
        hold_id=name,
        scope="subject",
        target="sha256:0",
        organisation=SENDER,
        reason="LITIGATION",
        set_index=index,
        subjects=frozenset(
            {HoldSubject(agreement=AGREEMENT, recipient=RECIPIENT, epoch=EPOCH, pseudonym=digest(name, 16))}
        ),
    )
    return replace(hold, **changes)


def test_a_hold_is_in_force_until_it_is_lifted_and_never_comes_again(store: Store) -> None:
    append_all(store, 3)
    one, two = _hold("one", 0), _hold("two", 1, scope="party", target=SENDER, subjects=frozenset())
    for hold in (one, two):
        commit(store, lambda tx, hold=hold: tx.retention.add_hold(hold))  # type: ignore[misc]
    assert store.retention.holds() == [one, two]
    commit(store, lambda tx: tx.retention.lift_hold("one", 2))
    assert store.retention.holds() == [two]
    assert look(store, "SELECT * FROM hold_subject") == []
    with store.transaction() as tx:
        assert tx.retention.holds() == [two]
        assert tx.retention.hold("one") == replace(one, lifted_index=2, subjects=frozenset())
        assert tx.retention.hold("three") is None
    with pytest.raises(Conflict) as caught:
        commit(store, lambda tx: tx.retention.add_hold(one))
    assert caught.value.code == "wrong-state"


def test_the_clock_of_retention_is_kept(database: Database) -> None:
    store = database.open()
    assert store.retention.swept_at_ms() is None
    for moment in (5, 9):
        store.retention.set_swept(moment)
        assert database.open().retention.swept_at_ms() == moment
    assert store.retention.scrub()


def test_rewriting_leaves_what_is_kept(store: Store) -> None:
    push_all(store, "goes", expires_at_ms=10)
    push_all(store, "stays")
    destroy(store, 15)
    store.retention.rewrite()
    assert look(store, "SELECT envelope FROM signal ORDER BY pushed_index") == [
        (b"",),
        (b"envelope of stays",),
    ]
    push_all(store, "new")


def test_a_reader_in_the_way_of_scrubbing_is_told_and_harms_nothing(sqlite_database: Database) -> None:
    store = sqlite_database.open()
    push_all(store, "one")
    assert isinstance(store, SqlStore)
    with store._engines.reader.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM signal").fetchone()
        push_all(store, "two")
        assert not store.retention.scrub()
        cursor.execute("COMMIT")
    assert store.retention.scrub()
    assert Path(sqlite_database.url.removeprefix("sqlite:///") + "-wal").stat().st_size == 0


# a crash

CHILD = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from broker.retention.asking import Asker
from broker.retention.destroy import DestroySignals
from broker.retention.keeper import Alone
from broker.signer import ReceiptSigner
from broker.storage import transaction
from broker.storage.open import open_store
from sluis.signing import SigningKey

store = open_store(sys.argv[1])
write = transaction.SqlTransaction._write
def stop(self, leaves):
    write(self, leaves)
    if sys.argv[2] == "after":
        self._connection.commit()
    os.kill(os.getpid(), signal.SIGKILL)
transaction.SqlTransaction._write = stop
asker = Asker(signer=ReceiptSigner(SigningKey.generate(), "broker.example/log"), bundle=lambda: None)
carrier = Alone(store=store, clock=lambda: datetime.fromtimestamp(1, UTC))
asyncio.run(carrier.submit(DestroySignals(asker)))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_in_the_middle_of_a_batch_leaves_no_half(database: Database, moment: str) -> None:
    store = database.open()
    push_all(store, *(f"signal {number}" for number in range(5)), expires_at_ms=10, delivery="on_match")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, database.url, moment],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert child.returncode == -signals.SIGKILL
    after = database.open()
    kept = look(after, "SELECT count(*) FROM signal WHERE envelope <> :none", none=b"")[0][0]
    salts = look(after, "SELECT count(*) FROM entry_salt")[0][0]
    records = after.head().tree.size - 5
    assert (kept, salts, records) == ((5, 5, 0) if moment == "before" else (0, 0, 5))
    assert len(destroy(after, 15)) == kept


def test_push_writes_what_the_rows_say(store: Store) -> None:
    with store.transaction() as tx:
        push(tx, "one", expires_at_ms=50, retain_until_ms=40, after_loss="P6M")
        tx.commit()
    found = store.retention.signal(digest("one", 16))
    assert found is not None
    assert (found.retain_until_ms, found.expires_at_ms, found.after_loss) == (40, 50, "P6M")
