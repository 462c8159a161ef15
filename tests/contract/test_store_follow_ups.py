# SPDX-License-Identifier: EUPL-1.2
"""Follow-ups, for whom they wait, what is owed, and signals that were taken back."""

from typing import Any

import pytest

from broker.storage.follow_up_port import Duty, FollowUpDelivery, FollowUpRow, Origin
from broker.storage.port import Delivery, Store, Transaction
from sluis.errors import Conflict, NotFound
from sluis.merkle import leaf_hash
from tests.contract.rows import AGREEMENT, EPOCH, OTHER, RECIPIENT, SENDER, commit, digest, push, push_all

SIGNAL = digest("a", 16)


def follow_up(name: str, index: int, **changes: Any) -> FollowUpRow:
    """A follow-up about signal `a`, logged at `index`."""
    values: dict[str, Any] = {
        "follow_up_id": digest(name, 16),
        "log_index": index,
        "act": "recall",
        "signal_id": SIGNAL,
        "author": SENDER,
        "refers_to": None,
        "replacement": None,
        "statement": f"statement of {name}".encode(),
        "signature": bytes(64),
    }
    return FollowUpRow(**{**values, **changes})


def say(tx: Transaction, name: str, *recipients: str, **changes: Any) -> int:
    """Log a follow-up and let it wait for parties."""
    index = tx.append(f"entry of {name}".encode(), 1_000)
    row = follow_up(name, index, **changes)
    tx.add_follow_up(row)
    for recipient in recipients:
        told = tx.append(f"{name} for {recipient}".encode(), 1_000)
        tx.add_follow_up_delivery(
            FollowUpDelivery(
                log_index=told,
                recipient=recipient,
                follow_up_id=row.follow_up_id,
                signal_id=digest(f"copy of {recipient}", 16),
            )
        )
    return index


def owe(tx: Transaction, debtor: str, due_at_ms: int, **changes: Any) -> Duty:
    values: dict[str, Any] = {
        "log_index": 0,
        "act": "fulfil",
        "debtor": debtor,
        "creditor": SENDER,
        "signal_id": SIGNAL,
        "follow_up_id": None,
        "due_at_ms": due_at_ms,
    }
    duty = Duty(**{**values, **changes})
    tx.add_duty(duty)
    return duty


def test_a_follow_up_waits_for_its_recipients_until_each_has_acknowledged_it(store: Store) -> None:
    push_all(store, "a")
    commit(store, lambda tx: say(tx, "recall", RECIPIENT, OTHER))
    (view,) = store.follow_ups.mailbox(RECIPIENT, -1, 10)
    assert (view.log_index, view.signal_id, view.about) == (2, digest(f"copy of {RECIPIENT}", 16), SIGNAL)
    assert (view.statement, view.entry) == (b"statement of recall", f"recall for {RECIPIENT}".encode())
    assert view.leaf_hash == leaf_hash(view.entry)
    assert store.follow_ups.mailbox(RECIPIENT, 2, 10) == []
    assert store.follow_ups.mailbox(RECIPIENT, -1, 0) == []
    assert store.follow_ups.mailbox(RECIPIENT, 2**64, 10) == []
    for _ in range(2):
        commit(store, lambda tx: tx.acknowledge_follow_up(2, tx.append(b"acknowledged", 1_000)))
    assert store.follow_ups.mailbox(RECIPIENT, -1, 10) == []
    assert [view.log_index for view in store.follow_ups.mailbox(OTHER, -1, 10)] == [3]
    with store.transaction() as tx:
        assert tx.waiting([2, 3, 9])[2].acknowledged_index == 4
        assert tx.waiting([2, 3, 9]).keys() == {2, 3}


