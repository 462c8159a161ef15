# SPDX-License-Identifier: EUPL-1.2
"""Epochs, destroyed keys and cards, on each engine."""

from dataclasses import replace
from functools import partial

from broker.storage.epoch_port import CardRow, DestructionRow, EpochRow
from broker.storage.port import Store, Transaction
from tests.contract.rows import RECIPIENT, SENDER, append_all, commit, digest, push, push_all, snapshot

EPOCH = EpochRow(name="2026", begins_at_ms=1_000, announced_index=0)


def test_an_epoch_is_kept_and_changed(store: Store) -> None:
    append_all(store, 3)
    commit(store, lambda tx: tx.epochs.put(EPOCH))
    later = EpochRow(name="2027", begins_at_ms=500, announced_index=2)
    commit(store, lambda tx: tx.epochs.put(later))
    assert store.epochs.all() == [EPOCH, later]
    changed = replace(EPOCH, compromised_at_ms=7, questions_stopped=True, changed_index=1, retired_index=2)
    commit(store, lambda tx: tx.epochs.put(changed))
    assert store.epochs.all() == [changed, later]
    with store.transaction() as tx:
        assert tx.epochs.all() == [changed, later]


def test_what_is_not_committed_is_not_there(store: Store) -> None:
    append_all(store, 1)
    with store.transaction() as tx:
        tx.epochs.put(EPOCH)
    assert store.epochs.all() == []


def test_a_statement_of_destruction_is_found_by_evaluator_and_epoch(store: Store) -> None:
    append_all(store, 2)
    row = DestructionRow(evaluator=SENDER, epoch="2026", statement=b"told", signature=bytes(64), log_index=1)
    commit(store, lambda tx: tx.epochs.add_destruction(row))
    assert store.epochs.destructions() == [row]
    with store.transaction() as tx:
        assert tx.epochs.destruction(SENDER, "2026") == row
        assert tx.epochs.destruction(SENDER, "2027") is None
        assert tx.epochs.destruction(RECIPIENT, "2026") is None


def test_cards_come_oldest_first(store: Store) -> None:
    append_all(store, 5)
    cards = [CardRow(log_index=index, oin=SENDER, card=bytes([index])) for index in (4, 1)]
    for card in cards:
        commit(store, lambda tx, card=card: tx.epochs.put_card(card))
    assert store.epochs.cards(SENDER) == [cards[1], cards[0]]
    assert store.epochs.cards(RECIPIENT) == []
    revoked = replace(cards[0], revoked_index=3)
    commit(store, lambda tx: tx.epochs.put_card(revoked))
    with store.transaction() as tx:
        assert tx.epochs.cards(SENDER) == [cards[1], revoked]


def test_registers_of_an_epoch_are_cleared_and_those_of_others_stay(store: Store) -> None:
    append_all(store, 1)
    for name, epoch in (("one", "2026"), ("other", "2027")):
        row = replace(snapshot(name, 2), epoch=epoch)
        entries = [(digest(f"{name}{n}", 16), "2026-01-01", "") for n in range(2)]
        store.add_register_entries(row.snapshot_id, entries)
        commit(store, lambda tx, row=row: tx.activate_snapshot(row, 0))
    cleared: list[int] = []
    commit(store, lambda tx: cleared.append(tx.epochs.clear_registers("2026")))
    assert cleared == [1]

    def owners(tx: Transaction, epoch: str) -> frozenset[str]:
        row = snapshot("one", 2)
        return tx.register_owners(row.agreement, row.register, row.recipient, epoch)

    with store.transaction() as tx:
        assert (owners(tx, "2026"), owners(tx, "2027")) == (frozenset(), {SENDER})
    commit(store, lambda tx: cleared.append(tx.epochs.clear_registers("2026")))
    assert cleared == [1, 0]


def test_a_kept_pseudonym_keeps_its_epoch_in_use(store: Store) -> None:
    assert not store.epochs.in_use("2026")
    commit(store, lambda tx: push(tx, "one"))
    assert store.epochs.in_use("2026")
    assert not store.epochs.in_use("2027")
    commit(store, lambda tx: push(tx, "gone", epoch="2027", pseudonym=b""))  # as destruction leaves it
    assert not store.epochs.in_use("2027")


def test_a_sealed_signal_is_waited_for_until_it_was_acknowledged_or_expired(store: Store) -> None:
    (index,) = push_all(store, "one", expires_at_ms=10_000)
    waits = partial(store.epochs.sealed_before, RECIPIENT)
    assert [waits(index, 1), waits(index + 1, 1), waits(index + 1, 10_000)] == [False, True, False]
    assert not store.epochs.sealed_before(SENDER, index + 1, 1)
    commit(store, lambda tx: tx.acknowledge(index, tx.append(b"acknowledged", 2_000)))
    assert not waits(index + 1, 1)


def test_a_deposit_may_be_released_again_until_it_expires(store: Store) -> None:
    (index,) = push_all(store, "one", delivery="on_match", expires_at_ms=10_000)
    assert store.epochs.sealed_before(RECIPIENT, index + 1, 1)
    assert not store.epochs.sealed_before(RECIPIENT, index + 1, 10_000)
