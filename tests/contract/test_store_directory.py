# SPDX-License-Identifier: EUPL-1.2
"""Parties, keys, checkpoints and registers."""

from dataclasses import replace

import pytest

from broker.storage.port import DomainKeyRow, Store
from broker.storage.register_port import Period
from broker.storage.sql import LOOKED_AT
from sluis.errors import Conflict
from tests.contract.rows import (
    AGREEMENT,
    EPOCH,
    OTHER,
    RECIPIENT,
    SENDER,
    commit,
    digest,
    party,
    snapshot,
)

REGISTER = (AGREEMENT, "certified", RECIPIENT, EPOCH)


def _subject(number: int) -> bytes:
    return digest(f"subject {number}", 16)


def _replace(store: Store, name: str, rows: list[tuple[bytes, str, str]], owner: str = SENDER) -> None:
    store.add_register_entries(digest(name, 16), rows)
    with store.transaction() as tx:
        tx.activate_snapshot(snapshot(name, len(rows), owner), tx.append(name.encode(), 1))
        tx.commit()


def _held(store: Store, *numbers: int) -> set[int]:
    with store.transaction() as tx:
        found = tx.register_periods(*REGISTER, [_subject(number) for number in numbers])
    return {number for number in numbers if _subject(number) in found}


def test_parties_are_listed_in_pages_by_role(store: Store) -> None:
    with store.transaction() as tx:
        for oin, role in ((OTHER, "certifier"), (SENDER, "supervisor"), (RECIPIENT, "supervisor")):
            tx.put_party(party(oin, role))
        tx.commit()
    assert [row.oin for row in store.party_page("", 2, "")] == [SENDER, RECIPIENT]
    assert [row.oin for row in store.party_page(RECIPIENT, 2, "")] == [OTHER]
    assert [row.oin for row in store.party_page("", 10, "supervisor")] == [SENDER, RECIPIENT]
    assert store.party_page("", 0, "") == []
    assert store.party(OTHER) == party(OTHER, "certifier")
    assert store.party("00000000000000000000") is None


def test_a_domain_key_is_published_once(store: Store) -> None:
    key = DomainKeyRow(
        agreement=AGREEMENT,
        recipient=RECIPIENT,
        epoch=EPOCH,
        evaluator=SENDER,
        publication=b"k",
        log_index=0,
    )
    with store.transaction() as tx:
        assert tx.domain_key(AGREEMENT, RECIPIENT, EPOCH, SENDER) is None
        tx.add_domain_key(key)
        tx.commit()
    assert store.domain_keys(AGREEMENT, RECIPIENT) == [key]
    assert store.domain_keys(AGREEMENT, OTHER) == []
    with store.transaction() as tx:
        assert tx.domain_key(AGREEMENT, RECIPIENT, EPOCH, SENDER) == key
        assert tx.domain_key(AGREEMENT, RECIPIENT, EPOCH, OTHER) is None
    with pytest.raises(Conflict) as caught:
        commit(store, lambda tx: tx.add_domain_key(key))
    assert caught.value.code == "key-exists"


def test_the_newest_or_the_smallest_covering_checkpoint_is_given(store: Store) -> None:
    assert store.checkpoint() is None
    for size in (10, 30, 20):
        store.add_checkpoint(size, f"note {size}", size)
    assert store.checkpoint() == "note 30"
    assert store.checkpoint(1) == "note 10"
    assert store.checkpoint(11) == "note 20"
    assert store.checkpoint(30) == "note 30"
    assert store.checkpoint(31) is None
    assert store.checkpoint(2**64 - 1) is None


def test_a_checkpoint_that_lacks_cosignatures_gives_way_to_a_later_one(store: Store) -> None:
    def signed(size: int, lines: int) -> str:
        return f"log\n{size}\n" + "".join(f"\n\u2014 witness {number}" for number in range(lines)) + "\n"

    for size, lines in ((10, 1), (20, 2), (30, 3), (40, 2), (50, 3)):
        store.add_checkpoint(size, signed(size, lines), size)
    given = {size: store.checkpoint(size) for size in (1, 11, 21, 31, 41)}
    assert given == {size: signed(at, 3) for size, at in ((1, 30), (11, 30), (21, 30), (31, 50), (41, 50))}
    store.add_checkpoint(60, signed(60, 1), 60)  # not cosigned yet
    assert store.checkpoint(1) == signed(30, 3)
    assert store.checkpoint(51) == signed(60, 1)
    for size in range(100, 100 + 2 * LOOKED_AT):
        store.add_checkpoint(size, signed(size, 1), size)  # a witness was away for long
    store.add_checkpoint(1000, signed(1000, 3), 1000)
    assert store.checkpoint(100) == signed(1000, 3)


def test_checkpoints_are_given_newest_first_in_portions(store: Store) -> None:
    for size in (10, 20, 30):
        store.add_checkpoint(size, f"note {size}", size * 1000)
    assert [(item.size, item.note, item.signed_at_ms) for item in store.checkpoints(2**64, 2)] == [
        (30, "note 30", 30_000),
        (20, "note 20", 20_000),
    ]
    assert [item.size for item in store.checkpoints(20, 5)] == [10]
    assert (
        list(store.checkpoints(10, 5))
        == list(store.checkpoints(0, 5))
        == list(store.checkpoints(40, 0))
        == []
    )


def test_a_checkpoint_is_replaced_by_one_with_more_cosignatures(store: Store) -> None:
    store.add_checkpoint(10, "note", 1)
    store.add_checkpoint(10, "note with cosignature", 1)
    assert store.checkpoint() == "note with cosignature"