def test_a_follow_up_is_known_by_its_id_and_by_its_signal(store: Store) -> None:
    push_all(store, "a", "b")
    commit(store, lambda tx: say(tx, "one"))
    commit(store, lambda tx: say(tx, "two", act="fulfil", author=RECIPIENT, refers_to=digest("one", 16)))
    commit(store, lambda tx: say(tx, "other", signal_id=digest("b", 16), replacement=digest("c", 16)))
    with store.transaction() as tx:
        assert tx.follow_ups([digest("two", 16), digest("nobody", 16)]) == {
            digest("two", 16): follow_up(
                "two", 3, act="fulfil", author=RECIPIENT, refers_to=digest("one", 16)
            )
        }
        assert [row.log_index for row in tx.follow_ups_about(SIGNAL)] == [2, 3]
        assert tx.log_entry(3) == b"entry of two"
        with pytest.raises(NotFound):
            tx.log_entry(99)
    found = store.follow_ups.about(digest("b", 16))
    assert [(row.log_index, row.replacement) for row in found] == [(4, digest("c", 16))]
    assert [row.act for row in store.follow_ups.of_agreement("recall", AGREEMENT, "")] == ["recall"] * 2
    assert len(store.follow_ups.of_agreement("fulfil", AGREEMENT, RECIPIENT)) == 1
    assert store.follow_ups.of_agreement("fulfil", AGREEMENT, OTHER) == []
    assert store.follow_ups.of_agreement("fulfil", "other", "") == []


def test_the_same_follow_up_is_kept_once(store: Store) -> None:
    push_all(store, "a")
    commit(store, lambda tx: say(tx, "one"))
    with pytest.raises(Conflict) as caught:
        commit(store, lambda tx: say(tx, "one"))
    assert caught.value.code == "follow-up-exists"
    assert store.head().tree.size == 2


def test_duties_are_listed_soonest_first_for_both_parties_until_they_are_done(store: Store) -> None:
    push_all(store, "a")

    def write(tx: Transaction) -> None:
        for due in (30, 10, 20):
            owe(tx, RECIPIENT, due)
        owe(tx, OTHER, 10, act="feedback", creditor=RECIPIENT)

    commit(store, write)
    duties = store.follow_ups.duties
    mine = duties(RECIPIENT, due_before=None, after=(-1, -1), limit=10)
    assert [(duty.due_at_ms, duty.debtor) for _, duty in mine] == [
        (10, RECIPIENT),
        (10, OTHER),
        (20, RECIPIENT),
        (30, RECIPIENT),
    ]
    number, last = mine[1]
    rest = duties(RECIPIENT, due_before=None, after=(last.due_at_ms, number), limit=10)
    assert [duty.due_at_ms for _, duty in rest] == [20, 30]
    assert [d.due_at_ms for _, d in duties(SENDER, due_before=20, after=(-1, -1), limit=10)] == [10]
    assert len(duties("", due_before=None, after=(-1, -1), limit=3)) == 3
    assert store.follow_ups.count_overdue("", 21) == {"fulfil": 2, "feedback": 1}
    assert store.follow_ups.count_overdue(OTHER, 21) == {"feedback": 1}
    assert store.follow_ups.count_late(10, 30) == {"fulfil": 2, "feedback": 1}
    assert store.follow_ups.count_late(11, 31) == {"fulfil": 2}
    with store.transaction() as tx:
        open_duties = tx.open_duties(SIGNAL)
    assert len(open_duties) == 4
    commit(store, lambda tx: tx.finish_duty(open_duties[-1], tx.append(b"done", 1_000)))
    assert store.follow_ups.count_overdue(OTHER, 21) == {}
    assert len(duties(RECIPIENT, due_before=None, after=(-1, -1), limit=10)) == 3


def test_what_is_owed_about_a_signal_counts_copies_further_on_that_it_was_asked_of(store: Store) -> None:
    push_all(store, "a")
    push_all(store, "b", sender=RECIPIENT, recipient=OTHER, previous=SIGNAL, delivery="on_match")
    b = digest("b", 16)

    def write(tx: Transaction) -> None:
        say(tx, "recall")
        say(tx, "other", act="feedback", signal_id=b, author=OTHER)
        owe(tx, RECIPIENT, 20, follow_up_id=digest("recall", 16))
        owe(tx, OTHER, 10, signal_id=b, follow_up_id=digest("recall", 16))
        owe(tx, OTHER, 30, signal_id=b, act="feedback", creditor=RECIPIENT)

    assert store.follow_ups.owed_about(SIGNAL, "") == []
    commit(store, write)
    owed = store.follow_ups.owed_about
    assert [(duty.debtor, duty.due_at_ms) for duty in owed(SIGNAL, "")] == [(OTHER, 10), (RECIPIENT, 20)]
    assert [duty.due_at_ms for duty in owed(SIGNAL, RECIPIENT)] == [20]
    assert [duty.due_at_ms for duty in owed(b, OTHER)] == [10, 30]
    assert owed(b, "nobody") == []
    with store.transaction() as tx:
        (first, *_) = tx.open_duties(SIGNAL)
    commit(store, lambda tx: tx.finish_duty(first, tx.append(b"done", 1_000)))
    assert [duty.due_at_ms for duty in owed(SIGNAL, "")] == [10]


