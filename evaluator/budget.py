# SPDX-License-Identifier: EUPL-1.2
"""An evaluator's budget: how many elements each caller may still have evaluated today, per domain.

There are only some 90 million valid BSNs, so whoever could ask without end would know them all:
this limit, kept by each evaluator on its own, is what stands against that (design, section 5).

    spent(day, caller, domain info) += number of elements         durable before anything is evaluated

A day is a UTC date and never goes backwards: a clock set back gives no budget back. A clock that ran
ahead therefore holds the later day until it is reached; the refusal says which day is counted.
Nothing is kept of the elements themselves.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sluis.errors import InvalidInput, NotPermitted
from sluis.identifiers import Oin
from sluis.sqlite_file import SqliteFile

_MOST: Final = (1 << 63) - 1  # SQLite's integers
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS spent (
        day TEXT NOT NULL, caller TEXT NOT NULL, info BLOB NOT NULL, elements INTEGER NOT NULL,
        PRIMARY KEY (day, caller, info)
    ) WITHOUT ROWID;
"""


def system_clock() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


class Budget:
    """What was spent, in one SQLite file; threads take turns."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = system_clock) -> None:
        """Open or create the file; Unavailable when that fails. `clock` gives aware times."""
        self._clock = clock
        self._file = SqliteFile(path, _SCHEMA, "the evaluator's budget")

    def charge(self, caller: Oin, infos: Sequence[bytes], elements: int, *, limit: int) -> int:
        """Charge elements to each of these domains, all or none; call this before evaluating.

        `limit` is the caller's budget per domain and day. Returns what is left in the scarcest domain.
        Raises NotPermitted `budget-spent`, Unavailable when it cannot be written: then nothing is answered.
        """
        if not infos or len(set(infos)) != len(infos):
            raise InvalidInput("malformed-request", "a request names each domain once, and one at least")
        if not 0 < elements <= _MOST:
            raise InvalidInput("malformed-request", "a request has one element at least")
        left = limit
        with self._file.write() as database:
            day = self._day(database.execute("SELECT max(day) FROM spent").fetchone()[0])
            for info in infos:
                place = (day, caller, info)
                row = database.execute(
                    "SELECT elements FROM spent WHERE day = ? AND caller = ? AND info = ?", place
                ).fetchone()
                total = (row[0] if row else 0) + elements
                if total > min(limit, _MOST):
                    raise NotPermitted("budget-spent", f"the budget of pseudonyms for {day} is spent")
                database.execute("INSERT OR REPLACE INTO spent VALUES (?, ?, ?, ?)", (*place, total))
                left = min(left, limit - total)
        return left

    def spent(self, caller: Oin, info: bytes) -> int:
        """Return how many elements were charged to this domain on the day that counts now."""
        with self._file.read() as database:
            day = self._day(database.execute("SELECT max(day) FROM spent").fetchone()[0])
            row = database.execute(
                "SELECT elements FROM spent WHERE day = ? AND caller = ? AND info = ?", (day, caller, info)
            ).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _day(self, newest: str | None) -> str:
        today = self._clock().astimezone(UTC).date().isoformat()
        return max(today, newest or today)
