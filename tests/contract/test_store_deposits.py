# SPDX-License-Identifier: EUPL-1.2
"""Which subjects have a deposited signal: by pseudonym, in order, and since a log index, from the index alone."""

from typing import Any

from sqlalchemy import event

from broker.storage import deposit_rows
from broker.storage.deposit_port import DepositDomain
from broker.storage.deposit_rows import DepositRows
from broker.storage.port import Store
from broker.storage.sql import SqlStore
from tests.contract.conftest import Database
from tests.contract.rows import AGREEMENT, EPOCH, OTHER, RECIPIENT, digest, push, push_all

DOMAIN = DepositDomain(recipient=RECIPIENT, agreement=AGREEMENT, kind="fine", epoch=EPOCH)
FAR = 1 << 40


def _subject(name: str) -> bytes:
    return digest(f"{name} subject", 16)


def _all(store: Store, until: int = FAR, now_ms: int = 0, domain: DepositDomain = DOMAIN) -> list[bytes]:
    return [one for page in store.deposits.ascending(domain, until, now_ms) for one in page]


def test_those_present_are_found_among_many(store: Store) -> None:
    push_all(store, "a", "b", delivery="on_match")
    push_all(store, "letter")
    push_all(store, "short", delivery="on_match", expires_at_ms=50)
    asked = [_subject(name) for name in ("a", "letter", "short", "nobody")]
    many = [digest(f"other {number}", 16) for number in range(4_092)]
    assert store.deposits.present(DOMAIN, [*many, *asked], 49) == {_subject("a"), _subject("short")}
    assert store.deposits.present(DOMAIN, asked, 50) == {_subject("a")}
    assert store.deposits.present(DOMAIN, [], 0) == frozenset()


def test_a_deposit_counts_in_its_own_domain_only(store: Store) -> None:
    push_all(store, "a", delivery="on_match")
    for changes in ({"recipient": OTHER}, {"agreement": "other"}, {"kind": "warning"}, {"epoch": "2027"}):
        fields = ("recipient", "agreement", "kind", "epoch")
        domain = DepositDomain(**{**{name: getattr(DOMAIN, name) for name in fields}, **changes})
        assert store.deposits.present(domain, [_subject("a")], 0) == frozenset()
        assert store.deposits.count(domain) == 0
        assert _all(store, domain=domain) == []
        assert store.deposits.added(domain, 0, FAR, 0) == []


def test_deposits_are_counted_from_a_log_index_on(store: Store) -> None:
    push_all(store, "a", "b", "c", delivery="on_match")
    push_all(store, "letter")
    assert [store.deposits.count(DOMAIN, since) for since in (0, 1, 2, 3, 2**64)] == [3, 2, 1, 0, 0]


def test_all_of_them_come_in_order_in_pages(store: Store, monkeypatch: Any) -> None:
    names = [f"s{number}" for number in range(25)]
    push_all(store, *names, delivery="on_match")
    push_all(store, "again", delivery="on_match", pseudonym=_subject("s3"))
    monkeypatch.setattr(deposit_rows, "PAGE", 7)
    assert isinstance(store, SqlStore)
    rows = DepositRows(store._engines, store._queries)
    pages = list(rows.ascending(DOMAIN, FAR, 0))
    assert {len(page) for page in pages[:-1]} == {7}
    found = [one for page in pages for one in page]
    assert found == sorted(found)
    assert set(found) == {_subject(name) for name in names}


def test_what_expired_or_came_later_is_left_out(store: Store) -> None:
    push_all(store, "a", "b", delivery="on_match")
    push_all(store, "short", delivery="on_match", expires_at_ms=50)
    everyone = {_subject(name) for name in ("a", "b", "short")}
    assert set(_all(store, now_ms=49)) == everyone
    assert set(_all(store, now_ms=50)) == {_subject("a"), _subject("b")}
    assert set(_all(store, until=1)) == {_subject("a")}
    assert set(store.deposits.added(DOMAIN, 1, 3, 0)) == {_subject("b"), _subject("short")}
    assert store.deposits.added(DOMAIN, 1, 3, 50) == [_subject("b")]
    assert store.deposits.added(DOMAIN, 1, 2, 0) == [_subject("b")]
    assert store.deposits.added(DOMAIN, 3, FAR, 0) == []


def test_what_was_added_comes_in_order_and_once(store: Store) -> None:
    names = [f"s{number}" for number in range(9)]
    push_all(store, *names, delivery="on_match")
    push_all(store, "again", delivery="on_match", pseudonym=_subject("s3"))
    assert store.deposits.added(DOMAIN, 0, FAR, 0) == sorted(_subject(name) for name in names)


def test_each_of_these_reads_uses_its_index(database: Database) -> None:
    store = database.open()
    assert isinstance(store, SqlStore)
    rows = DepositRows(store._engines, store._queries)
    with store.transaction() as tx:
        for number in range(50):
            push(tx, f"d{number}", delivery="on_match")
        tx.commit()
    domain = {"a_agreement": AGREEMENT, "a_kind": "fine", "a_epoch": EPOCH, "a_recipient": RECIPIENT}
    usable = {"until": 100, "now": 0}
    wanted = [
        (rows.present_query, {**domain, "among": [digest("subject", 16)], "now": 0}, "signal_deposit_idx"),
        (rows.ascending_query, {**domain, **usable, "after": b""}, "signal_deposit_idx"),
        (rows.added_query, {**domain, **usable, "since": 45}, "signal_pushed_index_idx"),
    ]
    if database.postgres:
        with store._engines.writer.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    prefix = "EXPLAIN " if database.postgres else "EXPLAIN QUERY PLAN "

    def explain(*arguments: Any) -> tuple[str, Any]:
        return prefix + arguments[2], arguments[3]

    with store._engines.writer.connect() as connection:
        event.listen(connection, "before_cursor_execute", explain, retval=True)
        for query, values, index in wanted:
            plan = str(connection.execute(query, values).all())
            assert index in plan, plan
            if not database.postgres and index == "signal_deposit_idx":
                assert "COVERING INDEX" in plan, plan
        if not database.postgres:
            values = (*domain.values(), 0, *[b""] * deposit_rows.PORTION)
            plan = str(connection.exec_driver_sql(deposit_rows.PRESENT_ON_SQLITE, values).all())
            assert "COVERING INDEX signal_deposit_idx" in plan, plan
