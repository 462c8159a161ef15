# SPDX-License-Identifier: EUPL-1.2
"""The inbox: which signals this kit has taken in, so that a repeated delivery has no second effect, and which were
taken back, so that one that comes late is not kept after all.

Keeping signals and doing away with copies exclude each other (`exclusive`), also between processes of one participant.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sluis.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS received (
    signal_id BLOB PRIMARY KEY, root BLOB NOT NULL, log_index INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS origin (signal_id BLOB PRIMARY KEY, sender TEXT NOT NULL, previous BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS withdrawn (
    signal_id BLOB PRIMARY KEY, sender TEXT NOT NULL, previous BLOB NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who sent a signal, and from which signal it was passed on (empty: from none); an empty sender: any."""

    sender: str
    previous: bytes


class Inbox:
    """Ids, roots and origins of received signals in one file."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA, "the inbox")
        self._lock = path.with_suffix(".lock")

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold off everybody else who would keep a signal or do away with a copy."""
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            await asyncio.to_thread(fcntl.flock, handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def root_of(self, signal_id: bytes) -> bytes | None:
        """The root under which a signal was taken in before, if it was."""
        with self._file.read() as database:
            row = database.execute("SELECT root FROM received WHERE signal_id = ?", (signal_id,)).fetchone()
        return bytes(row[0]) if row else None

    def origin_of(self, signal_id: bytes) -> Origin | None:
        """Where a signal that was taken in came from."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT sender, previous FROM origin WHERE signal_id = ?", (signal_id,)
            ).fetchone()
        return Origin(row[0], row[1]) if row else None

    def add(self, rows: Iterable[tuple[bytes, bytes, int, int, Origin]]) -> None:
        """Note signals as taken in: id, root, log index, expiry, origin. Do this after they are safely kept."""
        rows = list(rows)
        with self._file.write() as database:
            database.executemany(
                "INSERT OR IGNORE INTO received VALUES (?, ?, ?, ?)", [row[:4] for row in rows]
            )
            database.executemany(
                "INSERT OR IGNORE INTO origin VALUES (?, ?, ?)",
                [(row[0], row[4].sender, row[4].previous) for row in rows],
            )

    def withdraw(self, signal_id: bytes, origin: Origin) -> None:
        """Note that a signal was taken back, so that it is not kept if it comes in later."""
        with self._file.write() as database:
            database.execute(
                "INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?)",
                (signal_id, origin.sender, origin.previous),
            )

    def is_withdrawn(self, signal_id: bytes, origin: Origin) -> bool:
        """Whether a signal of this origin was taken back."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT sender, previous FROM withdrawn WHERE signal_id = ?", (signal_id,)
            ).fetchone()
        return row is not None and row[0] in ("", origin.sender) and row[1] in (b"", origin.previous)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
