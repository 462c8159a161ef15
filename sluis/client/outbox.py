# SPDX-License-Identifier: EUPL-1.2
"""The outbox: what this kit has sealed and sent, so that a crash or a second run repeats no signal.

A signal is known by what it is about (`identity`, kept only as an HMAC). A sealed request is stored before it
is sent, and sent again byte for byte until it is answered: the broker gives a repeated request its first
answer. A permitted signal is never sent twice; a denied one may be offered anew later, as a new signal.
"""

import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sluis.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sent (
    identity BLOB PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, request BLOB NOT NULL,
    answer BLOB, permitted INTEGER, at REAL NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A sealed request that waits for its answer."""

    identity: bytes
    idempotency_key: str
    request: bytes


class Outbox:
    """Sealed requests and their answers in one file."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._file = SqliteFile(path, _SCHEMA, "the outbox")
        self._key = hmac.digest(key, b"sluis/v1/outbox", "sha256")

    def identity(self, data: bytes) -> bytes:
        """Hide what a signal is about behind an HMAC."""
        return hmac.digest(self._key, data, "sha256")

    def lookup(self, identities: Iterable[bytes]) -> dict[bytes, tuple[Parcel, bytes | None, bool]]:
        """What is known of these signals: the parcel, its answer if any, and whether it was permitted."""
        found = {}
        with self._file.read() as database:
            for identity in identities:
                row = database.execute(
                    "SELECT idempotency_key, request, answer, permitted FROM sent WHERE identity = ?",
                    (identity,),
                ).fetchone()
                if row is not None:
                    parcel = Parcel(identity=identity, idempotency_key=row[0], request=row[1])
                    found[identity] = (parcel, row[2], bool(row[3]))
        return found

    def sent(self, idempotency_key: str) -> bytes | None:
        """The request that was sent under a key, once it was permitted."""
        with self._file.read() as database:
            row = database.execute(
                "SELECT request FROM sent WHERE idempotency_key = ? AND permitted", (idempotency_key,)
            ).fetchone()
        return bytes(row[0]) if row else None

    def put(self, parcels: Iterable[Parcel]) -> None:
        """Store parcels before they are sent; one that was denied before is replaced."""
        with self._file.write() as database:
            database.executemany(
                "INSERT OR REPLACE INTO sent VALUES (?, ?, ?, NULL, NULL, ?)",
                [(p.identity, p.idempotency_key, p.request, time.time()) for p in parcels],
            )

    def answered(self, rows: Iterable[tuple[bytes, bytes, bool]]) -> None:
        """Store answers: identity, answer, permitted."""
        with self._file.write() as database:
            database.executemany(
                "UPDATE sent SET answer = ?, permitted = ? WHERE identity = ?",
                [(answer, permitted, identity) for identity, answer, permitted in rows],
            )

    def forget(self, identities: Iterable[bytes]) -> None:
        """Take out parcels that were refused as no exchange, so that they are sealed anew."""
        with self._file.write() as database:
            database.executemany(
                "DELETE FROM sent WHERE identity = ? AND answer IS NULL", [(one,) for one in identities]
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()
