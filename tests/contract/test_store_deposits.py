# SPDX-License-Identifier: EUPL-1.2
"""Which subjects have a deposited signal: by pseudonym, in order, and since a log index, from the index alone."""

from dataclasses import replace
from typing import Any

from sqlalchemy import event

from broker.storage import deposit_rows
from broker.storage.deposit_port import Alias, DepositDomain
from broker.storage.deposit_rows import DepositRows
from broker.storage.port import Store
from broker.storage.sql import SqlStore
from tests.contract.conftest import Database
from tests.contract.rows import AGREEMENT, EPOCH, OTHER, RECIPIENT, commit, digest, push, push_all

DOMAIN = DepositDomain(recipient=RECIPIENT, agreement=AGREEMENT, kind="fine", epoch=EPOCH)
FAR = 1 << 40
ALIAS_KEY = "deposit_alias_pkey"


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


def test_what_has_ended_by_its_rule_is_not_told_of(store: Store) -> None:
    push_all(store, "a", "ended", delivery="on_match")
    commit(store, lambda tx: tx.retention.limit_signal(digest("ended", 16), 50, "P1D rule", ""))
    for now, names in ((49, {"a", "ended"}), (50, {"a"})):
        wanted = {_subject(name) for name in names}
        assert store.deposits.present(DOMAIN, [_subject("a"), _subject("ended")], now) == wanted
        assert set(_all(store, now_ms=now)) == wanted
        assert set(store.deposits.added(DOMAIN, 0, FAR, now)) == wanted
    commit(store, lambda tx: tx.retention.empty_signals([(digest("ended", 16), 0)]))
    assert store.deposits.added(DOMAIN, 0, FAR, 50) == _all(store, now_ms=50) == [_subject("a")]


def test_a_deposit_counts_in_its_own_domain_only(store: Store) -> None:
    push_all(store, "a", delivery="on_match")
    for changes in ({"recipient": OTHER}, {"agreement": "other"}, {"kind": "warning"}, {"epoch": "2027"}):
        fields = ("recipient", "agreement", "kind", "epoch")
        domain = DepositDomain(**{**{name: getattr(DOMAIN, name) for name in fields}, **changes})
        assert store.deposits.present(domain, [_subject("a")], 0) == frozenset()
        assert store.deposits.count(domain, 0) == 0
        assert _all(store, domain=domain) == []
        assert store.deposits.added(domain, 0, FAR, 0) == []


def test_deposits_are_counted_from_a_log_index_on(store: Store) -> None:
    push_all(store, "a", "b", "c", delivery="on_match")
    push_all(store, "letter")
    assert [store.deposits.count(DOMAIN, 0, since) for since in (0, 1, 2, 3, 2**64)] == [3, 2, 1, 0, 0]


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


def test_what_was_withdrawn_destroyed_or_is_past_its_term_is_left_out(store: Store) -> None:
    push_all(store, "a", "called back", "destroyed", delivery="on_match")
    push_all(store, "kept short", delivery="on_match", retain_until_ms=50)
    with store.transaction() as tx:
        index = tx.append(b"entry", 1_000)
        tx.withdraw(digest("called back", 16), index, b"bare")
        tx.retention.empty_signals([(digest("destroyed", 16), index)])
        tx.commit()
    left = {_subject("a"), _subject("kept short")}
    everyone = [*left, _subject("called back"), _subject("destroyed"), b""]
    assert store.deposits.present(DOMAIN, everyone, 49) == left
    assert (store.deposits.count(DOMAIN, 49), store.deposits.count(DOMAIN, 50)) == (2, 1)
    assert store.deposits.count(DOMAIN, 49, since=1) == 1
    assert set(_all(store, now_ms=49)) == left
    assert set(store.deposits.added(DOMAIN, 0, FAR, 49)) == left
    assert _all(store, now_ms=50) == store.deposits.added(DOMAIN, 0, FAR, 50) == [_subject("a")]
    with store.transaction() as tx:
        rows = tx.deposits(RECIPIENT, AGREEMENT, "fine", EPOCH, everyone, 49)
    assert {row.pseudonym for row in rows} == left


def test_what_was_added_comes_in_order_and_once(store: Store) -> None:
    names = [f"s{number}" for number in range(9)]
    push_all(store, *names, delivery="on_match")
    push_all(store, "again", delivery="on_match", pseudonym=_subject("s3"))
    assert store.deposits.added(DOMAIN, 0, FAR, 0) == sorted(_subject(name) for name in names)


def _alias(name: str, alias: str) -> Alias:
    return Alias(
        recipient=RECIPIENT,
        agreement=AGREEMENT,
        kind="fine",
        epoch=EPOCH,
        pseudonym=_subject(alias),
        signal_id=digest(name, 16),
    )


def _with_aliases(store: Store, name: str, *aliases: str, **changes: Any) -> None:
    """Deposit a signal that is found by other pseudonyms too."""
    with store.transaction() as tx:
        push(tx, name, delivery="on_match", **changes)
        tx.add_aliases([_alias(name, alias) for alias in aliases])
        tx.commit()


def _by_alias(store: Store, *names: str, now_ms: int = 0, domain: DepositDomain = DOMAIN) -> list[Any]:
    """What both reads find; they must agree."""
    asked = [_subject(name) for name in names]
    with store.transaction() as tx:
        found = tx.deposits_by_alias(domain, asked, now_ms)
    assert store.deposits.present_by_alias(domain, asked, now_ms) == {alias for alias, _ in found}
    return [(alias, row.signal_id) for alias, row in found]


