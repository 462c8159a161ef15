# SPDX-License-Identifier: EUPL-1.2
"""The inbox: which signals this kit has taken in, so that a repeated delivery has no second effect."""

from collections.abc import Iterable
from pathlib import Path

from sluis.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS received (
    signal_id BLOB PRIMARY KEY, root BLOB NOT NULL, log_index INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL
);
"""


class Inbox:
    """Ids and roots of received signals in one file."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA, "the inbox")

    def root_of(self, signal_id: bytes) -> bytes | None:
        """The root under which a signal was taken in before, if it was."""
        with self._file.read() as database:
            row = database.execute("SELECT root FROM received WHERE signal_id = ?", (signal_id,)).fetchone()
        return bytes(row[0]) if row else None

    def add(self, rows: Iterable[tuple[bytes, bytes, int, int]]) -> None:
        """Note signals as taken in: signal id, root, log index, expiry. Do this after they are safely kept."""
        with self._file.write() as database:
            database.executemany("INSERT OR IGNORE INTO received VALUES (?, ?, ?, ?)", list(rows))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
