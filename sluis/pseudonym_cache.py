# SPDX-License-Identifier: EUPL-1.2
"""The kit's own store of the pseudonyms it computed, so that a client base is evaluated once per epoch.

    row key = HMAC-SHA256(k1, lp(domain info, identifier input))
    row     = nonce (12) || AES-256-GCM(k2, nonce, pseudonym, AAD = lp("sluis/v1/cache", epoch, row key))
    k1, k2  = HMAC-SHA256(key, "sluis/v1/cache-row-key"), HMAC-SHA256(key, "sluis/v1/cache-value")

    list    = one row for many: key HMAC-SHA256(k1, lp("sluis/v1/cache-list", domain info, SHA-256 of identifiers))

A client base that did not change since the last time is read in a moment, as lists. One SQLite file, mode 0600.
Without the key it shows how many pseudonyms there are per epoch, no more. It may be deleted: what is missing is
computed again, at the cost of budget.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluis.encoding import lp
from sluis.errors import InvalidInput, NotAuthentic
from sluis.identifiers import Identifier
from sluis.pseudonyms import PSEUDONYM_SIZE, Pseudonym, PseudonymisationDomain, check_epoch, check_pseudonym
from sluis.sqlite_file import SqliteFile

KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12
_LABEL: Final = b"sluis/v1/cache"
_CHECK: Final = b"sluis/v1/cache-check"  # the row that tells a wrong key at once
_CHUNK: Final = 500  # bound variables per query
_LIST_SECONDS: Final = 40 * 24 * 3600  # lists of a client base that changed since go after that
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS pseudonyms (
        row_key BLOB PRIMARY KEY, epoch TEXT NOT NULL, sealed BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS pseudonyms_epoch ON pseudonyms (epoch);
    CREATE TABLE IF NOT EXISTS lists (
        row_key BLOB PRIMARY KEY, epoch TEXT NOT NULL, sealed BLOB NOT NULL, kept_at INTEGER NOT NULL
    );
"""


def _wrong() -> NotAuthentic:
    return NotAuthentic(
        "ciphertext-wrong",
        "the pseudonym cache does not open with this key, or was damaged; it may be deleted",
    )


