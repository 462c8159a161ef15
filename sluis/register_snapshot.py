# SPDX-License-Identifier: EUPL-1.2
"""A register of pseudonyms with dates, signed as a whole by its owner.

    header    = lp("sluis/v1/register", agreement, register_name, owner_oin, recipient_oin, epoch,
                   u64 created_at_ms, u64 entry_count)
    digest    = H(E_1 || ... || E_n)   E = lp(pseudonym(16), valid_from, valid_until), sorted by its parts
    signature = Ed25519(owner, lp("sluis/v1/register-signature", header, digest))

`recipient_oin` is the party in whose pseudonymisation domain the entries stand. Dates are ISO 8601
(`2026-07-01`), inclusive; an open end is the empty text. The order in which entries arrive does not matter.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Self

from sluis.encoding import Reader, lp, u64
from sluis.errors import InvalidInput
from sluis.header import MAX_TIME_MS, PSEUDONYM_SIZE, check_epoch, check_term, parse_oin
from sluis.identifiers import Oin
from sluis.signing import SigningKey, VerifyKey

LABEL = "sluis/v1/register"
MAX_ENTRIES = 10_000_000
WATCH = "watch."

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotHeader:
    """Which register this is, of whom, in whose domain."""

    agreement: str
    register_name: str
    owner: Oin
    recipient: Oin
    epoch: str
    created_at_ms: int
    entry_count: int

    def __post_init__(self) -> None:
        check_term("agreement", self.agreement)
        check_term("register_name", self.register_name)
        check_epoch(self.epoch)
        if not 0 <= self.created_at_ms <= MAX_TIME_MS:
            raise InvalidInput("malformed-request", "the time of creation is out of range")
        if not 0 <= self.entry_count <= MAX_ENTRIES:
            raise InvalidInput("malformed-request", f"a register has at most {MAX_ENTRIES} entries")

    def encode(self) -> bytes:
        """Write the canonical bytes."""
        return lp(
            LABEL,
            self.agreement,
            self.register_name,
            self.owner,
            self.recipient,
            self.epoch,
            u64(self.created_at_ms),
            u64(self.entry_count),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read canonical bytes. Raises InvalidInput `malformed-encoding` or `malformed-request`."""
        reader = Reader(data)
        if reader.part() != LABEL.encode():
            raise InvalidInput("malformed-encoding", "not a register header of this version")
        header = cls(
            agreement=reader.text(),
            register_name=reader.text(),
            owner=parse_oin(reader.text()),
            recipient=parse_oin(reader.text()),
            epoch=reader.text(),
            created_at_ms=reader.u64(),
            entry_count=reader.u64(),
        )
        reader.end()
        return header


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotEntry:
    """One subject of the register, by pseudonym."""

    pseudonym: bytes
    valid_from: str
    valid_until: str = ""

    def __post_init__(self) -> None:
        if len(self.pseudonym) != PSEUDONYM_SIZE:
            raise InvalidInput("malformed-request", f"a pseudonym has {PSEUDONYM_SIZE} bytes")
        _check_date(self.valid_from)
        if self.valid_until:
            _check_date(self.valid_until)
            if self.valid_until < self.valid_from:
                raise InvalidInput("date-order")

    def covers(self, day: date) -> bool:
        """Tell whether the entry holds on that day."""
        text = day.isoformat()
        return self.valid_from <= text and (not self.valid_until or text <= self.valid_until)

    def encode(self) -> bytes:
        """Write the bytes that enter the digest."""
        return lp(self.pseudonym, self.valid_from, self.valid_until)


def entries_digest(entries: Iterable[SnapshotEntry]) -> bytes:
    """Hash all entries, in whatever order they come; 32 bytes."""
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda item: (item.pseudonym, item.valid_from, item.valid_until)):
        digest.update(entry.encode())
    return digest.digest()


def sign_snapshot(header: SnapshotHeader, digest: bytes, owner_key: SigningKey) -> bytes:
    """Sign a register, 64 bytes."""
    return owner_key.sign(_signed_bytes(header, digest))


def verify_snapshot(header: SnapshotHeader, digest: bytes, signature: bytes, owner_key: VerifyKey) -> None:
    """Check the owner's signature. Raises NotAuthentic `signature-wrong`."""
    owner_key.verify(_signed_bytes(header, digest), signature)


def _signed_bytes(header: SnapshotHeader, digest: bytes) -> bytes:
    return lp("sluis/v1/register-signature", header.encode(), digest)


def _check_date(text: str) -> None:
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
            return
    except ValueError:
        pass
    raise InvalidInput("date-format")


def watch_list_name(kind: str, purpose: str) -> str:
    """The register name of a watch list: the owner's own subjects, about whom it wants to hear."""
    return f"{WATCH}{kind}.{purpose}"


def is_watch_list(register_name: str) -> bool:
    """Whether a register name is that of a watch list."""
    return register_name.startswith(WATCH)