def test_copies_are_found_along_the_signals_that_they_were_passed_on_from(store: Store) -> None:
    push_all(store, "a")
    push_all(store, "b", sender=RECIPIENT, recipient=OTHER, previous=SIGNAL, delivery="on_match")
    push_all(store, "c", sender=OTHER, previous=digest("b", 16), severity=4)
    with store.transaction() as tx:
        (b,) = tx.passed_on([SIGNAL])
        assert (b.signal_id, b.previous, b.released, b.delivery) == (
            digest("b", 16),
            SIGNAL,
            False,
            "on_match",
        )
        known = tx.signals([SIGNAL, digest("nobody", 16)])
        assert known[SIGNAL].released
        assert known[SIGNAL].envelope == b"envelope of a"
        assert tx.origins([SIGNAL, digest("nobody", 16)]) == {SIGNAL: Origin(RECIPIENT, withdrawn=False)}
    chain = store.follow_ups.chain
    assert [index for index, _, _ in chain(digest("c", 16), SIGNAL)] == [1, 0]
    assert chain(digest("c", 16), digest("b", 16)) == [(1, b"entry of b", leaf_hash(b"entry of b"))]
    assert chain(SIGNAL, SIGNAL) == []
    assert [index for index, _, _ in chain(digest("c", 16), digest("nobody", 16))] == [1, 0]


def test_a_signal_that_was_taken_back_is_neither_delivered_nor_released(store: Store) -> None:
    subject = digest("subject", 16)
    push_all(store, "a")
    push_all(store, "deposit", delivery="on_match", pseudonym=subject)

    def take_back(tx: Transaction) -> None:
        index = tx.append(b"recalled", 1_000)
        for name in ("a", "deposit"):
            tx.withdraw(digest(name, 16), index, b"bare")

    commit(store, take_back)
    commit(store, lambda tx: tx.withdraw(SIGNAL, tx.append(b"again", 1_000), b"barer"))
    assert store.mailbox(RECIPIENT, -1, 10) == []
    assert store.deliveries_at([0]) == []
    with store.transaction() as tx:
        assert tx.deposits(RECIPIENT, AGREEMENT, "fine", EPOCH, [subject], 0) == []
        known = tx.signals([SIGNAL])[SIGNAL]
        assert (known.withdrawn_index, known.envelope) == (2, b"bare")
        assert tx.origins([SIGNAL]) == {SIGNAL: Origin(RECIPIENT, withdrawn=True)}
    assert store.retention.taken_back(SIGNAL) == (2, b"bare")
    assert store.retention.taken_back(digest("nobody", 16)) is None


def test_what_a_transaction_did_not_commit_is_not_there(store: Store) -> None:
    push_all(store, "a")
    with store.transaction() as tx:
        say(tx, "one", RECIPIENT)
        owe(tx, RECIPIENT, 10)
        tx.withdraw(SIGNAL, 1, b"bare")
    assert store.follow_ups.about(SIGNAL) == []
    assert store.follow_ups.duties("", due_before=None, after=(-1, -1), limit=10) == []
    assert len(store.mailbox(RECIPIENT, -1, 10)) == 1


def test_a_release_makes_a_deposit_a_copy(store: Store) -> None:
    with store.transaction() as tx:
        push(tx, "deposit", delivery="on_match")
        tx.commit()

    def release(tx: Transaction) -> None:
        index = tx.append(b"released", 1_000)
        tx.add_delivery(Delivery(log_index=index, recipient=RECIPIENT, signal_id=digest("deposit", 16)))

    commit(store, release)
    with store.transaction() as tx:
        assert tx.signals([digest("deposit", 16)])[digest("deposit", 16)].released