def _pair(alias: str, name: str) -> tuple[bytes, bytes]:
    return _subject(alias), digest(name, 16)


def test_a_deposit_is_found_by_each_of_its_aliases_and_only_there(store: Store) -> None:
    _with_aliases(store, "a", "a1", "shared")
    _with_aliases(store, "b", "shared")
    push_all(store, "c", delivery="on_match")
    assert _by_alias(store, "a1") == [_pair("a1", "a")]
    both = sorted([_pair("a1", "a"), _pair("shared", "a")])
    assert _by_alias(store, "a1", "shared", "nobody") == [*both, _pair("shared", "b")]
    assert _by_alias(store, "a", "b", "c") == []  # their own pseudonyms are no aliases
    assert store.deposits.present(DOMAIN, [_subject("a1"), _subject("a")], 0) == {_subject("a")}
    many = [f"other {number}" for number in range(2_000)]
    assert _by_alias(store, *many, "a1") == [_pair("a1", "a")]
    with store.transaction() as tx:
        [(_, row), _] = tx.deposits_by_alias(DOMAIN, [_subject("shared")], 0)
        [same] = tx.deposits(RECIPIENT, AGREEMENT, "fine", EPOCH, [_subject("a")], 0)
    assert row == same


def test_an_alias_counts_in_its_own_domain_only(store: Store) -> None:
    _with_aliases(store, "a", "a1")
    for changes in ({"recipient": OTHER}, {"agreement": "other"}, {"kind": "warning"}, {"epoch": "2027"}):
        assert _by_alias(store, "a1", domain=replace(DOMAIN, **changes)) == []


def test_what_has_ended_is_not_found_by_its_aliases(store: Store) -> None:
    _with_aliases(store, "a", "a1", retain_until_ms=50)
    assert _by_alias(store, "a1", now_ms=49) == [_pair("a1", "a")]
    assert _by_alias(store, "a1", now_ms=50) == []


def _alias_rows(store: Store) -> list[bytes]:
    assert isinstance(store, SqlStore)
    with store._engines.reader.connect() as connection:
        rows = connection.exec_driver_sql("SELECT pseudonym FROM deposit_alias").all()
    return sorted(bytes(row[0]) for row in rows)


def test_the_aliases_of_what_is_withdrawn_or_destroyed_are_erased(store: Store) -> None:
    for name in ("kept", "called back", "destroyed", "destroyed too"):
        _with_aliases(store, name, f"{name} 1", f"{name} 2")
    assert len(_alias_rows(store)) == 8
    assert store.epochs.in_use(EPOCH)
    with store.transaction() as tx:
        index = tx.append(b"entry", 1_000)
        tx.withdraw(digest("called back", 16), index, b"bare")
        gone = [(digest(name, 16), index) for name in ("destroyed", "destroyed too")]
        tx.retention.empty_signals(gone)
        tx.commit()
    assert _alias_rows(store) == sorted(_subject(f"kept {number}") for number in (1, 2))


def test_a_transaction_that_is_not_committed_leaves_no_alias(store: Store) -> None:
    with store.transaction() as tx:
        push(tx, "a", delivery="on_match")
        tx.add_aliases([_alias("a", "a1")])
    assert _alias_rows(store) == []


def test_a_push_without_aliases_neither_reads_nor_writes_them(sqlite_database: Database) -> None:
    store = sqlite_database.open()
    assert isinstance(store, SqlStore)
    seen: list[str] = []

    with store.transaction() as tx:
        tx._connection.connection.driver_connection.set_trace_callback(seen.append)  # type: ignore[attr-defined]
        push(tx, "plain", delivery="on_match")
        tx.commit()
        tx._connection.connection.driver_connection.set_trace_callback(None)  # type: ignore[attr-defined]
    assert any("INSERT INTO signal" in one for one in seen)
    assert not [one for one in seen if "deposit_alias" in one]


def test_each_of_these_reads_uses_its_index(database: Database) -> None:
    store = database.open()
    assert isinstance(store, SqlStore)
    rows = DepositRows(store._engines, store._queries)
    with store.transaction() as tx:
        for number in range(50):
            push(tx, f"d{number}", delivery="on_match")
            tx.add_aliases([_alias(f"d{number}", f"d{number} {which}") for which in range(7)])
        tx.commit()
    domain = {"a_agreement": AGREEMENT, "a_kind": "fine", "a_epoch": EPOCH, "a_recipient": RECIPIENT}
    usable = {"until": 100, "now": 0}
    wanted = [
        (rows.present_query, {**domain, "among": [digest("subject", 16)], "now": 0}, "signal_deposit_idx"),
        (rows.alias_query, {**domain, "among": [digest("subject", 16)], "now": 0}, ALIAS_KEY),
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
            assert index in plan or (index == ALIAS_KEY and "sqlite_autoindex_deposit_alias_1" in plan), plan
            if not database.postgres and index == "signal_deposit_idx":
                assert "COVERING INDEX" in plan, plan
        if not database.postgres:
            values = (*domain.values(), 0, *[b""] * deposit_rows.PORTION)
            plan = str(connection.exec_driver_sql(deposit_rows.PRESENT_ON_SQLITE, values).all())
            assert "COVERING INDEX signal_deposit_idx" in plan, plan
