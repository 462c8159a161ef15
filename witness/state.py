# SPDX-License-Identifier: EUPL-1.2
"""What a witness remembers: for each log the newest checkpoint that it cosigned, and nothing else.

Size and root decide; the signed note beside them is for whoever asks what was cosigned.

One SQLite row per origin, written to disk before the cosignature leaves (WAL, synchronous=FULL). `advance` is
one compare-and-set: it succeeds only from the state against which consistency was checked, so that of two
requests at once, in any number of threads or processes, the slower one loses and nothing rolls back.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sluis.checkpoint import Checkpoint
from sluis.errors import Unavailable
from sluis.merkle import EMPTY_ROOT, HASH_SIZE, Hash
from sluis.sqlite_file import SqliteFile

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cosigned_note (
    origin TEXT PRIMARY KEY,
    note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """The newest cosigned tree of a log."""

    size: int
    root: Hash


NOTHING: Final = Cosigned(size=0, root=EMPTY_ROOT)
"""The state for a log that was never cosigned."""


class WitnessState:
    """An open state file. Every method may be called from any thread; Unavailable `storage-unavailable`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA, "the witness's state file")

    def newest(self, origin: str) -> Cosigned:
        """Return the newest cosigned tree of a log, `NOTHING` when there is none."""
        with self._file.read() as connection:
            row = connection.execute("SELECT size, root FROM cosigned WHERE origin = ?", (origin,)).fetchone()
        if row is None:
            return NOTHING
        size, root = row
        if type(size) is not int or type(root) is not bytes or len(root) != HASH_SIZE:
            raise Unavailable("storage-unavailable", "the witness's state file is damaged")
        return Cosigned(size=size, root=Hash(root))

    def note(self, origin: str) -> str:
        """Return the newest cosigned checkpoint as it was signed; empty when there is none."""
        with self._file.read() as connection:
            row = connection.execute("SELECT note FROM cosigned_note WHERE origin = ?", (origin,)).fetchone()
        return str(row[0]) if row else ""

    def advance(self, checkpoint: Checkpoint, expected: Cosigned, note: str = "") -> bool:
        """Record a checkpoint, durably, if the log's state is still `expected`; says whether it was.

        `note` is what `note` gives back: the checkpoint with the log's and our signatures.
        """
        new = (checkpoint.size, checkpoint.root)
        with self._file.write() as connection:
            done = connection.execute(
                "UPDATE cosigned SET size = ?, root = ? WHERE origin = ? AND size = ? AND root = ?",
                (*new, checkpoint.origin, expected.size, expected.root),
            ).rowcount
            if not done and expected == NOTHING:
                done = connection.execute(
                    "INSERT INTO cosigned (size, root, origin) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (*new, checkpoint.origin),
                ).rowcount
            if done:
                connection.execute(
                    "INSERT OR REPLACE INTO cosigned_note VALUES (?, ?)", (checkpoint.origin, note)
                )
        return done == 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()
