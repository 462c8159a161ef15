# SPDX-License-Identifier: EUPL-1.2
"""What is kept in memory counts as going through the rows does: after any batch, in any process, after a rebuild."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from broker.audit.projection import project
from broker.storage import cube, exchange_index
from broker.storage.open import alembic_config
from broker.storage.port import LogRow, Store
from broker.storage.projected import EVERY, FACETS, Days, ExchangeRow, Filter, Sight
from broker.storage.sql import SqlStore
from sluis.canonical import canonical_json
from sluis.errors import Defect
from tests.contract.conftest import Database
from tests.contract.exchange_rows import ALL, BANK, NLA, SNCU, START, STRANGER, YEAR, entry, made_log
from tests.contract.test_exchange_index import RANGES, category, visible

SIGHTS = (ALL, Sight(NLA), Sight(BANK), Sight(STRANGER))
VALUES = {
    "sender": (NLA, SNCU, BANK, STRANGER),
    "recipient": (NLA, SNCU, BANK),
    "agreement": ("avv-10", "waadi-14b", "none"),
    "article": ("Wml 18p(1)", "Wet AVV 10(1)"),
    "operation": ("signal.push", "match.question", "signal.acknowledge"),
    "result": ("released", "partly", "denied"),
    "acknowledged": ("yes", "no"),
    "outcome": ("mailbox", "refused"),
}
filters = st.dictionaries(st.sampled_from(sorted(VALUES)), st.just(()), max_size=3).flatmap(
    lambda facets: st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(VALUES[name]), max_size=2, unique=True) for name in facets}
    )
)
questions = st.tuples(st.sampled_from(SIGHTS), filters.map(Filter), st.sampled_from(RANGES))
steps = st.lists(st.tuples(st.integers(1, 25), questions), min_size=2, max_size=6)


def log_of(size: int, seed: int) -> list[LogRow]:
    """Entries as the log holds them."""
    return [
        LogRow(log_index=index, entry=canonical_json(made), leaf_hash=b"")
        for index, made in enumerate(made_log(size, seed=seed))
    ]


def take_in(store: Store, rows: Sequence[LogRow]) -> None:
    """Follow a part of the log, as one batch."""
    assert store.exchange_index.write(project(rows, store.exchange_index.rows_at, category))


def went_through(rows: Sequence[LogRow]) -> list[ExchangeRow]:
    """The rows by a second, simpler road: one batch over all of them."""
    return list(project(rows, lambda indexes: {}, category).rows)


def compare(
    store: Store, rows: list[ExchangeRow], sight: Sight, chosen: Filter, days: Days | None, before: int
) -> None:
    """Ask everything that counts or lists, and go through the rows."""
    index, wanted = store.exchange_index, visible(rows, sight, chosen, days)
    facets = index.facets(sight, chosen, days)
    assert facets.total == len(wanted)
    for facet in FACETS:
        others = Filter({name: values for name, values in chosen.chosen.items() if name != facet})
        expected = Counter(
            value for row in visible(rows, sight, others, days) for value in row.shape.values(facet)
        )
        counts = facets.counts[facet]
        assert {value: count for value, count in counts.items() if count} == expected
    matrix = index.matrix(sight, days, chosen)
    flows = Counter((row.shape.sender, row.shape.recipient) for row in wanted)
    assert {flow: results.total for flow, results in matrix.items()} == flows
    for column in index.days(sight, days or YEAR, chosen):
        inside = visible(rows, sight, chosen, Days(column.first, column.last))
        results = Counter(row.shape.result for row in inside)
        found = column.results
        assert (found.released, found.partly, found.denied) == tuple(
            results[name] for name in ("released", "partly", "denied")
        )
    older = [row for row in wanted[::-1] if row.log_index < before]
    assert index.exchanges(sight, chosen, days, before, 7) == older[:7]
    survey = index.survey(sight, chosen, days or YEAR, before, 7)
    assert survey.rows == older[:7]  # the year holds all of a made-up log
    assert survey.facets == facets
    assert survey.columns == index.days(sight, days or YEAR, chosen)


@settings(
    max_examples=12,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # each example takes a rebuild, so none is made smaller
)
@given(st.integers(0, 1 << 30), steps, st.sampled_from([(), (1,), (3, 20)]))
def _check(
    two: tuple[Store, Store],
    seed: int,
    batches: list[tuple[int, tuple[Sight, Filter, Days | None]]],
    glances: tuple[int, ...],
) -> None:
    writer, reader = two
    log = log_of(sum(size for size, _ in batches), seed)
    writer.exchange_index.clear()
    done = 0
    with mock.patch.object(exchange_index, "GLANCES", glances):
        for size, question in batches:
            take_in(writer, log[done : done + size])
            done += size
            rows = went_through(log[:done])
            for store in two:
                compare(store, rows, *question, before=max(1, done - seed % 9))
        writer.exchange_index.clear()
        assert reader.exchange_index.facets(ALL, EVERY, None).total == 0
        take_in(writer, log)
        for _, question in batches:
            compare(reader, went_through(log), *question, before=done)


def test_any_log_in_any_batches_counts_as_its_rows_do(database: Database) -> None:
    """Two processes: one follows, the other only reads; what both keep in memory outlives each made-up log."""
    _check((database.open(), database.open()))


def test_what_is_too_much_to_keep_is_read_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cube, "KEPT_BYTES", 200)
    store, log = database.open(), log_of(300, 5)
    take_in(store, log)
    for days in RANGES:
        compare(store, went_through(log), ALL, EVERY, days, before=300)
    assert isinstance(store, SqlStore)
    kept = store.exchange_index._cube._kept
    assert 1 <= len(kept.buckets) < 10
    assert kept.bytes == sum(cube.size_of(slices) for _, slices in kept.buckets.values())


def test_what_is_newer_on_the_same_day_does_not_end_the_search(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list goes on below an entry on the last day of a month, of which most came later."""
    monkeypatch.setattr(exchange_index, "GLANCES", ())
    old, late = START + timedelta(days=1), datetime(2026, 10, 31, 9, 0, tzinfo=UTC)
    made = [entry(old + timedelta(minutes=at), exchange=f"old-{at}") for at in range(8)]
    made += [entry(late + timedelta(minutes=at), kind="LATE", exchange=f"late-{at}") for at in range(10)]
    rows = [
        LogRow(log_index=index, entry=canonical_json(one), leaf_hash=b"") for index, one in enumerate(made)
    ]
    store = database.open()
    take_in(store, rows)
    found = store.exchange_index.exchanges(ALL, EVERY, YEAR, 9, 7)
    assert [row.log_index for row in found] == [8, 7, 6, 5, 4, 3, 2]


