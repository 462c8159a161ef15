# SPDX-License-Identifier: EUPL-1.2
"""How far a long question has come, so that one that was broken off goes on where it was.

A run has a secret of its own, from which the idempotency key of each frame follows together with what the frame
asks. So a frame that was sent, and whose answer never arrived, is sent again under the same key and gets the same
answer; one that was answered is not sent again. A new run of the same question has other keys.

    key = "match-" || hex(HMAC-SHA256(secret of the run, lp(epoch, u64(digest index), pseudonyms)))[0:32]
"""

import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sluis.client.client_base import Frame
from sluis.encoding import u32
from sluis.sqlite_file import SqliteFile

KEEP_SECONDS = 24 * 3600.0  # an answer of longer ago is no answer for today
_SECRET_SIZE = 32
_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (question BLOB PRIMARY KEY, secret BLOB NOT NULL, began_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS answered (
    question BLOB NOT NULL, key TEXT NOT NULL, hits BLOB NOT NULL,
    PRIMARY KEY (question, key)
) WITHOUT ROWID;
"""


@dataclass(slots=True, kw_only=True)
class Run:
    """A question under way. `answered` holds the positions of the hits of each frame that is done, by key."""

    question: bytes
    secret: bytes = field(repr=False)
    answered: dict[str, Sequence[int]]
    resumed: bool

    def key(self, frame: Frame) -> str:
        """The idempotency key of a frame."""
        return f"match-{hmac.digest(self.secret, frame.content(), 'sha256')[:16].hex()}"


class MatchRuns:
    """Unfinished runs in one file."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(folder / "match.sqlite", _SCHEMA, "the file of unfinished questions")
        self._clock = clock

    def begin(self, question: bytes, *, anew: bool = False) -> Run:
        """Go on with the unfinished run of a question, or begin one; `anew` forgets the unfinished one."""
        now = self._clock()
        with self._file.write() as database:
            row = database.execute(
                "SELECT secret, began_at FROM run WHERE question = ?", (question,)
            ).fetchone()
            if row is not None and not anew and 0 <= now - row[1] < KEEP_SECONDS:
                rows = database.execute("SELECT key, hits FROM answered WHERE question = ?", (question,))
                answered: dict[str, Sequence[int]] = {str(key): _positions(bytes(hits)) for key, hits in rows}
                return Run(question=question, secret=bytes(row[0]), answered=answered, resumed=True)
            secret = secrets.token_bytes(_SECRET_SIZE)
            database.execute("DELETE FROM answered WHERE question = ?", (question,))
            database.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (question, secret, now))
        return Run(question=question, secret=secret, answered={}, resumed=False)

    def note(self, run: Run, key: str, hits: Sequence[int] = ()) -> None:
        """Note that a frame was answered, and that its hits are safely kept."""
        run.answered[key] = hits
        data = b"".join(u32(position) for position in hits)
        with self._file.write() as database:
            database.execute("INSERT OR REPLACE INTO answered VALUES (?, ?, ?)", (run.question, key, data))

    def finish(self, run: Run) -> None:
        """Forget a run that is done."""
        with self._file.write() as database:
            database.execute("DELETE FROM answered WHERE question = ?", (run.question,))
            database.execute("DELETE FROM run WHERE question = ?", (run.question,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _positions(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]
