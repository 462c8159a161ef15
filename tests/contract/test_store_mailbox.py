# SPDX-License-Identifier: EUPL-1.2
"""Mailboxes in the order of the log, and deposits that wait for a match."""

import sqlite3
from typing import Any

from sqlalchemy import event

from broker.storage.port import Delivery, DeliveryView, Store
from broker.storage.sql import SqlStore
from sluis.merkle import leaf_hash
from tests.contract.conftest import Database
from tests.contract.rows import AGREEMENT, EPOCH, OTHER, RECIPIENT, digest, push, push_all


def _indexes(store: Store, recipient: str = RECIPIENT, after: int = -1, limit: int = 100) -> list[int]:
    return [view.log_index for view in store.mailbox(recipient, after, limit)]


def test_a_mailbox_is_read_oldest_first_in_pages(store: Store) -> None:
    push_all(store, "a", "b", "c", "d", "e")
    assert _indexes(store, limit=2) == [0, 1]
    assert _indexes(store, after=1, limit=2) == [2, 3]
    assert _indexes(store, after=3) == [4]
    assert _indexes(store, after=4) == []
    assert _indexes(store, limit=0) == []
    assert _indexes(store, after=2**64) == []


def test_a_delivery_comes_with_its_envelope_entry_and_leaf(store: Store) -> None:
    push_all(store, "a", redaction=b"receipt")
    assert store.mailbox(RECIPIENT, -1, 1) == [
        DeliveryView(
            log_index=0,
            envelope=b"envelope of a",
            redaction=b"receipt",
            entry=b"entry of a",
            leaf_hash=leaf_hash(b"entry of a"),
        )
    ]


def test_nobody_sees_the_mailbox_of_another(store: Store) -> None:
    push_all(store, "a")
    push_all(store, "b", recipient=OTHER)
    assert _indexes(store) == [0]
    assert _indexes(store, OTHER) == [1]


def test_what_is_acknowledged_is_not_delivered_again(store: Store) -> None:
    push_all(store, "a", "b", "c")
    with store.transaction() as tx:
        index = tx.append(b"acknowledged", 1)
        tx.acknowledge(0, index)
        tx.acknowledge(2, index)
        tx.commit()
    assert _indexes(store) == [1]
    with store.transaction() as tx:
        found = tx.deliveries([0, 1])
    assert found[0].acknowledged_index == 3
    assert found[1].acknowledged_index is None


def test_the_first_acknowledgement_counts(store: Store) -> None:
    push_all(store, "a")
    for _ in range(2):
        with store.transaction() as tx:
            tx.acknowledge(0, tx.append(b"acknowledged", 1))
            tx.commit()
    with store.transaction() as tx:
        assert tx.deliveries([0])[0].acknowledged_index == 1


def test_an_expired_signal_is_not_delivered(database: Database) -> None:
    store = database.open()
    push_all(store, "short", expires_at_ms=2_000_000)
    push_all(store, "long", expires_at_ms=2_000_001)
    assert _indexes(store) == [0, 1]
    database.clock.now_ms = 2_000_000
    assert _indexes(store) == [1]


def test_deliveries_are_given_in_the_order_asked(store: Store) -> None:
    push_all(store, "a", "b", "c")
    found = store.deliveries_at([2, 9, 0, -1, 2**64])
    assert [(view.log_index, view.envelope) for view in found] == [
        (2, b"envelope of c"),
        (0, b"envelope of a"),
    ]


def test_deposits_are_found_among_4096_pseudonyms(store: Store) -> None:
    wanted = [digest(f"subject {number}", 16) for number in range(4_096)]
    with store.transaction() as tx:
        for number in (4_000, 17, 1_000):
            push(tx, f"d{number}", delivery="on_match", pseudonym=wanted[number])
        push(tx, "second", delivery="on_match", pseudonym=wanted[17])
        push(tx, "elsewhere", delivery="on_match", pseudonym=digest("nobody", 16))
        tx.commit()
    with store.transaction() as tx:
        found = tx.deposits(RECIPIENT, AGREEMENT, "fine", EPOCH, wanted, 0)
    assert [row.pushed_index for row in found] == [0, 1, 2, 3]
    assert [row.pseudonym for row in found] == [wanted[number] for number in (4_000, 17, 1_000, 17)]


def test_4096_keys_are_looked_up_with_the_fewest_parameters_a_sqlite_may_have(
    sqlite_database: Database,
) -> None:
    store = sqlite_database.open()
    wanted = [digest(f"subject {number}", 16) for number in range(4_096)]
    assert isinstance(store, SqlStore)

    @event.listens_for(store._engines.writer, "connect")
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)

    store._engines.writer.dispose()
    push_all(store, "last", delivery="on_match", pseudonym=wanted[-1])
    with store.transaction() as tx:
        assert len(tx.deposits(RECIPIENT, AGREEMENT, "fine", EPOCH, wanted, 0)) == 1


def test_a_deposit_is_found_only_by_its_own_recipient_agreement_kind_epoch_and_in_time(store: Store) -> None:
    subject = digest("subject", 16)
    push_all(store, "deposit", delivery="on_match", pseudonym=subject, expires_at_ms=50)
    push_all(store, "letter", pseudonym=subject)

    def find(**changes: Any) -> list[bytes]:
        right = {"recipient": RECIPIENT, "agreement": AGREEMENT, "kind": "fine", "epoch": EPOCH}
        with store.transaction() as tx:
            rows = tx.deposits(**{**right, "pseudonyms": [subject], "now_ms": 49, **changes})
        return [row.signal_id for row in rows]

    assert find() == [digest("deposit", 16)]
    assert find(recipient=OTHER) == []
    assert find(agreement="other") == []
    assert find(kind="warning") == []
    assert find(epoch="2027") == []
    assert find(pseudonyms=[digest("someone", 16)]) == []
    assert find(pseudonyms=[]) == []
    assert find(now_ms=50) == []


def test_a_deposit_is_released_into_the_mailbox_in_log_order(store: Store) -> None:
    push_all(store, "deposit", delivery="on_match")
    push_all(store, "letter")
    with store.transaction() as tx:
        released = tx.append(b"released", 1)
        tx.add_delivery(Delivery(log_index=released, recipient=RECIPIENT, signal_id=digest("deposit", 16)))
        tx.commit()
    views = store.mailbox(RECIPIENT, -1, 10)
    assert [(view.log_index, view.envelope) for view in views] == [
        (1, b"envelope of letter"),
        (2, b"envelope of deposit"),
    ]
