# SPDX-License-Identifier: EUPL-1.2
"""What a kit remembers between runs: pins of evaluators' keys, epochs, which entries were proven, the newest
checkpoint of each log, and how far an audit of a log has come.

A key that differs from its pin, or a log that does not continue what was seen, is refused.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sluis.errors import NotAuthentic
from sluis.identifiers import Oin
from sluis.log_verifier import Position
from sluis.merkle import HASH_SIZE, CompactRange, Hash
from sluis.pseudonyms import PseudonymisationDomain
from sluis.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pin (
    evaluator TEXT NOT NULL, info BLOB NOT NULL, public BLOB NOT NULL, PRIMARY KEY (evaluator, info)
);
CREATE TABLE IF NOT EXISTS checkpoint (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS audit (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, nodes BLOB NOT NULL, time TEXT NOT NULL,
    suspect INTEGER, counts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS proven (
    origin TEXT NOT NULL, log_index INTEGER NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY (origin, log_index)
);
CREATE TABLE IF NOT EXISTS epoch (
    name TEXT PRIMARY KEY, announced_index INTEGER NOT NULL, begins_at_ms INTEGER NOT NULL,
    compromised INTEGER NOT NULL, retired INTEGER NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedAudit:
    """An audit that was interrupted: its position, an entry whose proof did not hold, and what it counted."""

    position: Position
    suspect: int | None
    operations: Mapping[str, int]
    decisions: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEpoch:
    """What the broker showed of an epoch before, and may not take back."""

    name: str
    announced_index: int
    begins_at_ms: int
    compromised: bool
    retired: bool


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

    def forget_pins(self, epoch: str) -> None:
        """Delete the pins of an epoch that has ended."""
        with self._file.write() as database:
            rows = database.execute("SELECT DISTINCT info FROM pin").fetchall()
            old = [row for row in rows if PseudonymisationDomain.from_info(bytes(row[0])).epoch == epoch]
            database.executemany("DELETE FROM pin WHERE info = ?", old)

    def is_proven(self, origin: str, log_index: int, leaf: Hash) -> bool:
        """Whether this entry was proven before to stand in the log."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT leaf FROM proven WHERE origin = ? AND log_index = ?", (origin, log_index)
            ).fetchone()
        return row is not None and bytes(row[0]) == leaf

    def set_proven(self, origin: str, log_index: int, leaf: Hash) -> None:
        """Remember that an entry stands in the log."""
        with self._file.write() as database:
            database.execute("INSERT OR REPLACE INTO proven VALUES (?, ?, ?)", (origin, log_index, leaf))

    def epochs(self) -> list[SeenEpoch]:
        """The epochs that were shown before, in the order of announcement."""
        with self._file.read() as database:
            rows = database.execute("SELECT * FROM epoch ORDER BY announced_index").fetchall()
        return [
            SeenEpoch(
                name=row[0],
                announced_index=row[1],
                begins_at_ms=row[2],
                compromised=bool(row[3]),
                retired=bool(row[4]),
            )
            for row in rows
        ]

    def keep_epochs(self, epochs: Iterable[SeenEpoch]) -> None:
        """Remember what was shown now."""
        rows = [(e.name, e.announced_index, e.begins_at_ms, e.compromised, e.retired) for e in epochs]
        with self._file.write() as database:
            database.executemany("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?, ?, ?)", rows)

    def checkpoint(self, origin: str) -> tuple[int, Hash] | None:
        """Size and root of the newest checkpoint seen of a log."""
        with self._file.read() as database:
            row = database.execute("SELECT size, root FROM checkpoint WHERE origin = ?", (origin,)).fetchone()
        return (int(row[0]), Hash(bytes(row[1]))) if row else None

    def set_checkpoint(self, origin: str, size: int, root: Hash) -> None:
        """Remember the newest checkpoint of a log."""
        with self._file.write() as database:
            database.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", (origin, size, root))

    def audit(self, origin: str) -> UnfinishedAudit | None:
        """The audit of a log that was not finished, if any."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT size, nodes, time, suspect, counts FROM audit WHERE origin = ?", (origin,)
            ).fetchone()
        if row is None:
            return None
        size, nodes, time, suspect, counts = row
        hashes = tuple(Hash(bytes(nodes[at : at + HASH_SIZE])) for at in range(0, len(nodes), HASH_SIZE))
        operations, decisions = json.loads(counts)
        return UnfinishedAudit(
            position=Position(tree=CompactRange(size=size, nodes=hashes), time=time),
            suspect=suspect,
            operations=operations,
            decisions=decisions,
        )

    def keep_audit(self, origin: str, audit: UnfinishedAudit) -> None:
        """Remember how far an audit has come."""
        tree = audit.position.tree
        values = (
            origin,
            tree.size,
            b"".join(tree.nodes),
            audit.position.time,
            audit.suspect,
            json.dumps([dict(audit.operations), dict(audit.decisions)]),
        )
        with self._file.write() as database:
            database.execute("INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?)", values)

    def forget_audit(self, origin: str) -> None:
        """Forget an audit that is done, or is to begin again."""
        with self._file.write() as database:
            database.execute("DELETE FROM audit WHERE origin = ?", (origin,))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
