# SPDX-License-Identifier: EUPL-1.2
"""What the follower of the log writes for the console, a batch in one transaction: rows, shapes, counts, marks."""

from sqlalchemy import Connection, bindparam, case, delete, update

from broker.storage.asked_rows import ADD, COLUMNS, asked_rows
from broker.storage.bulk import BulkInsert
from broker.storage.engines import Engines
from broker.storage.projected import Batch
from broker.storage.queries import TABLES

ROW = ("log_index", "time_ms", "shape_id", "exchange", "previous")


class FollowerWrites:
    """The write statements of the follower."""

    def __init__(self, engines: Engines) -> None:
        dialect = engines.dialect
        keep = "ON CONFLICT DO NOTHING"
        add = (
            "ON CONFLICT (bucket, shape_id) DO UPDATE SET entries = exchange_cube.entries + excluded.entries"
        )
        mark = "ON CONFLICT (bucket) DO UPDATE SET changed = excluded.changed"
        self._rows = BulkInsert(TABLES["exchange_row"], ROW, dialect)
        self._shapes = BulkInsert(
            TABLES["exchange_shape"], ("shape_id", "first_index", "content"), dialect, keep
        )
        self._days = BulkInsert(TABLES["exchange_day"], ("bucket", "first_index"), dialect, keep)
        self._counts = BulkInsert(TABLES["exchange_cube"], ("bucket", "shape_id", "entries"), dialect, add)
        self._asked = BulkInsert(TABLES["exchange_asked"], COLUMNS, dialect, ADD)
        self._marks = BulkInsert(TABLES["exchange_bucket"], ("bucket", "changed"), dialect, mark)
        row, cube, state = (TABLES[name] for name in ("exchange_row", "exchange_cube", "projection"))
        self._position = (
            update(state)
            .where(state.c.position == bindparam("start"))
            # A follower that sets no marks leaves `marked` behind: what was kept in memory then counts no more.
            .values(
                position=bindparam("end"),
                marked=bindparam("end"),
                generation=state.c.generation + case((state.c.marked == state.c.position, 0), else_=1),
            )
        )
        self._move = update(row).where(row.c.log_index == bindparam("at")).values(shape_id=bindparam("shape"))
        self._empty = delete(cube).where(
            cube.c.bucket == bindparam("b"), cube.c.shape_id == bindparam("s"), cube.c.entries == 0
        )

    def batch(self, connection: Connection, batch: Batch) -> bool:
        """Write all of it; False, and nothing done, when another follower was there first."""
        moved = connection.execute(self._position, {"start": batch.start, "end": batch.end})
        if moved.rowcount != 1:
            return False
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
        counts = [(*key, count) for key, count in sorted(batch.counts.items()) if count]
        self._counts(connection, counts)
        self._asked(connection, asked_rows(batch.asked))
        self._marks(connection, [(bucket, batch.end) for bucket in sorted({row[0] for row in counts})])
        moves = [{"at": at, "shape": shape.shape_id} for at, shape in sorted(batch.acknowledged.items())]
        if moves:
            connection.execute(self._move, moves)
        taken = [{"b": key[0], "s": key[1]} for key, count in sorted(batch.counts.items()) if count < 0]
        if taken:
            connection.execute(self._empty, taken)
        return True

    def clear(self, connection: Connection) -> None:
        """Empty the tables, and put the position at the first entry."""
        state = TABLES["projection"]
        connection.execute(update(state).values(position=0, marked=0, generation=state.c.generation + 1))
        for name in ("row", "cube", "bucket", "day", "shape", "asked"):
            connection.execute(delete(TABLES[f"exchange_{name}"]))
