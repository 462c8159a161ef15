# SPDX-License-Identifier: EUPL-1.2
"""What was asked is counted by participant, domain and day, from the log alone."""

from datetime import date
from typing import Any

from broker.audit.projection import Projection
from broker.storage.asked_port import AskedCount, AskedKey, AskedMode
from broker.storage.port import Store
from sluis.canonical import canonical_json
from tests.contract.exchange_rows import START, entry
from tests.contract.rows import AGREEMENT, OTHER, RECIPIENT, commit, digest, snapshot

DAY = date(2026, 6, 22)


def _question(time: str = "2026-06-22T10:00:00.000Z", **changes: Any) -> dict[str, Any]:
    asked = {"operation": "match.question", "outcome": "answered", "asked": 100, "hits": 2}
    whose = {"sender": RECIPIENT, "recipient": RECIPIENT, "agreement": AGREEMENT, "kind": "fine"}
    return {**entry(START), "time": time, **whose, **asked, **changes}


def _follow(store: Store, *entries: dict[str, Any], portion: int = 2) -> None:
    commit(store, lambda tx: [tx.append(canonical_json(one), 1_000) for one in entries])
    projection = Projection(store)
    while projection.advance(portion):
        pass


def _key(mode: AskedMode = AskedMode.PLAIN, day: date = DAY, participant: str = RECIPIENT) -> AskedKey:
    return AskedKey(day=day, participant=participant, agreement=AGREEMENT, kind="fine", mode=mode)


def test_questions_are_added_up_by_day_and_mode(store: Store) -> None:
    _follow(
        store,
        _question(),
        _question(asked=50, hits=1),
        _question(digest=7, missed=3, asked=5),
        {**_question(operation="match.digest", outcome="given", signals=900), "asked": 0, "hits": 0},
        _question(time="2026-06-22T22:00:00.000Z", asked=1, hits=0),  # the next day in Amsterdam
        _question(sender=OTHER, recipient=OTHER, asked=7, hits=0),
    )
    assert dict(store.asked.days(RECIPIENT, DAY, DAY)) == {
        _key(): AskedCount(questions=2, asked=150, hits=3),
        _key(AskedMode.CLAIM): AskedCount(questions=1, asked=5, hits=2),
        _key(AskedMode.DIGEST): AskedCount(questions=1, asked=900, hits=0),
    }
    everyone = dict(store.asked.days(None, DAY, date(2026, 6, 23)))
    assert len(everyone) == 5
    assert everyone[_key(day=date(2026, 6, 23))] == AskedCount(questions=1, asked=1, hits=0)
    assert everyone[_key(participant=OTHER)] == AskedCount(questions=1, asked=7, hits=0)


def test_what_was_refused_is_not_counted(store: Store) -> None:
    refused = {"decision": "deny", "outcome": "refused"}
    _follow(store, _question(**refused), _question(operation="match.digest", signals=3, **refused))
    assert store.asked.days(None, DAY, DAY) == []


def test_counted_again_from_the_first_entry_it_is_the_same(store: Store) -> None:
    _follow(store, _question(), _question(asked=50, hits=1))
    before = store.asked.days(None, DAY, DAY)
    store.exchange_index.clear()
    assert store.asked.days(None, DAY, DAY) == []
    _follow(store, portion=1)
    assert store.asked.days(None, DAY, DAY) == before


def test_registers_tell_how_many_subjects_a_domain_has(store: Store) -> None:
    def load(name: str, count: int) -> None:
        rows = [(digest(f"{name} {number}", 16), "2026-01-01", "") for number in range(count)]
        store.add_register_entries(digest(name, 16), rows)
        commit(store, lambda tx: tx.activate_snapshot(snapshot(name, count), tx.append(b"load", 1)))

    load("first", 3)
    assert store.asked.registered(RECIPIENT) == {(RECIPIENT, AGREEMENT): 3}
    load("second", 5)  # in its place
    assert store.asked.registered(None) == {(RECIPIENT, AGREEMENT): 5}
    assert store.asked.registered(OTHER) == {}