def test_a_reading_is_of_one_moment(database: Database) -> None:
    writer, reader, log = database.open(), database.open(), log_of(120, 3)
    take_in(writer, log[:60])
    assert isinstance(reader, SqlStore)
    index = reader.exchange_index
    with index._moment() as now:
        take_in(writer, log[60:])
        assert now.position == 60
        then = exchange_index._sum(now, None)
        assert exchange_index.counted(then, now.shapes.seen(ALL)) == len(
            visible(went_through(log[:60]), ALL, EVERY, None)
        )
    compare(reader, went_through(log), ALL, EVERY, YEAR, before=120)


def test_a_follower_of_an_older_version_leaves_nothing_stale(database: Database) -> None:
    """It takes entries in without marks, as during an update of one replica after the other."""
    writer, reader, log = database.open(), database.open(), log_of(120, 8)

    def compare_all(end: int) -> None:
        for days in RANGES:
            compare(reader, went_through(log[:end]), ALL, EVERY, days, before=end)

    take_in(writer, log[:60])
    compare_all(60)
    marks = dict(_run(writer, "SELECT bucket, changed FROM exchange_bucket"))
    take_in(writer, log[60:80])
    for bucket, _ in _run(writer, "SELECT bucket, changed FROM exchange_bucket"):
        _run(writer, f"UPDATE exchange_bucket SET changed = {marks.get(bucket, 60)} WHERE bucket = {bucket}")
    _run(writer, "UPDATE projection SET marked = 60")
    compare_all(80)
    take_in(writer, log[80:])
    compare_all(120)


def test_a_reading_that_fails_leaves_nothing_open(database: Database) -> None:
    store, log = database.open(), log_of(60, 6)
    take_in(store, log)
    spoil = "UPDATE exchange_shape SET content = replace(content, '{}', '{}')"
    _run(store, spoil.format("signal.push", "signal.pull"))
    broken = database.open()
    for _ in range(10):  # more than there are connections
        with pytest.raises(Defect):
            broken.exchange_index.facets(ALL, EVERY, None)
    _run(store, spoil.format("signal.pull", "signal.push"))
    compare(broken, went_through(log), ALL, EVERY, YEAR, before=60)


def test_an_update_of_the_tables_needs_no_rebuild(database: Database) -> None:
    store, log = database.open(), log_of(100, 4)
    take_in(store, log)
    assert isinstance(store, SqlStore)
    with store._engines.writer.begin() as connection:
        marks = ScriptDirectory.from_config(alembic_config(connection)).get_revision("0008").module
        context = MigrationContext.configure(connection, opts={"render_as_batch": True})
        with Operations.context(context):
            marks.downgrade()
            marks.upgrade()
    updated = database.open()
    compare(updated, went_through(log), ALL, EVERY, YEAR, before=100)
    assert _run(updated, "SELECT position, marked FROM projection") == [(100, 100)]


def _run(store: Store, statement: str) -> list[tuple[int, ...]]:
    assert isinstance(store, SqlStore)
    with store._engines.writer.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result.all()] if result.returns_rows else []
