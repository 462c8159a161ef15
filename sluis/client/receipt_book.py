# SPDX-License-Identifier: EUPL-1.2
"""The file in which a kit keeps its receipts, and the newest signed checkpoint of each log with its signatures.

A receipt is kept when its signature was checked, before the answer to it has any effect here, so that a crash
loses none: what was not kept was not noted as answered either, and comes again.
"""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

from sluis.client.accusation import Accusations
from sluis.errors import InvalidInput
from sluis.receipt import Receipt
from sluis.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS receipt (
    origin TEXT NOT NULL, log_index INTEGER NOT NULL, leaf_hash BLOB NOT NULL, signature BLOB NOT NULL,
    kept_at REAL NOT NULL, state TEXT NOT NULL, tree_size INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (origin, log_index, leaf_hash)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipt_open ON receipt (log_index) WHERE state = 'open';
CREATE TABLE IF NOT EXISTS note (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL);
"""
_KEY = "origin = ? AND log_index = ? AND leaf_hash = ?"


class ReceiptBook:
    """Receipts by log, index and leaf, in a kit's state folder; any thread may call it."""

    def __init__(self, folder: Path) -> None:
        self._file = SqliteFile(folder / "receipts.sqlite", _SCHEMA, "the book of receipts")
        self.accusations = Accusations(folder / "evidence")
        self._new: list[Receipt] = []
        self._lock = threading.Lock()

    def add(self, receipt: Receipt) -> None:
        """Take a checked receipt in; it is on disk after `flush`."""
        with self._lock:
            self._new.append(receipt)

    def flush(self) -> None:
        """Write what was taken in. Do this before the answers that they came with have an effect."""
        with self._lock:
            new, self._new = self._new, []
        if new:
            now = time.time()
            with self._file.write() as database:
                database.executemany(
                    "INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, ?, ?, 'open', 0)",
                    [(r.log_origin, r.log_index, r.leaf_hash, r.signature, now) for r in new],
                )

    def open_receipts(self, origin: str, limit: int) -> tuple[list[Receipt], list[int]]:
        """Receipts of a log that are not proven yet, by index; and the indexes of rows that are no receipts.

        Those rows are marked as damaged.
        """
        with self._file.read() as database:
            rows = database.execute(
                "SELECT origin, log_index, leaf_hash, signature FROM receipt"
                " WHERE state = 'open' AND origin = ? ORDER BY log_index LIMIT ?",
                (origin, limit),
            ).fetchall()
        receipts, damaged = [], []
        for row in rows:
            try:
                receipts.append(
                    Receipt(log_origin=row[0], log_index=row[1], leaf_hash=row[2], signature=row[3])
                )
            except (InvalidInput, TypeError, AttributeError):
                damaged.append(tuple(row[:3]))
        if damaged:
            with self._file.write() as database:
                database.executemany(f"UPDATE receipt SET state = 'damaged' WHERE {_KEY}", damaged)  # noqa: S608  our own words
        return receipts, [int(row[1]) if isinstance(row[1], int) else -1 for row in damaged]

    def foreign(self, origin: str) -> int:
        """How many are of another log, and not proven."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT count(*) FROM receipt WHERE state = 'open' AND origin <> ?", (origin,)
            ).fetchone()
        return int(row[0])

    def open_since(self, origin: str) -> dict[float, int]:
        """How many of a log are not proven yet, by the time at which they were kept."""
        with self._file.read() as database:
            rows = database.execute(
                "SELECT kept_at, count(*) FROM receipt WHERE state = 'open' AND origin = ? GROUP BY kept_at",
                (origin,),
            ).fetchall()
        return {float(row[0]): int(row[1]) for row in rows}

    def counts(self) -> dict[str, int]:
        """How many there are in each state: open, proven, broken, damaged."""
        with self._file.read() as database:
            rows = database.execute("SELECT state, count(*) FROM receipt GROUP BY state").fetchall()
        return {str(row[0]): int(row[1]) for row in rows}

    def indexes(self, state: str) -> list[int]:
        """The log indexes of receipts in a state."""
        with self._file.read() as database:
            rows = database.execute(
                "SELECT log_index FROM receipt WHERE state = ? ORDER BY log_index", (state,)
            ).fetchall()
        return [int(row[0]) for row in rows]

    def mark(self, receipts: Iterable[Receipt], state: str, tree_size: int = 0) -> None:
        """Note what became of receipts."""
        rows = [(state, tree_size, r.log_origin, r.log_index, r.leaf_hash) for r in receipts]
        if rows:
            with self._file.write() as database:
                database.executemany(f"UPDATE receipt SET state = ?, tree_size = ? WHERE {_KEY}", rows)  # noqa: S608  our own words

    def note(self, origin: str) -> str:
        """The newest signed checkpoint of a log that was verified here; empty when there is none."""
        with self._file.read() as database:
            row = database.execute("SELECT note FROM note WHERE origin = ?", (origin,)).fetchone()
        return str(row[0]) if row else ""

    def set_note(self, origin: str, size: int, note: str) -> None:
        """Keep a verified checkpoint in place of an older one."""
        with self._file.write() as database:
            database.execute("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", (origin, size, note))

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.flush()
        self._file.close()
