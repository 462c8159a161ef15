# SPDX-License-Identifier: EUPL-1.2
"""The exchange index on SQLite and PostgreSQL: see `projected.py` for what it promises.

Shapes never change and only more of them come, so they are kept in memory and read from where the last reading
ended. A choice is made among them; the database then counts or finds rows by the numbers of those that are left.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, bindparam, delete, func, select, text, update

from broker.storage.asked_rows import ADD, COLUMNS, asked_rows
from broker.storage.buckets import ALL_MONTHS, columns, first_day, is_by_day, ranges
from broker.storage.bulk import BulkInsert
from broker.storage.engines import Engines, session
from broker.storage.projected import (
    ACKNOWLEDGE,
    DENIED,
    EVERY,
    FACETS,
    PARTLY,
    RELEASED,
    Batch,
    Cell,
    Column,
    Days,
    ExchangeRow,
    Facets,
    Filter,
    Results,
    Shape,
    Sight,
    day_bucket,
)
from broker.storage.queries import MAX_INTEGER, TABLES, Queries, Rows, storable
from broker.storage.shapes import Shapes
from sluis.errors import InvalidInput

MAX_ROWS = 200
GLANCE = 20  # so many times the rows wanted are looked through first: most choices are common
MANY = 200  # from here on, asking for all shapes is quicker than naming them

KEPT = 32  # choices in memory

K = TypeVar("K")

_ROW = ("log_index", "time_ms", "shape_id", "exchange", "previous")


class SqlExchangeIndex:
    """The `ExchangeIndex` of the port; any thread may call it."""

    def __init__(self, engines: Engines, queries: Queries) -> None:
        self._engines = engines
        self._queries = queries
        self._shapes = Shapes()
        self._read = _Reads(queries)
        self._insert = _Inserts(engines)
        self._lock = threading.Lock()
        self._seen_of: Mapping[int, Shape] = {}
        self._kept: dict[object, Mapping[int, Shape]] = {}

    # the follower's side

    def position(self) -> int:
        """The first entry that was not taken in yet."""
        with session(self._engines.reader) as connection:
            return int(connection.execute(self._read.position).scalar_one())

    def write(self, batch: Batch) -> bool:
        """Take a batch in; False, and nothing done, when another follower was there first."""
        table = TABLES["projection"]
        moved = update(table).where(table.c.position == batch.start).values(position=batch.end)
        with session(self._engines.writer, "exchange_row") as connection:
            if connection.execute(moved).rowcount != 1:
                return False
            self._insert.batch(connection, batch)
            connection.commit()
        return True

    def clear(self) -> None:
        """Forget everything, so that the follower begins again at the first entry."""
        with session(self._engines.writer, "exchange_row") as connection:
            connection.execute(update(TABLES["projection"]).values(position=0))
            for name in ("row", "cube", "day", "shape", "asked"):
                connection.execute(delete(TABLES[f"exchange_{name}"]))
            connection.commit()

    def rows_at(self, log_indexes: Collection[int]) -> Mapping[int, ExchangeRow]:
        """Rows by index, for the follower; whatever their shape."""
        with session(self._engines.reader) as connection:
            rows = list(self._queries.each_among(connection, self._read.at, storable(log_indexes)))
            return {row.log_index: row for row in self._dressed(connection, rows)}

    # the readers' side

    def exchanges(
        self, sight: Sight, chosen: Filter, days: Days | None, before_index: int | None, limit: int
    ) -> Sequence[ExchangeRow]:
        """The newest rows below `before_index`, newest first; at most 200."""
        limit = min(limit, MAX_ROWS)
        if limit <= 0:
            return []
        with session(self._engines.reader) as connection:
            shapes = self._seen(connection, sight, chosen)
            low, high = self._bounds(connection, days)
            high = min(high, MAX_INTEGER if before_index is None else before_index)
            glance = {"low": low, "high": high, "limit": GLANCE * limit}
            near = [row for row in connection.execute(self._read.downwards, glance) if row.shape_id in shapes]
            if len(near) >= limit:
                return self._dressed(connection, near[:limit])
            newest = self._newest(connection, shapes.keys(), low, high)
            # Of the shapes with the newest rows, as many as there are rows to find: others cannot have one.
            first = sorted(newest, key=newest.__getitem__, reverse=True)[:limit]
            if not first:
                return []
            values = {"low": low, "high": high, "limit": limit}
            values |= {f"s{number}": shape_id for number, shape_id in enumerate(first)}
            rows = connection.execute(self._read.merged(len(first)), values).all()
            return self._dressed(connection, rows)

    def facets(self, sight: Sight, chosen: Filter, days: Days | None) -> Facets:
        """Count each facet under the choice in the others."""
        wanted = ((facet, value) for facet, values in chosen.chosen.items() for value in values)
        counts: Counter[tuple[str, str]] = Counter(dict.fromkeys(wanted, 0))
        total = 0
        for shape, entries in self._counted(sight, EVERY, days):
            misses = chosen.misses(shape)
            if not misses:
                total += entries
                for pair in shape.pairs:
                    counts[pair] += entries
            elif len(misses) == 1:
                for value in shape.values(misses[0]):
                    counts[misses[0], value] += entries
        found: dict[str, dict[str, int]] = {facet: {} for facet in FACETS}
        for (facet, value), entries in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            found[facet][value] = entries
        return Facets(total=total, counts=found)

    def matrix(
        self, sight: Sight, days: Days | None, chosen: Filter = EVERY
    ) -> Mapping[tuple[str, str], Results]:
        """Who sent how much to whom, by (sender, recipient)."""
        tally: _Tally[tuple[str, str]] = _Tally()
        for shape, entries in self._counted(sight, chosen, days):
            tally.add((shape.sender, shape.recipient), shape.result, entries)
        return {pair: tally.results(pair) for pair in sorted(tally.keys)}

    def days(self, sight: Sight, days: Days, chosen: Filter = EVERY) -> Sequence[Column]:
        """The results over time, with empty columns; by month when the range is over a hundred days."""
        cut = [(day_bucket(days.first), day_bucket(days.last))] if is_by_day(days) else ranges(days)
        with session(self._engines.reader) as connection:
            found = [
                row
                for low, high in cut
                for row in connection.execute(self._read.buckets, {"low": low, "high": high}).all()
            ]
            shapes = self._seen(connection, sight, chosen)
        tally: _Tally[date] = _Tally()
        for row in found:
            if (shape := shapes.get(row.shape_id)) is not None:
                day = first_day(row.bucket)
                column = day if is_by_day(days) else max(day.replace(day=1), days.first)
                tally.add(column, shape.result, row.entries)
        return [Column(first=first, last=last, results=tally.results(first)) for first, last in columns(days)]

    def cells(self, sight: Sight, days: Days, chosen: Filter = EVERY) -> Sequence[Cell]:
        """How often each shape occurred on each day. Raises InvalidInput for over a hundred days."""
        if not is_by_day(days):
            raise InvalidInput("malformed-request", "days are counted apart for a hundred days at most")
        values = {"low": day_bucket(days.first), "high": day_bucket(days.last)}
        with session(self._engines.reader) as connection:
            found = connection.execute(self._read.buckets, values).all()
            shapes = self._seen(connection, sight, chosen)
        return [
            Cell(day=first_day(row.bucket), shape=shapes[row.shape_id], entries=int(row.entries))
            for row in found
            if row.shape_id in shapes and row.entries
        ]

    def exchange(self, sight: Sight, exchange: str) -> Sequence[ExchangeRow]:
        """All entries of one exchange, oldest first; none when it is not there or not to be seen."""
        if not exchange:
            return []
        with session(self._engines.reader) as connection:
            rows = connection.execute(self._read.exchange, {"exchange": exchange}).all()
            found = self._dressed(connection, rows)
        return [row for row in found if sight.covers(row.shape)]

    def at(self, sight: Sight, log_index: int) -> ExchangeRow | None:
        """The row of one entry."""
        row = self.rows_at([log_index]).get(log_index)
        return row if row is not None and sight.covers(row.shape) else None

    def _seen(self, connection: Connection, sight: Sight, chosen: Filter) -> Mapping[int, Shape]:
        """The shapes of a choice; kept until there is a new shape, since a page asks for the same ones often."""
        known = self._shapes.known(connection)
        key = (sight, chosen.key)
        with self._lock:
            if self._seen_of is not known:
                self._seen_of, self._kept = known, {}
            found = self._kept.get(key)
        if found is None:
            found = {
                shape_id: shape
                for shape_id, shape in known.items()
                if shape.operation != ACKNOWLEDGE and sight.covers(shape) and not chosen.misses(shape)
            }
            with self._lock:
                if self._seen_of is known:
                    if len(self._kept) >= KEPT:
                        self._kept.clear()
                    self._kept[key] = found
        return found

    def _counted(self, sight: Sight, chosen: Filter, days: Days | None) -> Iterator[tuple[Shape, int]]:
        sums: Counter[int] = Counter()
        with session(self._engines.reader) as connection:
            for low, high in ALL_MONTHS if days is None else ranges(days):
                for row in connection.execute(self._read.sums, {"low": low, "high": high}):
                    sums[row.shape_id] += int(row.entries)
            # After the counts, so that no shape of theirs is missing.
            shapes = self._seen(connection, sight, chosen)
        return ((shapes[key], entries) for key, entries in sums.items() if key in shapes and entries)

    def _newest(self, connection: Connection, shapes: Collection[int], low: int, high: int) -> dict[int, int]:
        """The newest row of each shape within bounds; a seek in an index for each."""
        values = {"low": low, "high": high}
        if len(shapes) > MANY:
            rows: Iterable[Row[Any]] = connection.execute(self._read.newest, values)
        else:
            rows = self._queries.each_among(connection, self._read.newest_among, shapes, **values)
        return {row.shape_id: row.newest for row in rows if row.newest is not None and row.shape_id in shapes}

    def _bounds(self, connection: Connection, days: Days | None) -> tuple[int, int]:
        """The entries of a range of days: first, and the one after the last."""
        if days is None:
            return 0, MAX_INTEGER
        low, high = (
            connection.execute(self._read.first_of_day, {"bucket": day_bucket(day)}).scalar()
            for day in (days.first, days.last + timedelta(days=1))
        )
        return MAX_INTEGER if low is None else int(low), MAX_INTEGER if high is None else int(high)

    def _dressed(self, connection: Connection, rows: Iterable[Row[Any]]) -> list[ExchangeRow]:
        rows = list(rows)
        shapes = self._shapes.known(connection)
        return [
            ExchangeRow(
                log_index=row.log_index,
                time_ms=row.time_ms,
                exchange=row.exchange,
                previous=row.previous,
                shape=shapes[row.shape_id],
            )
            for row in rows
        ]


class _Tally(Generic[K]):
    """Results under a key."""

    def __init__(self) -> None:
        self.keys: set[K] = set()
        self._counts: Counter[tuple[K, str]] = Counter()

    def add(self, key: K, result: str, entries: int) -> None:
        """Count entries."""
        self.keys.add(key)
        self._counts[key, result] += entries

    def results(self, key: K) -> Results:
        """What was counted under a key."""
        return Results(**{result: self._counts[key, result] for result in (RELEASED, PARTLY, DENIED)})


class _Reads:
    """The select statements."""

    def __init__(self, queries: Queries) -> None:
        row, cube, day = (TABLES[f"exchange_{name}"].c for name in ("row", "cube", "day"))
        shape = TABLES["exchange_shape"].c
        columns = [row[name] for name in _ROW]
        bucket = cube.bucket.between(bindparam("low"), bindparam("high"))
        self.position: Rows = select(TABLES["projection"].c.position)
        self.at: Rows = select(*columns).where(queries.among(row.log_index))
        self.downwards: Rows = (
            select(*columns)
            .where(row.log_index >= bindparam("low"), row.log_index < bindparam("high"))
            .order_by(row.log_index.desc())
            .limit(bindparam("limit"))
        )
        self.exchange: Rows = (
            select(*columns)
            .where(row.exchange == bindparam("exchange"), text("exchange <> ''"))
            .order_by(row.log_index)
        )
        self.first_of_day: Rows = (
            select(day.first_index).where(day.bucket >= bindparam("bucket")).order_by(day.bucket).limit(1)
        )
        self.buckets: Rows = select(cube.bucket, cube.shape_id, cube.entries).where(bucket)
        self.sums: Rows = (
            select(cube.shape_id, func.sum(cube.entries).label("entries"))
            .where(bucket)
            .group_by(cube.shape_id)
        )
        newest = (
            select(func.max(row.log_index))
            .where(row.shape_id == shape.shape_id)
            .where(row.log_index >= bindparam("low"), row.log_index < bindparam("high"))
            .correlate(TABLES["exchange_shape"])
            .scalar_subquery()
        )
        every: Rows = select(shape.shape_id, newest.label("newest"))
        self.newest = every
        self.newest_among: Rows = every.where(queries.among(shape.shape_id))
        self._merged: dict[int, Any] = {}

    def merged(self, shapes: int) -> Any:
        """The newest rows of so many shapes together: each shape's newest, then the newest of those."""
        if shapes not in self._merged:
            names = ", ".join(_ROW)
            parts = (
                f"SELECT * FROM (SELECT {names} FROM exchange_row WHERE shape_id = :s{number}"  # noqa: S608
                " AND log_index >= :low AND log_index < :high ORDER BY log_index DESC LIMIT :limit)"
                f" AS part_{number}"
                for number in range(shapes)
            )
            self._merged[shapes] = text(" UNION ALL ".join(parts) + " ORDER BY log_index DESC LIMIT :limit")
        return self._merged[shapes]