class PseudonymCache:
    """Pseudonyms by domain and identifier, encrypted; threads take turns."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or create the file.

        Raises NotAuthentic for another key, Conflict when others may read it, Unavailable when unreadable.
        """
        if len(key) != KEY_SIZE:
            raise InvalidInput("malformed-config", "the key of the pseudonym cache has 32 bytes")
        self._row_key = hmac.digest(key, b"sluis/v1/cache-row-key", "sha256")
        self._aead = AESGCM(hmac.digest(key, b"sluis/v1/cache-value", "sha256"))
        self._file = SqliteFile(path, _SCHEMA, "the pseudonym cache")
        try:
            self._check_key()
        except BaseException:
            self._file.close()
            raise

    def get_many(
        self, domain: PseudonymisationDomain, identifiers: Sequence[Identifier]
    ) -> list[Pseudonym | None]:
        """Return the pseudonym of each identifier, None where there is none.

        Raises NotAuthentic `ciphertext-wrong` for a row that was changed.
        """
        keys = self._keys(domain, identifiers)
        found: dict[bytes, object] = {}
        with self._file.read() as database:
            for start in range(0, len(keys), _CHUNK):
                chunk = keys[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT row_key, sealed FROM pseudonyms WHERE row_key IN ({marks})"  # noqa: S608 only `?`
                found.update(database.execute(query, chunk))
        return [self._open(domain.epoch, key, found[key]) if key in found else None for key in keys]

    def put_many(self, domain: PseudonymisationDomain, pseudonyms: Mapping[Identifier, Pseudonym]) -> None:
        """Store pseudonyms, all or none."""
        keys = self._keys(domain, list(pseudonyms))
        rows = [
            (key, domain.epoch, self._seal(domain.epoch, key, check_pseudonym(pseudonym)))
            for key, pseudonym in zip(keys, pseudonyms.values(), strict=True)
        ]
        with self._file.write() as database:
            database.executemany("INSERT OR REPLACE INTO pseudonyms VALUES (?, ?, ?)", rows)

    def get_list(self, domain: PseudonymisationDomain, identifiers: Sequence[Identifier]) -> bytes | None:
        """The pseudonyms of a list that was kept as a whole, one after another; None when it was not.

        Raises NotAuthentic `ciphertext-wrong` for a row that was changed.
        """
        key = self._list_key(domain, identifiers)
        with self._file.read() as database:
            row = database.execute("SELECT sealed FROM lists WHERE row_key = ?", (key,)).fetchone()
        if row is None:
            return None
        pseudonyms = self._unseal(domain.epoch, key, row[0])
        if len(pseudonyms) != PSEUDONYM_SIZE * len(identifiers):
            raise _wrong()
        return pseudonyms

    def put_list(
        self, domain: PseudonymisationDomain, identifiers: Sequence[Identifier], pseudonyms: bytes
    ) -> None:
        """Keep the pseudonyms of a list as a whole, and drop lists of long ago."""
        key, now = self._list_key(domain, identifiers), int(time.time())
        sealed = self._seal(domain.epoch, key, pseudonyms)
        with self._file.write() as database:
            database.execute("DELETE FROM lists WHERE kept_at < ?", (now - _LIST_SECONDS,))
            database.execute(
                "INSERT OR REPLACE INTO lists VALUES (?, ?, ?, ?)", (key, domain.epoch, sealed, now)
            )

    def forget_epoch(self, epoch: str) -> int:
        """Delete an epoch's pseudonyms in every domain; return how many."""
        check_epoch(epoch)
        with self._file.write() as database:
            database.execute("DELETE FROM lists WHERE epoch = ?", (epoch,))
            return database.execute("DELETE FROM pseudonyms WHERE epoch = ?", (epoch,)).rowcount

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "PseudonymCache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keys(self, domain: PseudonymisationDomain, identifiers: Sequence[Identifier]) -> list[bytes]:
        info = domain.info()
        return [hmac.digest(self._row_key, lp(info, one.oprf_input()), "sha256") for one in identifiers]

    def _list_key(self, domain: PseudonymisationDomain, identifiers: Sequence[Identifier]) -> bytes:
        # Neither a type nor a value holds a colon or a line break.
        text = "\n".join([f"{one.type.value}:{one.value}" for one in identifiers])
        listed = hashlib.sha256(text.encode()).digest()
        return hmac.digest(self._row_key, lp("sluis/v1/cache-list", domain.info(), listed), "sha256")

    def _seal(self, epoch: str, row_key: bytes, value: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_SIZE)
        return nonce + self._aead.encrypt(nonce, value, lp(_LABEL, epoch, row_key))

    def _open(self, epoch: str, row_key: bytes, sealed: object) -> Pseudonym:
        try:
            return check_pseudonym(self._unseal(epoch, row_key, sealed))
        except InvalidInput:
            raise _wrong() from None

    def _unseal(self, epoch: str, row_key: bytes, sealed: object) -> bytes:
        if not isinstance(sealed, bytes):
            raise _wrong()
        nonce, ciphertext = sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:]
        try:
            return self._aead.decrypt(nonce, ciphertext, lp(_LABEL, epoch, row_key))
        except (InvalidTag, ValueError):
            raise _wrong() from None

    def _check_key(self) -> None:
        with self._file.write() as database:
            row = database.execute(
                "SELECT sealed FROM pseudonyms ORDER BY row_key = ? DESC LIMIT 1", (_CHECK,)
            ).fetchone()
            if row is None:
                sealed = self._seal("", _CHECK, bytes(PSEUDONYM_SIZE))
                database.execute("INSERT INTO pseudonyms VALUES (?, '', ?)", (_CHECK, sealed))
            else:
                # Where the check row was taken away this is another row, which does not open as the check.
                self._open("", _CHECK, row[0])
