# SPDX-License-Identifier: EUPL-1.2
"""Bundles and their activations, officers, counters, and what was decided on."""

from dataclasses import replace

import pytest

from broker.storage.port import Activation, Counter, Officer, Store, Transaction
from sluis.errors import Defect
from tests.contract.conftest import Database
from tests.contract.rows import OTHER, SENDER, commit, digest

TODAY = Counter(name="persons_today", sender=SENDER, recipient=OTHER, day="2026-11-25")
OFFICER = Officer(
    officer="fg-1",
    organisation=SENDER,
    function="privacy",
    verify_key=digest("key"),
    active=True,
    log_index=0,
)


def _activate(store: Store, name: str, content: bytes = b"rules", at_ms: int = 1_000) -> int:
    with store.transaction() as tx:
        index = tx.append(f"activate {name}".encode(), at_ms)
        tx.activate_policy(Activation(log_index=index, digest=name, at_ms=at_ms), content)
        tx.commit()
    return index


def _active(store: Store) -> str:
    with store.transaction() as tx:
        return tx.active_policy()


def test_the_newest_activation_counts_and_the_older_ones_stay(store: Store) -> None:
    assert _active(store) == ""
    assert store.activations() == []
    first = _activate(store, "a", b"rules of a", 1_000)
    second = _activate(store, "b", b"rules of b", 2_000)
    third = _activate(store, "a", b"never looked at", 3_000)
    assert _active(store) == "a"
    assert [(row.log_index, row.digest, row.at_ms) for row in store.activations()] == [
        (first, "a", 1_000),
        (second, "b", 2_000),
        (third, "a", 3_000),
    ]
    assert (store.policy_bundle("a"), store.policy_bundle("b")) == (b"rules of a", b"rules of b")
    assert store.policy_bundle("c") is None


def test_an_activation_that_is_not_committed_never_was(store: Store) -> None:
    with store.transaction() as tx:
        index = tx.append(b"activate", 1)
        tx.activate_policy(Activation(log_index=index, digest="a", at_ms=1), b"rules")
    assert _active(store) == ""
    assert store.policy_bundle("a") is None


def test_an_activation_needs_its_entry(store: Store) -> None:
    row = Activation(log_index=7, digest="a", at_ms=1)
    with pytest.raises(Defect):
        commit(store, lambda tx: tx.activate_policy(row, b"rules"))
    assert _active(store) == ""


def test_officers_are_added_changed_and_listed_in_pages(store: Store) -> None:
    for name in ("fg-2", "fg-1", "fg-3"):
        commit(store, lambda tx, name=name: tx.put_officer(replace(OFFICER, officer=name)))  # type: ignore[misc]
    commit(store, lambda tx: tx.put_officer(replace(OFFICER, active=False, log_index=9)))
    with store.transaction() as tx:
        found = tx.officers(["fg-1", "fg-2", "nobody"])
    assert found.keys() == {"fg-1", "fg-2"}
    assert found["fg-1"] == replace(OFFICER, active=False, log_index=9)
    assert [row.officer for row in store.officer_page("", 2)] == ["fg-1", "fg-2"]
    assert [row.officer for row in store.officer_page("fg-2", 2)] == ["fg-3"]
    assert store.officer_page("", 0) == []


def test_a_counter_adds_up_over_transactions_and_replicas(database: Database) -> None:
    one, other = database.open(), database.open()
    for store, subjects in ((one, 1), (other, 4), (one, 2)):

        def add(tx: Transaction, subjects: int = subjects) -> None:
            tx.count(TODAY, subjects)
            tx.count(TODAY, 10)
            tx.count(replace(TODAY, day="2026-11-26"), 1)

        commit(store, add)
    with other.transaction() as tx:
        counted = tx.counted([TODAY, replace(TODAY, recipient="")])
    assert counted == {TODAY: 37}


def test_what_was_decided_on_is_read_in_order_as_long_as_its_salt_is_kept(store: Store) -> None:
    with store.transaction() as tx:
        for number in range(5):
            index = tx.append(f"entry {number}".encode(), 1)
            if number != 2:
                tx.add_salt(index, digest(f"salt {number}"), f"inputs {number}".encode() if number else b"")
        tx.commit()
    found = list(store.decided(0, 5))
    assert [(row.log_index, row.entry, row.inputs) for row in found] == [
        (0, b"entry 0", b""),
        (1, b"entry 1", b"inputs 1"),
        (3, b"entry 3", b"inputs 3"),
        (4, b"entry 4", b"inputs 4"),
    ]
    assert found[1].salt == digest("salt 1")
    assert [row.log_index for row in store.decided(1, 4)] == [1, 3]
    assert [row.log_index for row in store.decided(-5, 1 << 70)] == [0, 1, 3, 4]


def test_more_than_a_page_of_decisions_comes_whole(sqlite_database: Database) -> None:
    store = sqlite_database.open()
    with store.transaction() as tx:
        for number in range(2_500):
            tx.add_salt(tx.append(str(number).encode(), 1), digest("salt"))
        tx.commit()
    assert [row.log_index for row in store.decided(0, 2_500)] == list(range(2_500))


def test_an_entry_activates_once(store: Store) -> None:
    row = Activation(log_index=_activate(store, "a"), digest="b", at_ms=1)
    with pytest.raises(Defect):
        commit(store, lambda tx: tx.activate_policy(row, b"rules"))
    assert _active(store) == "a"
