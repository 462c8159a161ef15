# SPDX-License-Identifier: EUPL-1.2
"""The exchange index on SQLite and PostgreSQL: see `projected.py` for what it promises.

Shapes and counts are kept in memory (`cube.py`); a choice is a mask over shapes, and every count is a few bitwise
operations. Rows are found in the database, by the shapes of which the counts say that they are there.
Each reading is of one moment: it has one snapshot of the database.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import or_
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, text

from broker.storage.buckets import ALL_MONTHS, columns, first_day, is_by_day, is_month, last_day, ranges
from broker.storage.cube import Cube, Moment
from broker.storage.engines import Engines, session, snapshot
from broker.storage.exchange_writes import ROW, FollowerWrites
from broker.storage.projected import (
    DENIED,
    EVERY,
    FACETS,
    NOTED,
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
    Survey,
    day_bucket,
)
from broker.storage.queries import MAX_INTEGER, TABLES, Queries, Rows, storable
from broker.storage.slices import Mask, Slices, added, counted, counts_of, numbers_in, present
from sluis.errors import InvalidInput

MAX_ROWS = 200
GLANCES = (3, 20)  # so many times the rows wanted are looked through first: most choices are common


class SqlExchangeIndex:
    """The `ExchangeIndex` of the port; any thread may call it."""

    def __init__(self, engines: Engines, queries: Queries) -> None:
        self._engines = engines
        self._queries = queries
        self._cube = Cube(queries)
        self._read = _Reads(queries)
        self._writes = FollowerWrites(engines)

    # the follower's side

    def position(self) -> int:
        """The first entry that was not taken in yet."""
        with session(self._engines.reader) as connection:
            return int(connection.execute(self._read.position).scalar_one())

    def write(self, batch: Batch) -> bool:
        """Take a batch in; False, and nothing done, when another follower was there first."""
        with session(self._engines.writer, "exchange_row") as connection:
            if not self._writes.batch(connection, batch):
                return False
            connection.commit()
        return True

    def clear(self) -> None:
        """Forget everything, so that the follower begins again at the first entry."""
        with session(self._engines.writer, "exchange_row") as connection:
            self._writes.clear(connection)
            connection.commit()

    def rows_at(self, log_indexes: Collection[int]) -> Mapping[int, ExchangeRow]:
        """Rows by index, for the follower; whatever their shape."""
        wanted = storable(log_indexes)
        if not wanted:
            return {}
        with self._moment() as now:
            rows = list(self._queries.each_among(now.connection, self._read.at, wanted))
            return {row.log_index: row for row in _dressed(now, rows)}

    # the readers' side

    def exchanges(
        self, sight: Sight, chosen: Filter, days: Days | None, before_index: int | None, limit: int
    ) -> Sequence[ExchangeRow]:
        """The newest rows below `before_index`, newest first; at most 200."""
        limit = min(limit, MAX_ROWS)
        if limit <= 0:
            return []
        with self._moment() as now:
            return self._rows(now, sight, chosen, days, before_index, limit)

    def survey(
        self, sight: Sight, chosen: Filter, days: Days, before_index: int | None, limit: int
    ) -> Survey:
        """Rows, facets and results over time, as of the same moment."""
        with self._moment() as now:
            return Survey(
                rows=self._rows(now, sight, chosen, days, before_index, min(limit, MAX_ROWS)),
                facets=_facets(now, sight, chosen, days),
                columns=_columns(now, sight, chosen, days),
            )

    def facets(self, sight: Sight, chosen: Filter, days: Days | None) -> Facets:
        """Count each facet under the choice in the others."""
        with self._moment() as now:
            return _facets(now, sight, chosen, days)

    def matrix(
        self, sight: Sight, days: Days | None, chosen: Filter = EVERY
    ) -> Mapping[tuple[str, str], Results]:
        """Who sent how much to whom, by (sender, recipient)."""
        with self._moment() as now:
            counts = _sum(now, days)
        mask = present(counts) & now.shapes.chosen(sight, chosen)
        return {
            flow: _results(now, counts, both)
            for flow, having in sorted(now.shapes.flows.items())
            if (both := having & mask)
        }

    def days(self, sight: Sight, days: Days, chosen: Filter = EVERY) -> Sequence[Column]:
        """The results over time, with empty columns; by month when the range is over a hundred days."""
        with self._moment() as now:
            return _columns(now, sight, chosen, days)

    def cells(self, sight: Sight, days: Days, chosen: Filter = EVERY) -> Sequence[Cell]:
        """How often each shape occurred on each day. Raises InvalidInput for over a hundred days."""
        if not is_by_day(days):
            raise InvalidInput("malformed-request", "days are counted apart for a hundred days at most")
        found: list[Cell] = []
        with self._moment() as now:
            counts = now.counts(day_bucket(days.first), day_bucket(days.last))
        mask = now.shapes.chosen(sight, chosen)
        for bucket, slices in counts.items():
            day = first_day(bucket)
            for number, entries in counts_of(slices, mask).items():
                found.append(Cell(day=day, shape=now.shapes.shapes[number], entries=entries))
        return found

    def exchange(self, sight: Sight, exchange: str) -> Sequence[ExchangeRow]:
        """All entries of one exchange, oldest first; none when it is not there or not to be seen."""
        if not exchange:
            return []
        with self._moment() as now:
            rows = now.connection.execute(self._read.exchange, {"exchange": exchange}).all()
            found = _dressed(now, rows)
        return [row for row in found if sight.covers(row.shape)]

    def at(self, sight: Sight, log_index: int) -> ExchangeRow | None:
        """The row of one entry, when it is of an exchange."""
        row = self.rows_at([log_index]).get(log_index)
        if row is None or row.shape.operation in NOTED or not sight.covers(row.shape):
            return None
        return row

    def noted(self, sight: Sight, operations: Collection[str], days: Days) -> Sequence[ExchangeRow]:
        """Every row of some operations, oldest first, whether or not it decided something."""
        with self._moment() as now:
            low, high = self._bounds(now.connection, days)
            having = now.shapes.having["operation"]
            mask = reduce(or_, (having.get(operation, 0) for operation in operations), 0)
            ids = [now.shapes.shapes[number].shape_id for number in numbers_in(mask)]
            found = self._queries.each_among(now.connection, self._read.of_shapes, ids, low=low, high=high)
            rows = sorted(found, key=lambda row: int(row.log_index))
            return [row for row in _dressed(now, rows) if sight.covers(row.shape)]

    @contextmanager
    def _moment(self) -> Iterator[Moment]:
        with snapshot(self._engines.reader) as connection:
            yield self._cube.moment(connection)

    def _rows(
        self, now: Moment, sight: Sight, chosen: Filter, days: Days | None, before: int | None, limit: int
    ) -> Sequence[ExchangeRow]:
        mask = now.shapes.chosen(sight, chosen)
        low, high = self._bounds(now.connection, days)
        high = min(high, MAX_INTEGER if before is None else before)
        found = self._glance(now, mask, low, high, limit)
        if found is None:
            where = self._where(now, mask, low, high, limit)
            low = max(low, where.first)
            if where.end < high:
                high = where.end
                found = self._glance(now, mask, low, high, limit)
            if found is None:
                found = self._sought(now, where.shapes, low, high, limit)
        return _dressed(now, found)

    def _glance(self, now: Moment, mask: Mask, low: int, high: int, limit: int) -> Sequence[Row[Any]] | None:
        """The newest rows of a choice, if they stand among the newest of all; else None."""
        for times in GLANCES:
            values = {"low": low, "high": high, "limit": times * limit}
            rows = now.connection.execute(self._read.downwards, values).all()
            near = [row for row in rows if now.shapes.is_under(mask, row.shape_id)]
            if len(near) >= limit or len(rows) < times * limit:
                return near[:limit]
        return None

    def _where(self, now: Moment, mask: Mask, low: int, high: int, limit: int) -> "_Where":
        """Ask the counts where the newest rows of a choice are."""
        ends = now.connection.execute(self._read.days_between, {"low": low, "high": high}).one()
        found = _Where(shapes=0, first=low, end=low)
        if ends.last is None:
            return found
        counts = 0
        for bucket, slices in _downwards(now, mask, int(ends.first), int(ends.last), limit):
            here = present(slices) & mask
            if here and not found.shapes:
                found.end = self._first_of(now.connection, last_day(bucket) + timedelta(days=1))
            found.shapes |= here
            # Of the last day, the entries from `high` on are counted too, but are not to be found.
            counts += counted(slices, mask) if bucket != ends.last else 0
            if counts >= limit:
                found.first = self._first_of(now.connection, first_day(bucket))
                break
        return found

    def _sought(self, now: Moment, shapes: Mask, low: int, high: int, limit: int) -> Sequence[Row[Any]]:
        """The newest rows of some shapes, by a seek in an index for each."""
        ids = [now.shapes.shapes[number].shape_id for number in numbers_in(shapes)]
        if len(ids) > limit:
            # Of the shapes with the newest rows, as many as there are rows to find: others cannot have one.
            rows = self._queries.each_among(now.connection, self._read.newest, ids, low=low, high=high)
            newest = {row.shape_id: row.newest for row in rows if row.newest is not None}
            ids = sorted(newest, key=newest.__getitem__, reverse=True)[:limit]
        if not ids:
            return []
        values = {"low": low, "high": high, "limit": limit}
        values |= {f"s{place}": shape_id for place, shape_id in enumerate(ids)}
        return now.connection.execute(self._read.merged(len(ids)), values).all()

    def _bounds(self, connection: Connection, days: Days | None) -> tuple[int, int]:
        """The entries of a range of days: first, and the one after the last."""
        if days is None:
            return 0, MAX_INTEGER
        return self._first_of(connection, days.first), self._first_of(
            connection, days.last + timedelta(days=1)
        )

    def _first_of(self, connection: Connection, day: date) -> int:
        """The first entry of a day or, when it has none, of a later one."""
        found = connection.execute(self._read.first_of_day, {"bucket": day_bucket(day)}).scalar()
        return MAX_INTEGER if found is None else int(found)


@dataclass(slots=True)
class _Where:
    """The shapes that the newest rows of a choice can have, and the entries from `first` to before `end`."""

    shapes: Mask
    first: int
    end: int


def _facets(now: Moment, sight: Sight, chosen: Filter, days: Days | None) -> Facets:
    counts, shapes = _sum(now, days), now.shapes
    there, whole = present(counts), shapes.chosen(sight, chosen)
    found: dict[str, dict[str, int]] = {}
    for facet in FACETS:
        picked = chosen.chosen.get(facet, ())
        mask = there & (shapes.chosen(sight, chosen, but=facet) if picked else whole)
        numbers = dict.fromkeys(picked, 0)
        for value, having in shapes.having[facet].items():
            if both := having & mask:
                numbers[value] = counted(counts, both)
        found[facet] = dict(sorted(numbers.items(), key=lambda item: (-item[1], item[0])))
    return Facets(total=counted(counts, whole), counts=found)


def _columns(now: Moment, sight: Sight, chosen: Filter, days: Days) -> Sequence[Column]:
    by_day, mask = is_by_day(days), now.shapes.chosen(sight, chosen)
    parts: dict[date, list[Slices]] = {}
    for low, high in [(day_bucket(days.first), day_bucket(days.last))] if by_day else ranges(days):
        for bucket, slices in now.counts(low, high).items():
            day = first_day(bucket)
            column = day if by_day else max(day.replace(day=1), days.first)
            parts.setdefault(column, []).append(slices)
    return [
        Column(first=first, last=last, results=_results(now, added(parts.get(first, ())), mask))
        for first, last in columns(days)
    ]


def _sum(now: Moment, days: Days | None) -> Slices:
    """The counts over a range of days, whole months as such."""
    cut = ALL_MONTHS if days is None else ranges(days)
    return added(slices for low, high in cut for slices in now.counts(low, high).values())


def _downwards(now: Moment, mask: Mask, first: int, last: int, limit: int) -> Iterator[tuple[int, Slices]]:
    """The buckets that cover the days from `first` to `last`, newest first; the last day by itself.

    A month in which a choice occurs `limit` times is given day by day.
    """
    yield from now.counts(last, last).items()
    if first >= last:
        return
    before = Days(first_day(first), first_day(last) - timedelta(days=1))
    for low, high in reversed(list(ranges(before))):
        for bucket, slices in reversed(list(now.counts(low, high).items())):
            if is_month(bucket) and counted(slices, mask) >= limit:
                days = now.counts(day_bucket(first_day(bucket)), day_bucket(last_day(bucket)))
                yield from reversed(list(days.items()))
            else:
                yield bucket, slices


def _results(now: Moment, counts: Slices, mask: Mask) -> Results:
    having = now.shapes.having["result"]
    return Results(
        **{result: counted(counts, mask & having.get(result, 0)) for result in (RELEASED, PARTLY, DENIED)}
    )


def _dressed(now: Moment, rows: Iterable[Row[Any]]) -> list[ExchangeRow]:
    def shape(row: Row[Any]) -> Shape:
        return now.shapes.shapes[now.shapes.numbers[row.shape_id]]

    return [
        ExchangeRow(
            log_index=row.log_index,
            time_ms=row.time_ms,
            exchange=row.exchange,
            previous=row.previous,
            shape=shape(row),
        )
        for row in rows
    ]


class _Reads:
    """The select statements."""

    def __init__(self, queries: Queries) -> None:
        row, day = TABLES["exchange_row"].c, TABLES["exchange_day"].c
        shape = TABLES["exchange_shape"].c
        columns = [row[name] for name in ROW]
        within = (row.log_index >= bindparam("low"), row.log_index < bindparam("high"))
        self.position: Rows = select(TABLES["projection"].c.position)
        self.at: Rows = select(*columns).where(queries.among(row.log_index))
        self.downwards: Rows = (
            select(*columns).where(*within).order_by(row.log_index.desc()).limit(bindparam("limit"))
        )
        self.of_shapes: Rows = select(*columns).where(queries.among(row.shape_id), *within)
        self.exchange: Rows = (
            select(*columns)
            .where(row.exchange == bindparam("exchange"), text("exchange <> ''"))
            .order_by(row.log_index)
        )
        self.first_of_day: Rows = (
            select(day.first_index).where(day.bucket >= bindparam("bucket")).order_by(day.bucket).limit(1)
        )
        upwards, downwards = select(day.bucket).order_by(day.bucket), day.bucket.desc()
        before = select(day.bucket).order_by(downwards).limit(1)
        self.days_between: Rows = select(
            func.coalesce(
                before.where(day.first_index <= bindparam("low")).scalar_subquery(),
                upwards.limit(1).scalar_subquery(),
            ).label("first"),
            before.where(day.first_index < bindparam("high")).scalar_subquery().label("last"),
        )
        newest = (
            select(func.max(row.log_index))
            .where(row.shape_id == shape.shape_id, *within)
            .correlate(TABLES["exchange_shape"])
            .scalar_subquery()
        )
        self.newest: Rows = select(shape.shape_id, newest.label("newest")).where(
            queries.among(shape.shape_id)
        )
        self._merged: dict[int, Any] = {}

    def merged(self, shapes: int) -> Any:
        """The newest rows of so many shapes together: each shape's newest, then the newest of those."""
        if shapes not in self._merged:
            names = ", ".join(ROW)
            parts = (
                f"SELECT * FROM (SELECT {names} FROM exchange_row WHERE shape_id = :s{number}"  # noqa: S608
                " AND log_index >= :low AND log_index < :high ORDER BY log_index DESC LIMIT :limit)"
                f" AS part_{number}"
                for number in range(shapes)
            )
            self._merged[shapes] = text(" UNION ALL ".join(parts) + " ORDER BY log_index DESC LIMIT :limit")
        return self._merged[shapes]
