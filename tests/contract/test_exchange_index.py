# SPDX-License-Identifier: EUPL-1.2
"""The exchange index says what a plain count over the entries says, whoever asks, however it was filled."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from broker.audit.projection import Projection, project, shape_of
from broker.storage import exchange_index
from broker.storage.port import LogRow, Store
from broker.storage.projected import (
    ACKNOWLEDGE,
    DENIED,
    EVERY,
    FACETS,
    RELEASED,
    Days,
    ExchangeRow,
    Filter,
    Results,
    Sight,
    day_of,
)
from broker.storage.sql import SqlStore
from sluis.canonical import canonical_json
from sluis.errors import InvalidInput
from tests.contract.conftest import Database, lend
from tests.contract.exchange_rows import (
    ALL,
    BANK,
    NLA,
    SNCU,
    START,
    STRANGER,
    YEAR,
    entry,
    made_log,
)


def fill(store: Store, entries: list[dict[str, Any]]) -> None:
    with store.transaction() as tx:
        for row in entries:
            tx.append(canonical_json(row), 1_000)
        tx.commit()


def follow(store: Store, portion: int = 7) -> None:
    projection = Projection(store)
    while projection.advance(portion):
        pass


def category(policy: str, field: str) -> str:
    return "?"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with 400 entries that was followed; its tests only read."""
    folder = tmp_path_factory.mktemp("followed")
    with lend(request, folder, postgres=request.param == "postgres") as made:
        store = made.open()
        fill(store, made_log(400))
        follow(store)
        yield store


def plain(store: Store) -> list[ExchangeRow]:
    """The rows by a second, simpler road: one batch over the whole log."""
    rows = list(store.entries(0, 1 << 40))
    return list(project(rows, lambda indexes: {}, category).rows)


def visible(rows: list[ExchangeRow], sight: Sight, chosen: Filter, days: Days | None) -> list[ExchangeRow]:
    """What a reading may count, written out."""
    found = []
    for row in rows:
        shape = row.shape
        mine = sight.organisation in (None, shape.sender, shape.recipient)
        inside = days is None or days.first <= day_of(row.time_ms) <= days.last
        fits = all(
            set(values) & set(shape.values(facet)) for facet, values in chosen.chosen.items() if values
        )
        if mine and inside and fits and shape.operation != ACKNOWLEDGE:
            found.append(row)
    return found


CHOICES = [
    EVERY,
    Filter({"sender": [NLA]}),
    Filter({"result": ["denied", "partly"], "agreement": ["avv-10"]}),
    Filter({"article": ["Wml 18p(1)"], "acknowledged": ["yes"]}),
    Filter({"recipient": [BANK], "operation": ["match.question"]}),
    Filter({"sender": [STRANGER]}),
]
RANGES = [
    None,
    YEAR,
    Days(date(2026, 10, 1), date(2026, 10, 31)),
    Days(date(2026, 9, 30), date(2026, 10, 2)),
    Days(date(2026, 10, 5), date(2026, 10, 5)),
    Days(date(2026, 10, 31), date(2026, 12, 1)),
    Days(date(2025, 1, 1), date(2025, 1, 31)),
]
SIGHTS = [ALL, Sight(NLA), Sight(BANK), Sight(STRANGER)]


def test_lists_and_counts_are_those_of_a_plain_count(followed: Store) -> None:
    rows, index = plain(followed), followed.exchange_index
    assert index.position() == 400
    for sight in SIGHTS:
        for chosen in CHOICES:
            for days in RANGES:
                expected = visible(rows, sight, chosen, days)
                listed = index.exchanges(sight, chosen, days, None, 50)
                assert listed == expected[::-1][:50]
                assert index.facets(sight, chosen, days).total == len(expected)
                matrix: Counter[tuple[str, str]] = Counter(
                    (row.shape.sender, row.shape.recipient) for row in expected
                )
                found = index.matrix(sight, days, chosen)
                assert {pair: cell.total for pair, cell in found.items()} == matrix


def test_a_facet_is_counted_under_the_choice_in_the_others(followed: Store) -> None:
    rows, index = plain(followed), followed.exchange_index
    for chosen in CHOICES:
        facets = index.facets(Sight(NLA), chosen, YEAR)
        assert facets.counts.keys() == FACETS.keys()
        for facet in FACETS:
            others = {name: values for name, values in chosen.chosen.items() if name != facet}
            expected: Counter[str] = Counter(
                value
                for row in visible(rows, Sight(NLA), Filter(others), YEAR)
                for value in row.shape.values(facet)
            )
            counts = facets.counts[facet]
            assert {value: count for value, count in counts.items() if count} == expected, facet
            assert set(chosen.chosen.get(facet, ())) <= counts.keys()
            assert all(one >= two for one, two in pairwise(counts.values()))


