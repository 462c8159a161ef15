# SPDX-License-Identifier: EUPL-1.2
"""The console's rows: a token works once, what expired is removed, and readings are found by organisation."""

from dataclasses import replace

from broker.storage.console_port import ConsoleLink, ConsoleRead, ConsoleSession, ConsoleView
from tests.contract.conftest import Database


def link(number: int, expires_at_ms: int = 100) -> ConsoleLink:
    return ConsoleLink(
        token_hash=bytes([number]) * 32, purpose="link", content=b"who", expires_at_ms=expires_at_ms
    )


def test_a_token_works_once_for_its_purpose_and_until_it_expires(database: Database) -> None:
    rows = database.open().console
    rows.add_link(link(1), now_ms=0)
    assert rows.take_link(link(1).token_hash, "other", 50) is None
    assert rows.take_link(link(1).token_hash, "link", 100) is None
    assert rows.take_link(link(1).token_hash, "link", 99) == b"who"
    assert rows.take_link(link(1).token_hash, "link", 99) is None


def test_a_new_token_removes_those_that_expired(database: Database) -> None:
    rows = database.open().console
    rows.add_link(link(1), now_ms=0)
    rows.add_link(link(2, 300), now_ms=200)
    assert rows.take_link(link(1).token_hash, "link", 50) is None
    assert rows.take_link(link(2).token_hash, "link", 200) == b"who"


def test_a_session_is_seen_and_ended(database: Database) -> None:
    rows = database.open().console
    row = ConsoleSession(
        token_hash=b"h" * 32,
        reference="fg-1",
        organisation="1",
        role="officer",
        seen_at_ms=1,
        expires_at_ms=9,
    )
    rows.add_session(row, now_ms=0)
    rows.see_session(row.token_hash, 5)
    seen = rows.session(row.token_hash)
    assert seen is not None
    assert (seen.reference, seen.seen_at_ms, seen.token_hash) == ("fg-1", 5, row.token_hash)
    rows.end_session(row.token_hash)
    assert rows.session(row.token_hash) is None


def test_readings_are_given_newest_first_by_organisation(database: Database) -> None:
    store = database.open()
    with store.transaction() as tx:
        for organisation in ("a", "b", "a"):
            index = tx.append(b"{}", 1)
            tx.add_console_read(ConsoleRead(log_index=index, organisation=organisation, reference="fg-1"))
        tx.commit()

    def found(organisation: str, before: int, limit: int = 9) -> list[int]:
        return [row.log_index for row in store.console.reads(organisation, before, limit)]

    assert found("a", 99) == [2, 0]
    assert found("a", 2) == [0]
    assert found("", 1 << 80, 2) == [2, 1]


def test_a_view_is_kept_replaced_and_forgotten_for_one_officer(database: Database) -> None:
    rows = database.open().console

    def view(name: str, query: str, reference: str = "fg-1", organisation: str = "1") -> ConsoleView:
        return ConsoleView(organisation=organisation, reference=reference, name=name, query=query)

    for row in (
        view("b", "x=1"),
        view("a", "x=2"),
        view("b", "x=3"),
        view("b", "y", "fg-2"),
        view("b", "z", "fg-1", "2"),
    ):
        rows.put_view(row)
    assert rows.views("1", "fg-1") == [view("a", "x=2"), view("b", "x=3")]
    rows.drop_view("1", "fg-1", "b")
    rows.drop_view("1", "fg-1", "not there")
    assert rows.views("1", "fg-1") == [view("a", "x=2")]
    assert rows.views("1", "fg-2") == [view("b", "y", "fg-2")]
    assert rows.views("2", "fg-1") == [view("b", "z", "fg-1", "2")]


def test_a_view_may_be_a_watch_and_cease_to_be_one(database: Database) -> None:
    rows = database.open().console
    plain = ConsoleView(organisation="1", reference="fg-1", name="a", query="x=1")
    for watched_from in (0, 1 << 40, None):
        row = replace(plain, watched_from=watched_from)
        rows.put_view(row)
        assert rows.views("1", "fg-1") == [row]
