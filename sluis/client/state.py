# SPDX-License-Identifier: EUPL-1.2
"""What a kit remembers between runs: pins of evaluators' keys, and the newest checkpoint of each log.

A key that differs from its pin, or a log that does not continue what was seen, is refused.
"""

from pathlib import Path

from sluis.errors import NotAuthentic
from sluis.identifiers import Oin
from sluis.merkle import Hash
from sluis.pseudonyms import PseudonymisationDomain
from sluis.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pin (
    evaluator TEXT NOT NULL, info BLOB NOT NULL, public BLOB NOT NULL, PRIMARY KEY (evaluator, info)
);
CREATE TABLE IF NOT EXISTS checkpoint (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);
"""


class KitState:
    """Pins and checkpoints in one file."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _SCHEMA, "the kit's state")

    def pin(self, evaluator: Oin, domain: PseudonymisationDomain, public: bytes) -> None:
        """Pin a key the first time. Raises NotAuthentic `key-changed` when it differs later."""
        with self._file.write() as database:
            row = database.execute(
                "SELECT public FROM pin WHERE evaluator = ? AND info = ?", (evaluator, domain.info())
            ).fetchone()
            if row is not None and row[0] != public:
                raise NotAuthentic("key-changed", "an evaluator's key differs from the one pinned before")
            if row is None:
                database.execute("INSERT INTO pin VALUES (?, ?, ?)", (evaluator, domain.info(), public))

    def pinned(self, evaluator: Oin, domain: PseudonymisationDomain) -> bytes | None:
        """The pinned key, if any."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT public FROM pin WHERE evaluator = ? AND info = ?", (evaluator, domain.info())
            ).fetchone()
        return bytes(row[0]) if row else None

    def checkpoint(self, origin: str) -> tuple[int, Hash] | None:
        """Size and root of the newest checkpoint seen of a log."""
        with self._file.read() as database:
            row = database.execute("SELECT size, root FROM checkpoint WHERE origin = ?", (origin,)).fetchone()
        return (int(row[0]), Hash(bytes(row[1]))) if row else None

    def set_checkpoint(self, origin: str, size: int, root: Hash) -> None:
        """Remember the newest checkpoint of a log."""
        with self._file.write() as database:
            database.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", (origin, size, root))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
