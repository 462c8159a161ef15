# SPDX-License-Identifier: EUPL-1.2
"""One transaction is one step: all of it, in order, or nothing."""

import pytest

from broker.storage.port import Delivery, PartyStatus, Stop, Store, Transaction
from sluis.errors import Conflict, Defect, InvalidInput, SluisError
from tests.contract.conftest import Database
from tests.contract.rows import (
    FAR,
    OTHER,
    RECIPIENT,
    SENDER,
    commit,
    digest,
    first_answer,
    party,
    push,
    push_all,
    signal,
)


class Crash(Exception):
    """A mistake in the middle of a transaction."""


def test_log_indexes_are_contiguous_over_transactions(store: Store) -> None:
    assert push_all(store, "a", "b") == [0, 1]
    assert push_all(store, "c") == [2]
    assert [row.log_index for row in store.entries(0, 10)] == [0, 1, 2]
    assert store.head().tree.size == 3


def test_an_exception_undoes_everything(store: Store) -> None:
    push_all(store, "before")
    head = store.head()

    def crash(tx: Transaction) -> None:
        push(tx, "lost")
        tx.put_party(party(SENDER))
        tx.add_stop(Stop(scope="agreement", target="x"), 1)
        tx.acknowledge(0, 1)
        raise Crash

    with pytest.raises(Crash):
        commit(store, crash)
    assert store.head() == head
    assert store.party(SENDER) is None
    assert store.stops() == frozenset()
    assert [view.log_index for view in store.mailbox(RECIPIENT, -1, 10)] == [0]
    with store.transaction() as tx:
        assert tx.first_answers([(SENDER, "key-lost")]) == {}
        assert tx.known_signals([digest("lost", 16)]) == frozenset()


def test_leaving_without_commit_undoes_everything(store: Store) -> None:
    with store.transaction() as tx:
        push(tx, "lost")
    assert store.head().tree.size == 0
    assert store.log_row(0) is None


def test_a_failure_in_the_last_write_undoes_the_first(store: Store) -> None:
    push_all(store, "taken")
    with pytest.raises(Conflict) as caught:
        commit(store, lambda tx: tx.add_first_answer(first_answer("taken", tx.append(b"entry", 1))))
    assert caught.value.code == "idempotency-conflict"
    assert store.head().tree.size == 1


def test_the_store_works_on_after_a_conflict(store: Store) -> None:
    push_all(store, "taken")
    with pytest.raises(Conflict) as caught:
        push_all(store, "taken")
    assert caught.value.code == "signal-exists"
    assert push_all(store, "next") == [1]


def test_a_delivery_needs_its_log_entry(store: Store) -> None:
    push_all(store, "a")
    row = Delivery(log_index=7, recipient=RECIPIENT, signal_id=digest("a", 16))
    with pytest.raises(Defect):
        commit(store, lambda tx: tx.add_delivery(row))


def test_errors_carry_no_value_from_a_row(store: Store) -> None:
    push_all(store, "taken")
    with pytest.raises(SluisError) as caught:
        push_all(store, "taken")
    shown = repr(caught.value) + str(caught.value)
    assert digest("taken", 16).hex() not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_transaction_does_not_see_its_own_writes(store: Store) -> None:
    with store.transaction() as tx:
        index = push(tx, "a")
        tx.put_party(party(SENDER))
        assert tx.head.tree.size == 0
        assert tx.known_signals([digest("a", 16)]) == frozenset()
        assert tx.first_answers([(SENDER, "key-a")]) == {}
        assert tx.parties([SENDER]) == {}
        assert tx.deliveries([index]) == {}


def test_readers_see_nothing_before_commit(store: Store) -> None:
    with store.transaction() as tx:
        push(tx, "a")
        assert store.head().tree.size == 0
        tx.commit()
        assert store.head().tree.size == 1


def test_a_transaction_commits_once(store: Store) -> None:
    with store.transaction() as tx:
        tx.append(b"entry", 1)
        tx.commit()
        with pytest.raises(Defect):
            tx.commit()
    assert store.head().tree.size == 1


def test_first_answers_are_found_by_caller_and_key(store: Store) -> None:
    push_all(store, "a", "b")
    with store.transaction() as tx:
        tx.add_first_answer(first_answer("a", 7, oin=OTHER))
        tx.commit()
    with store.transaction() as tx:
        asked = [(SENDER, "key-a"), (OTHER, "key-a"), (OTHER, "key-b"), (SENDER, "key-none")]
        assert tx.first_answers(asked) == {
            (SENDER, "key-a"): first_answer("a", 0),
            (OTHER, "key-a"): first_answer("a", 7, oin=OTHER),
        }
        assert tx.first_answers([]) == {}


def test_known_signals_are_told_apart_from_new_ones_in_any_number(store: Store) -> None:
    push_all(store, "a", "b")
    asked = [digest(f"none {number}", 16) for number in range(4_096)] + [digest("b", 16)]
    with store.transaction() as tx:
        assert tx.known_signals(asked) == {digest("b", 16)}


def test_deliveries_are_found_by_log_index_whatever_number_is_asked(store: Store) -> None:
    push_all(store, "a")
    with store.transaction() as tx:
        found = tx.deliveries([0, 1, -1, 2**63, 2**64 - 1])
    assert found == {0: Delivery(log_index=0, recipient=RECIPIENT, signal_id=digest("a", 16), ends_at_ms=FAR)}


def test_the_head_keeps_the_latest_time(store: Store) -> None:
    with store.transaction() as tx:
        tx.append(b"first", 20)
        tx.append(b"second", 10)
        tx.commit()
    assert store.head().last_time_ms == 20
    with store.transaction() as tx:
        assert tx.head.last_time_ms == 20


def test_every_column_of_a_signal_survives(store: Store) -> None:
    push_all(store, "ordinary")
    row = signal("odd", 0, delivery="on_match", envelope=bytes(range(256)) * 40, redaction=b"\x00\xff")
    with store.transaction() as tx:
        tx.add_signal(row)
        tx.commit()
    with store.transaction() as tx:
        assert tx.deposits(RECIPIENT, row.agreement, row.kind, row.epoch, [row.pseudonym], 0) == [row]


def test_rare_writes_happen_in_the_order_given(store: Store) -> None:
    stop = Stop(scope="rule", target="r1")
    with store.transaction() as tx:
        tx.put_party(party(SENDER))
        tx.put_party(party(SENDER, status=PartyStatus.STOPPED))
        tx.add_stop(stop, 0)
        tx.add_stop(stop, 0)
        tx.remove_stop(stop)
        tx.add_stop(Stop(scope="rule", target="r2"), 0)
        tx.commit()
    with store.transaction() as tx:
        assert tx.parties([SENDER, OTHER]) == {SENDER: party(SENDER, status=PartyStatus.STOPPED)}
        assert tx.stops() == {Stop(scope="rule", target="r2")}


def test_a_text_that_no_database_takes_is_invalid_input(database: Database) -> None:
    store = database.open()
    with pytest.raises(InvalidInput):
        store.domain_keys("\ud800", RECIPIENT)
    assert store.domain_keys("waadi-14b", RECIPIENT) == []
