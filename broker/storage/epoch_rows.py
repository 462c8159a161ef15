# SPDX-License-Identifier: EUPL-1.2
"""Epochs and cards on SQLite and PostgreSQL: see `epoch_port.py`.

There is no index by epoch: it is asked once an hour at most, beside the writer, and every push would pay for one.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, or_, select, update

from broker.storage.engines import Engines, session
from broker.storage.epoch_port import CardRow, DestructionRow, EpochRow
from broker.storage.epoch_tables import EPOCH_DATA
from broker.storage.faults import storage_errors
from broker.storage.queries import TABLES
from broker.storage.writes import Step, Writes


class EpochRows:
    """The `EpochStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def all(self) -> Sequence[EpochRow]:
        """Every epoch, in the order of announcement."""
        with session(self._engines.reader) as connection:
            return _epochs(connection)

    def destructions(self) -> Sequence[DestructionRow]:
        """Every statement of destruction, oldest first."""
        table = TABLES["key_destruction"]
        with session(self._engines.reader) as connection:
            rows = connection.execute(select(table).order_by(table.c.log_index))
            return [DestructionRow(**row._asdict()) for row in rows]

    def cards(self, oin: str) -> Sequence[CardRow]:
        """The cards of a participant, oldest first."""
        with session(self._engines.reader) as connection:
            return _cards(connection, oin)

    def in_use(self, epoch: str) -> bool:
        """Whether a pseudonym of the epoch is kept, outside registers."""
        with session(self._engines.reader) as connection:
            for name in EPOCH_DATA:
                table = TABLES[name].c
                found = select(table.epoch).where(table.epoch == epoch, table.pseudonym != b"").limit(1)
                if connection.execute(found).first():
                    return True
        return False

    def sealed_before(self, recipient: str, log_index: int, now_ms: int) -> bool:
        """Whether a signal that was pushed before an entry may still be delivered to the recipient."""
        signal, delivery = TABLES["signal"].c, TABLES["delivery"].c
        waits = exists().where(
            and_(delivery.signal_id == signal.signal_id, delivery.acknowledged_index.is_(None))
        )
        query = (
            select(signal.signal_id)
            .where(signal.recipient == recipient, signal.pushed_index < log_index)
            .where(signal.expires_at_ms > now_ms, or_(signal.delivery == "on_match", waits))
            .limit(1)
        )
        with session(self._engines.reader) as connection:
            return connection.execute(query).first() is not None


class EpochsInTransaction:
    """The `EpochWrites` of the port: reads at once, writes at commit."""

    def __init__(self, connection: Connection, writes: Writes, add: Callable[[Step], None]) -> None:
        self._connection = connection
        self._writes = writes
        self._add = add

    def all(self) -> Sequence[EpochRow]:
        """Every epoch, in the order of announcement."""
        with storage_errors():
            return _epochs(self._connection)

    def destruction(self, evaluator: str, epoch: str) -> DestructionRow | None:
        """An evaluator's statement about an epoch."""
        table = TABLES["key_destruction"]
        query = select(table).where(table.c.evaluator == evaluator, table.c.epoch == epoch)
        with storage_errors():
            row = self._connection.execute(query).first()
        return DestructionRow(**row._asdict()) if row else None

    def cards(self, oin: str) -> Sequence[CardRow]:
        """The cards of a participant, oldest first."""
        with storage_errors():
            return _cards(self._connection, oin)

    def put(self, row: EpochRow) -> None:
        """Add or change an epoch."""
        self._add(self._writes.put("epoch", asdict(row)))

    def clear_registers(self, epoch: str) -> int:
        """Take every register of an epoch out of force and delete what it holds; returns how many were in force."""
        snapshot, entry = TABLES["register_snapshot"], TABLES["register_entry"]
        mine = (snapshot.c.epoch == epoch, snapshot.c.active)
        ids = select(snapshot.c.snapshot_id).where(snapshot.c.epoch == epoch)
        with storage_errors():
            count = len(self._connection.execute(ids.where(snapshot.c.active)).all())
        self._add(Step("register_entry", delete(entry).where(entry.c.snapshot_id.in_(ids)), {}))
        self._add(Step("register_snapshot", update(snapshot).where(*mine).values(active=False), {}))
        return count

    def add_destruction(self, row: DestructionRow) -> None:
        """Keep a statement of destruction."""
        self._add(self._writes.put("key_destruction", asdict(row)))

    def put_card(self, row: CardRow) -> None:
        """Keep an admitted card, or change whether it was revoked."""
        self._add(self._writes.put("party_card", asdict(row)))


def _epochs(connection: Connection) -> list[EpochRow]:
    table = TABLES["epoch"]
    rows: Any = connection.execute(select(table).order_by(table.c.announced_index))
    return [EpochRow(**row._asdict()) for row in rows]


def _cards(connection: Connection, oin: str) -> list[CardRow]:
    table = TABLES["party_card"]
    rows = connection.execute(select(table).where(table.c.oin == oin).order_by(table.c.log_index))
    return [CardRow(**row._asdict()) for row in rows]