@pytest.mark.parametrize("days", [item for item in RANGES if item])
def test_the_histogram_has_every_column_and_counts_all(followed: Store, days: Days) -> None:
    rows, index = plain(followed), followed.exchange_index
    for chosen in CHOICES:
        columns = index.days(Sight(NLA), days, chosen)
        assert columns[0].first == days.first
        assert columns[-1].last == days.last
        assert all(one.last + timedelta(days=1) == two.first for one, two in pairwise(columns))
        for column in columns:
            expected = visible(rows, Sight(NLA), chosen, Days(column.first, column.last))
            assert column.results.total == len(expected)
            assert column.results.denied == sum(row.shape.result == DENIED for row in expected)
            assert column.results.released == sum(row.shape.result == RELEASED for row in expected)


def test_the_cells_of_days_are_those_of_a_plain_count(followed: Store) -> None:
    rows, index, days = plain(followed), followed.exchange_index, Days(date(2026, 9, 30), date(2026, 12, 1))
    for sight in SIGHTS:
        for chosen in CHOICES:
            expected = Counter(
                (day_of(row.time_ms), row.shape.content) for row in visible(rows, sight, chosen, days)
            )
            found = {
                (cell.day, cell.shape.content): cell.entries for cell in index.cells(sight, days, chosen)
            }
            assert found == expected
    with pytest.raises(InvalidInput):
        index.cells(ALL, YEAR)


def test_pages_follow_each_other_without_gap_or_repetition(followed: Store) -> None:
    index, chosen = followed.exchange_index, Filter({"sender": [NLA]})
    pages, before = [], None
    while page := index.exchanges(ALL, chosen, YEAR, before, 7):
        pages += page
        before = page[-1].log_index
    assert pages == visible(plain(followed), ALL, chosen, YEAR)[::-1]
    assert index.exchanges(ALL, chosen, YEAR, 0, 7) == []
    assert index.exchanges(ALL, chosen, YEAR, None, 0) == []


@pytest.mark.parametrize("glances", [(), (1,), (3, 20)])
def test_rare_and_common_choices_find_the_same_rows(
    followed: Store, monkeypatch: pytest.MonkeyPatch, glances: tuple[int, ...]
) -> None:
    """Both ways to the newest rows: looking through the newest, and asking each shape for its newest."""
    monkeypatch.setattr(exchange_index, "GLANCES", glances)
    rows, index = plain(followed), followed.exchange_index
    for chosen in CHOICES:
        for limit in (1, 3, 10):
            expected = visible(rows, Sight(NLA), chosen, YEAR)
            assert (
                index.exchanges(Sight(NLA), chosen, YEAR, 300, limit)
                == [row for row in expected[::-1] if row.log_index < 300][:limit]
            )


def test_the_life_of_an_exchange_is_shown_to_its_parties_alone(store: Store) -> None:
    at = START
    fill(
        store,
        [
            entry(at, outcome="on_match", delivery="on_match", exchange="s-1"),
            entry(at, sender=SNCU, recipient=SNCU, operation="match.question", outcome="answered"),
            entry(at, operation="signal.release", previous=0, outcome="released", exchange="s-1"),
            {
                "v": 1,
                "time": entry(at)["time"],
                "operation": ACKNOWLEDGE,
                "recipient": SNCU,
                "exchange": "s-1",
            }
            | {"previous": 2, "outcome": "delivered"},
        ],
    )
    follow(store, portion=1)
    index = store.exchange_index
    life = index.exchange(Sight(NLA), "s-1")
    assert [(row.log_index, row.shape.operation, row.previous) for row in life] == [
        (0, "signal.push", None),
        (2, "signal.release", 0),
        (3, ACKNOWLEDGE, 2),
    ]
    assert [row.shape.acknowledged for row in life] == ["", "yes", ""]
    assert life == index.exchange(ALL, "s-1") == index.exchange(Sight(SNCU), "s-1")
    assert index.exchange(Sight(BANK), "s-1") == []
    assert index.exchange(ALL, "") == index.exchange(ALL, "s-2") == []
    assert index.at(Sight(BANK), 2) is None
    assert index.at(Sight(NLA), 2) == life[1]
    assert index.at(ALL, 1 << 70) is None


