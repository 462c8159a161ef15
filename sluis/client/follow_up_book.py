# SPDX-License-Identifier: EUPL-1.2
"""What a kit said and heard about signals: one file, written before anything is sent or acknowledged.

`said` holds each request byte for byte, so that a crash or a second run repeats no follow-up: the broker gives a
repeated request its first answer. `heard` holds each follow-up that came in, with what was done with the copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluis.followup import FollowUp, SignedFollowUp
from sluis.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS said (
    identity BLOB PRIMARY KEY, follow_up_id BLOB NOT NULL, request BLOB NOT NULL, answer BLOB
);
CREATE TABLE IF NOT EXISTS heard (
    follow_up_id BLOB NOT NULL, signal_id BLOB NOT NULL, log_index INTEGER NOT NULL,
    statement BLOB NOT NULL, signature BLOB NOT NULL, done TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (follow_up_id, signal_id)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A follow-up that came in; `signal_id` is the own signal that it is about, `done` what was done with its copy."""

    log_index: int
    signal_id: bytes
    signed: SignedFollowUp
    done: str = ""

    @property
    def statement(self) -> FollowUp:
        """What was said."""
        return self.signed.statement


class FollowUpBook:
    """Follow-ups in one file."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA, "the book of follow-ups")

    def said(self, identity: bytes) -> tuple[bytes, bytes | None] | None:
        """A request that was made before, and its answer if there is one."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT request, answer FROM said WHERE identity = ?", (identity,)
            ).fetchone()
        return (row[0], row[1]) if row else None

    def say(self, identity: bytes, statement: FollowUp, request: bytes) -> None:
        """Keep a request before it is sent."""
        with self._file.write() as database:
            database.execute(
                "INSERT OR IGNORE INTO said VALUES (?, ?, ?, NULL)",
                (identity, statement.follow_up_id.bytes, request),
            )

    def answered(self, identity: bytes, answer: bytes) -> None:
        """Keep the answer to a request."""
        with self._file.write() as database:
            database.execute("UPDATE said SET answer = ? WHERE identity = ?", (answer, identity))

    def forget(self, identity: bytes) -> None:
        """Take out a request that had no effect and never will have."""
        with self._file.write() as database:
            database.execute("DELETE FROM said WHERE identity = ? AND answer IS NULL", (identity,))

    def every_request(self) -> list[bytes]:
        """Every request that was made."""
        with self._file.read() as database:
            return [bytes(row[0]) for row in database.execute("SELECT request FROM said").fetchall()]

    def hear(self, heard: Heard) -> None:
        """Keep a follow-up; one that was kept before stays as it is."""
        signed = heard.signed
        values = (
            signed.statement.follow_up_id.bytes,
            heard.signal_id,
            heard.log_index,
            signed.statement.encode(),
            signed.signature,
        )
        with self._file.write() as database:
            database.execute("INSERT OR IGNORE INTO heard VALUES (?, ?, ?, ?, ?, '')", values)

    def done(self, follow_up_id: bytes, signal_id: bytes) -> str:
        """What was done with a copy; empty when nothing was yet."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT done FROM heard WHERE follow_up_id = ? AND signal_id = ?", (follow_up_id, signal_id)
            ).fetchone()
        return str(row[0]) if row else ""

    def do(self, follow_up_id: bytes, signal_id: bytes, word: str) -> None:
        """Note what was done with a copy; the first time counts."""
        with self._file.write() as database:
            database.execute(
                "UPDATE heard SET done = ? WHERE follow_up_id = ? AND signal_id = ? AND done = ''",
                (word, follow_up_id, signal_id),
            )

    def history(self, follow_up_id: bytes | None = None) -> Sequence[Heard]:
        """What came in, oldest first; of one follow-up when it is named."""
        query = "SELECT signal_id, log_index, statement, signature, done FROM heard"
        query += " WHERE follow_up_id = ?" if follow_up_id else ""
        with self._file.read() as database:
            rows = database.execute(
                f"{query} ORDER BY log_index", (follow_up_id,) if follow_up_id else ()
            ).fetchall()
        return [
            Heard(
                signal_id=row[0],
                log_index=row[1],
                signed=SignedFollowUp(statement=FollowUp.decode(row[2]), signature=row[3]),
                done=row[4],
            )
            for row in rows
        ]

    def close(self) -> None:
        """Close the file."""
        self._file.close()