class _Inserts:
    """The write statements."""

    def __init__(self, engines: Engines) -> None:
        dialect = engines.dialect
        keep = "ON CONFLICT DO NOTHING"
        add = (
            "ON CONFLICT (bucket, shape_id) DO UPDATE SET entries = exchange_cube.entries + excluded.entries"
        )
        self._rows = BulkInsert(TABLES["exchange_row"], _ROW, dialect)
        self._shapes = BulkInsert(
            TABLES["exchange_shape"], ("shape_id", "first_index", "content"), dialect, keep
        )
        self._days = BulkInsert(TABLES["exchange_day"], ("bucket", "first_index"), dialect, keep)
        self._counts = BulkInsert(TABLES["exchange_cube"], ("bucket", "shape_id", "entries"), dialect, add)
        self._asked = BulkInsert(TABLES["exchange_asked"], COLUMNS, dialect, ADD)
        row, cube = TABLES["exchange_row"], TABLES["exchange_cube"]
        self._move = update(row).where(row.c.log_index == bindparam("at")).values(shape_id=bindparam("shape"))
        self._empty = delete(cube).where(
            cube.c.bucket == bindparam("b"), cube.c.shape_id == bindparam("s"), cube.c.entries == 0
        )

    def batch(self, connection: Connection, batch: Batch) -> None:
        """Write all of it but the position."""
        self._shapes(
            connection,
            [(key, first, shape.content) for key, (first, shape) in sorted(batch.shapes.items())],
        )
        self._rows(
            connection,
            [
                (row.log_index, row.time_ms, row.shape.shape_id, row.exchange, row.previous)
                for row in batch.rows
            ],
        )
        self._days(connection, sorted(batch.days.items()))
        self._counts(connection, [(*key, count) for key, count in sorted(batch.counts.items()) if count])
        self._asked(connection, asked_rows(batch.asked))
        moves = [{"at": at, "shape": shape.shape_id} for at, shape in sorted(batch.acknowledged.items())]
        if moves:
            connection.execute(self._move, moves)
        taken = [{"b": key[0], "s": key[1]} for key, count in sorted(batch.counts.items()) if count < 0]
        if taken:
            connection.execute(self._empty, taken)