def tables(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All that the follower wrote, but where a shape was first seen, which depends on the portions."""
    assert isinstance(store, SqlStore)
    wanted = {
        "exchange_row": "*",
        "exchange_cube": "*",
        "exchange_day": "*",
        "exchange_shape": "shape_id, content",
        "projection": "position, marked",
    }
    with store._engines.reader.connect() as connection:
        return {
            name: sorted(
                tuple(row) for row in connection.exec_driver_sql(f"SELECT {columns} FROM {name}").all()
            )
            for name, columns in wanted.items()
        }


@pytest.mark.parametrize("portion", [1, 3, 1_000])
def test_any_portions_and_a_rebuild_leave_the_same(database: Database, portion: int) -> None:
    store = database.open()
    fill(store, made_log(150, seed=7))
    follow(store, portion=40)
    before = tables(store)
    used = {row[2] for row in before["exchange_row"]}
    store.exchange_index.clear()
    assert tables(store)["exchange_row"] == []
    assert store.exchange_index.facets(ALL, EVERY, YEAR).total == 0
    follow(store, portion)
    after = tables(store)
    # Small portions also keep the shapes that signals had before they were confirmed.
    assert used <= {row[0] for row in after["exchange_shape"]}
    del before["exchange_shape"], after["exchange_shape"]
    assert after == before


def test_a_second_follower_with_the_same_entries_changes_nothing(store: Store) -> None:
    fill(store, made_log(60))
    rows = list(store.entries(0, 60))
    index = store.exchange_index
    batch = project(rows, index.rows_at, category)
    assert index.write(batch)
    first = tables(store)
    assert not index.write(batch)
    assert tables(store) == first


def test_a_reader_sees_shapes_that_another_process_wrote(database: Database) -> None:
    writer, reader = database.open(), database.open()
    fill(writer, made_log(50))
    follow(writer)
    assert reader.exchange_index.facets(ALL, EVERY, None).total > 0
    fill(writer, [entry(START + timedelta(days=60), agreement="new", exchange="s-new")])
    follow(writer)
    [row] = reader.exchange_index.exchanges(ALL, Filter({"agreement": ["new"]}), None, None, 5)
    assert row.log_index == 50
    writer.exchange_index.clear()
    assert reader.exchange_index.exchanges(ALL, EVERY, None, None, 5) == []


def test_an_entry_that_no_broker_wrote_is_passed_over(store: Store) -> None:
    with store.transaction() as tx:
        for data in (b"no json", b"[]", b'{"v":1}', canonical_json(entry(START, exchange="s"))):
            tx.append(data, 1)
        tx.commit()
    follow(store)
    assert [row.log_index for row in store.exchange_index.exchanges(ALL, EVERY, None, None, 9)] == [3]


def test_the_shape_of_an_entry(store: Store) -> None:
    shape = shape_of(
        entry(START, withheld=[{"name": "x", "reason": "R", "rule": ""}]), lambda policy, name: name
    )
    assert shape.result == "partly"
    assert shape.articles == ("Wet AVV 10(1)", "Wml 18p(1)")
    assert shape.categories == ("count", "law")
    assert shape.acknowledged == "no"
    assert json.loads(shape.content)["rule"] == "avv-10.a"


def test_entries_of_one_batch_that_differ_in_one_member_have_each_its_own_shape() -> None:
    first = entry(START)
    rule, partly = first["rules"][0], [{"name": "x", "reason": "R", "rule": ""}]
    others: list[dict[str, Any]] = [
        *({name: "other"} for name in ("operation", "sender", "recipient", "agreement", "kind", "purpose")),
        *({name: "other"} for name in ("policy", "decision", "delivery", "outcome")),
        *({"rules": rules} for rules in ([], [{**rule, "id": "other"}], [{**rule, "basis": ["other"]}])),
        {"reasons": [{"code": "OTHER", "params": {}}]},
        *({"released": ["other"]}, {"withheld": partly}, {}),
    ]
    entries = [{**first, **change} for change in others]
    rows = [
        LogRow(log_index=at, entry=canonical_json(item), leaf_hash=b"") for at, item in enumerate(entries)
    ]
    batch = project(rows, lambda indexes: {}, lambda policy, name: name)
    assert [row.shape for row in batch.rows] == [
        shape_of(item, lambda policy, name: name) for item in entries
    ]
    assert len({row.shape.shape_id for row in batch.rows}) == len(entries)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InvalidInput):
        Filter({"subject": ["x"]})
    with pytest.raises(InvalidInput):
        Sight("")
    with pytest.raises(InvalidInput):
        Days(date(2026, 2, 1), date(2026, 1, 31))
    with pytest.raises(InvalidInput):
        Days(date(1, 1, 1), date(9999, 12, 31))
    assert Results(denied=1, released=2).total == 3


def test_days_are_those_of_amsterdam(store: Store) -> None:
    late = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)  # half past midnight on 1 November
    fill(store, [entry(late, exchange="s")])
    follow(store)
    index = store.exchange_index
    assert index.facets(ALL, EVERY, Days(date(2026, 11, 1), date(2026, 11, 30))).total == 1
    assert index.facets(ALL, EVERY, Days(date(2026, 10, 1), date(2026, 10, 31))).total == 0
    assert len(index.exchanges(ALL, EVERY, Days(date(2026, 11, 1), date(2026, 11, 1)), None, 5)) == 1


@pytest.fixture(autouse=True)
def _no_endless_log(request: pytest.FixtureRequest) -> Iterator[None]:
    names = {"followed": "followed", "database": "store"}
    stores = [request.getfixturevalue(names[name]) for name in names if name in request.fixturenames]
    yield
    for store in stores:
        assert store.exchange_index.position() <= store.head().tree.size