def test_a_register_takes_effect_only_when_activated(store: Store) -> None:
    store.add_register_entries(digest("new", 16), [(_subject(1), "2026-01-01", "")])
    assert _held(store, 1) == set()
    with store.transaction() as tx:
        assert tx.register_owners(*REGISTER) == frozenset()
        tx.activate_snapshot(snapshot("new", 1), tx.append(b"loaded", 1))
        tx.commit()
    assert _held(store, 1, 2) == {1}
    with store.transaction() as tx:
        assert tx.register_owners(*REGISTER) == {SENDER}


def test_a_register_is_replaced_as_a_whole(store: Store) -> None:
    _replace(store, "old", [(_subject(number), "2026-01-01", "") for number in range(5_000)])
    _replace(store, "new", [(_subject(number), "2026-02-01", "") for number in (1, 9_999)])
    assert _held(store, 0, 1, 4_999, 9_999) == {1, 9_999}
    with store.transaction() as tx:
        period = Period(owner=SENDER, valid_from="2026-02-01", valid_until="")
        assert tx.register_periods(*REGISTER, [_subject(1)]) == {_subject(1): [period]}


def test_the_entries_of_a_replaced_register_are_gone(store: Store) -> None:
    _replace(store, "old", [(_subject(1), "2026-01-01", "")])
    _replace(store, "new", [(_subject(2), "2026-01-01", "")])
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.activate_snapshot(snapshot("old", 1), tx.append(b"again", 1))


def test_registers_of_two_owners_stand_side_by_side(store: Store) -> None:
    _replace(store, "one", [(_subject(1), "2026-01-01", "2026-06-30")], SENDER)
    _replace(store, "two", [(_subject(1), "2026-03-01", "")], OTHER)
    with store.transaction() as tx:
        assert tx.register_owners(*REGISTER) == {SENDER, OTHER}
        assert tx.register_periods(*REGISTER, [_subject(1)])[_subject(1)] == [
            Period(owner=SENDER, valid_from="2026-01-01", valid_until="2026-06-30"),
            Period(owner=OTHER, valid_from="2026-03-01", valid_until=""),
        ]
        assert tx.register_periods(AGREEMENT, "other", RECIPIENT, EPOCH, [_subject(1)]) == {}


def test_a_subject_may_have_several_periods(store: Store) -> None:
    rows = [(_subject(1), "2026-05-01", ""), (_subject(1), "2025-01-01", "2025-12-31")]
    _replace(store, "two periods", rows)
    with store.transaction() as tx:
        periods = tx.register_periods(*REGISTER, [_subject(1)])[_subject(1)]
    assert [period.valid_from for period in periods] == ["2025-01-01", "2026-05-01"]


def test_the_subjects_that_a_register_holds_on_a_day_are_counted_once(store: Store) -> None:
    rows = [
        (_subject(1), "2026-01-01", "2026-06-30"),
        (_subject(1), "2026-03-01", ""),
        (_subject(2), "2026-01-01", "2026-01-31"),
        (_subject(3), "2027-01-01", ""),
    ]
    _replace(store, "some", rows)
    with store.transaction() as tx:
        counts = {day: tx.register_size(*REGISTER, day) for day in ("2025-12-31", "2026-01-31", "2026-04-01")}
        assert counts == {"2025-12-31": 0, "2026-01-31": 2, "2026-04-01": 1}
        assert tx.register_size(AGREEMENT, "other", RECIPIENT, EPOCH, "2026-01-31") == 0


def test_a_party_sees_what_it_keeps_in_its_own_domain(store: Store) -> None:
    _replace(store, "in another's", [(_subject(1), "2026-01-01", "")])
    own = replace(snapshot("own", 2), recipient=SENDER, register="watch.A.B")
    rows = [(_subject(1), "2026-01-01", "2026-03-31"), (_subject(2), "2026-01-01", "2026-02-28")]
    store.add_register_entries(own.snapshot_id, rows)
    with store.transaction() as tx:
        index = tx.append(b"left", 1)
        tx.activate_snapshot(own, index)
        tx.commit()
    [row] = store.active_snapshots(SENDER)
    assert (row.register, row.entry_count, row.log_index, row.last_day) == (
        "watch.A.B",
        2,
        index,
        "2026-03-31",
    )
    assert store.active_snapshots(RECIPIENT) == []


def test_4096_subjects_are_looked_up_at_once(store: Store) -> None:
    _replace(store, "big", [(_subject(number), "2026-01-01", "") for number in range(0, 8_192, 2)])
    assert _held(store, *range(4_096)) == set(range(0, 4_096, 2))


def test_a_register_that_is_not_loaded_in_full_is_refused(store: Store) -> None:
    store.add_register_entries(digest("part", 16), [(_subject(1), "2026-01-01", "")])
    with pytest.raises(Conflict) as caught, store.transaction() as tx:
        tx.activate_snapshot(snapshot("part", 2), tx.append(b"loaded", 1))
    assert caught.value.code == "wrong-state"


def test_an_abandoned_load_is_forgotten(store: Store) -> None:
    store.add_register_entries(digest("given up", 16), [(_subject(1), "2026-01-01", "")])
    store.drop_register_entries(digest("given up", 16))
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.activate_snapshot(snapshot("given up", 1), tx.append(b"loaded", 1))


def test_an_active_register_cannot_be_added_to_or_dropped(store: Store) -> None:
    _replace(store, "active", [(_subject(1), "2026-01-01", "")])
    with pytest.raises(Conflict):
        store.add_register_entries(digest("active", 16), [(_subject(2), "2026-01-01", "")])
    with pytest.raises(Conflict):
        store.drop_register_entries(digest("active", 16))
    assert _held(store, 1, 2) == {1}
