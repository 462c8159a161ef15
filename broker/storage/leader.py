# SPDX-License-Identifier: EUPL-1.2
"""One replica does a task: a named lock that goes when its holder goes.

PostgreSQL: an advisory lock of a connection that is kept for nothing else; the server frees it when that
connection ends. SQLite: a lease row with an end, renewed halfway; its processes share one machine and clock.
"""

import hashlib
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from sqlalchemy import Connection, Engine, delete, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from broker.storage.engines import session
from broker.storage.faults import translate
from broker.storage.queries import TABLES
from sluis.errors import SluisError

LEASE_MS = 10_000
_LEASE = TABLES["lease"]


class Leader(Protocol):
    """Takes and keeps named locks for one store."""

    def try_lead(self, name: str) -> bool:
        """Take or keep the lock. Raises Unavailable; then it is to be taken as lost."""
        ...

    def close(self) -> None:
        """Let go of every lock."""
        ...


def lock_number(name: str) -> int:
    """Give the 64-bit number of a named advisory lock."""
    return int.from_bytes(hashlib.sha256(f"sluis/lock/{name}".encode()).digest()[:8], "big", signed=True)


class AdvisoryLeader:
    """Session-level advisory locks of PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def try_lead(self, name: str) -> bool:
        """See `Leader`."""
        with self._lock:
            try:
                return self._take(name)
            except SQLAlchemyError as error:
                self._drop()
                raise translate(error) from None

    def _take(self, name: str) -> bool:
        if self._connection is None:
            self._connection = self._engine.connect()
        if name in self._held:
            # The lock lives as long as the session, so a session that answers still has it.
            self._connection.execute(text("SELECT 1"))
            return True
        taken = self._connection.execute(
            text("SELECT pg_try_advisory_lock(:number)"), {"number": lock_number(name)}
        ).scalar_one()
        if taken:
            self._held.add(name)
        return bool(taken)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """See `Leader`."""
        with self._lock:
            if self._connection is not None:
                # The server notices a closed connection a little later than the next replica asks.
                with suppress(SQLAlchemyError):
                    self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
            self._drop()


class LeaseLeader:
    """Lease rows, for SQLite."""

    def __init__(self, engine: Engine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._holder = uuid.uuid4().hex
        self._until: dict[str, int] = {}
        self._lock = threading.Lock()

    def try_lead(self, name: str) -> bool:
        """See `Leader`."""
        with self._lock:
            now = self._now_ms()
            left = self._until.get(name, 0) - now
            if LEASE_MS // 2 < left <= LEASE_MS:
                return True
            taken = self._write(name, now)
            if taken:
                self._until[name] = now + LEASE_MS
            else:
                self._until.pop(name, None)
            return taken

    def _write(self, name: str, now: int) -> bool:
        lease = insert(_LEASE).values(name=name, holder=self._holder, expires_at_ms=now + LEASE_MS)
        # An end further off than any lease was written before the clock was set back.
        ours = (_LEASE.c.holder == self._holder) | ~_LEASE.c.expires_at_ms.between(now + 1, now + LEASE_MS)
        statement = lease.on_conflict_do_update(
            index_elements=[_LEASE.c.name],
            set_={"holder": lease.excluded.holder, "expires_at_ms": lease.excluded.expires_at_ms},
            where=ours,
        )
        with session(self._engine, "lease") as connection:
            taken = connection.execute(statement).rowcount == 1
            connection.commit()
            return taken

    def close(self) -> None:
        """See `Leader`."""
        with self._lock:
            if not self._until:
                return
            self._until.clear()
            # If this fails, the lease ends by itself.
            with suppress(SluisError), session(self._engine, "lease") as connection:
                connection.execute(delete(_LEASE).where(_LEASE.c.holder == self._holder))
                connection.commit()
