# SPDX-License-Identifier: EUPL-1.2
"""Counts by bucket (a day or a month) and shape, read into memory as bit slices and kept while nothing in them changes.

The follower marks each bucket that it changes with the entry up to which it then had come (`exchange_bucket`). Every
reading compares these marks within its own snapshot, so what is kept is never older or newer than what is stored.
When the tables were emptied, or a follower that sets no marks is at work (an older version), nothing is kept over.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select

from broker.storage.queries import TABLES, Queries, Rows
from broker.storage.shapes import Shapes
from broker.storage.slices import Slices, size_of, sliced

KEPT_BYTES = 64_000_000


@dataclass(slots=True)
class _Kept:
    """What is kept of one filling of the tables."""

    generation: int
    shapes: Shapes = field(default_factory=Shapes)
    since: int = 0  # shapes of earlier entries are known
    known: int = -1  # the position at which they were last read
    buckets: OrderedDict[int, tuple[int, Slices]] = field(default_factory=OrderedDict)  # the latest used last
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The shapes and counts as of one snapshot, in which `position` entries were taken in."""

    cube: "Cube"
    connection: Connection
    kept: _Kept
    shapes: Shapes
    position: int
    asked: dict[tuple[int, int], Mapping[int, Slices]] = field(default_factory=dict)

    def counts(self, low: int, high: int) -> Mapping[int, Slices]:
        """The counts of the buckets from `low` to `high`, rising."""
        if (low, high) not in self.asked:
            self.asked[low, high] = self.cube.counts(self, low, high)
        return self.asked[low, high]


class Cube:
    """The counts of one database; any thread may call it."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._lock = threading.Lock()
        self._kept = _Kept(generation=-1)
        state, shape, mark = (TABLES[name].c for name in ("projection", "exchange_shape", "exchange_bucket"))
        cell = TABLES["exchange_cube"].c
        self._state: Rows = select(state.position, state.marked, state.generation)
        self._shapes: Rows = select(shape.shape_id, shape.first_index, shape.content).where(
            shape.first_index >= bindparam("since")
        )
        self._marks: Rows = (
            select(mark.bucket, mark.changed)
            .where(mark.bucket.between(bindparam("low"), bindparam("high")))
            .order_by(mark.bucket)
        )
        self._cells: Rows = select(cell.bucket, cell.shape_id, cell.entries).where(queries.among(cell.bucket))

    def moment(self, connection: Connection) -> Moment:
        """What is so now. The connection reads from one snapshot."""
        state = connection.execute(self._state).one()
        kept = self._kept
        if state.position != state.marked:
            kept = _Kept(generation=-1)
        elif kept.generation != state.generation:
            kept = self._kept = _Kept(generation=state.generation)
        return Moment(
            cube=self,
            connection=connection,
            kept=kept,
            shapes=self._shapes_of(connection, kept, int(state.position)),
            position=int(state.position),
        )

    def _shapes_of(self, connection: Connection, kept: _Kept, position: int) -> Shapes:
        with self._lock:
            if kept.known < position:
                rows = connection.execute(self._shapes, {"since": kept.since}).all()
                kept.shapes = kept.shapes.with_more(rows)
                kept.since = max((kept.since, *(row.first_index for row in rows)))
                kept.known = position
            return kept.shapes

    def counts(self, moment: Moment, low: int, high: int) -> Mapping[int, Slices]:
        """The counts of buckets, rising; those that are not kept are read."""
        marks = {
            row.bucket: row.changed
            for row in moment.connection.execute(self._marks, {"low": low, "high": high})
        }
        found: dict[int, Slices] = {}
        with self._lock:
            for bucket, changed in marks.items():
                before = moment.kept.buckets.get(bucket)
                if before is not None and before[0] == changed:
                    found[bucket] = before[1]
                    moment.kept.buckets.move_to_end(bucket)
        missing = marks.keys() - found.keys()
        if missing:
            read = self._read(moment, missing)
            found |= read
            self._keep(moment.kept, {bucket: (marks[bucket], slices) for bucket, slices in read.items()})
        return {bucket: found[bucket] for bucket in marks}

    def _read(self, moment: Moment, buckets: Collection[int]) -> dict[int, Slices]:
        cells: dict[int, list[tuple[int, int]]] = {bucket: [] for bucket in buckets}
        numbers = moment.shapes.numbers
        for row in self._queries.each_among(moment.connection, self._cells, buckets):
            cells[row.bucket].append((numbers[row.shape_id], row.entries))
        return {bucket: sliced(pairs, len(moment.shapes)) for bucket, pairs in cells.items()}

    def _keep(self, kept: _Kept, read: Mapping[int, tuple[int, Slices]]) -> None:
        with self._lock:
            for bucket, (changed, slices) in read.items():
                before = kept.buckets.pop(bucket, None)
                kept.bytes -= size_of(before[1]) if before else 0
                kept.buckets[bucket] = changed, slices
                kept.bytes += size_of(slices)
            while kept.bytes > KEPT_BYTES and len(kept.buckets) > 1:
                _, (_, slices) = kept.buckets.popitem(last=False)
                kept.bytes -= size_of(slices)
