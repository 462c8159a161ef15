# SPDX-License-Identifier: EUPL-1.2
"""The header of a signal: all that the broker may read, and that everything sealed is bound to.

    lp("sluis/v1/header", signal_id(16), suite, agreement, sender_oin, recipient_oin, kind, purpose,
       delivery, epoch, pseudonym(16), u64 created_at_ms, u64 expires_at_ms,
       previous_signal_id (16 bytes, or empty), lp(name1, value1, name2, value2, ...)[, aliases])

Claims are sorted by name, at most 32 of them. Aliases are further pseudonyms of the same subject in the same domain,
one after another, ascending; the part is there only when there are any. Bytes that `Header.encode` would not write
are refused. Whether parties, kinds and claims exist in the catalogue is for the rules, not for this module.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Self, TypeVar
from uuid import UUID

from sluis.encoding import Reader, lp, u64
from sluis.errors import InvalidInput, SluisError
from sluis.identifiers import Oin
from sluis.sealing_keys import Suite

LABEL = "sluis/v1/header"
MAX_HEADER = 8 * 1024
MAX_CLAIMS = 32
MAX_CLAIM_VALUE = 200
MAX_TIME_MS = 253_402_300_799_999  # the last millisecond of the year 9999
PSEUDONYM_SIZE = 16
MAX_ALIASES = 11

_E = TypeVar("_E", bound=StrEnum)
_TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EPOCH = re.compile(r"[A-Za-z0-9-]{1,16}")
_NAME = re.compile(r"[a-z0-9_]{1,64}")


class Delivery(StrEnum):
    """How a permitted signal reaches its recipient."""

    MAILBOX = "mailbox"
    ON_MATCH = "on_match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A valid header. The constructor raises InvalidInput `malformed-request`."""

    signal_id: UUID
    suite: Suite = Suite.XWING
    agreement: str
    sender: Oin
    recipient: Oin
    kind: str
    purpose: str
    delivery: Delivery
    epoch: str
    pseudonym: bytes
    created_at_ms: int
    expires_at_ms: int
    previous: UUID | None = None
    claims: Mapping[str, str] = field(default_factory=dict, hash=False)
    aliases: tuple[bytes, ...] = ()
    _encoded: bytes = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_uuid7(self.signal_id)
        if self.previous is not None:
            check_uuid7(self.previous)
        for oin in (self.sender, self.recipient):
            if not isinstance(oin, Oin):
                raise InvalidInput("malformed-request", "sender and recipient are OINs")
        for what in ("agreement", "kind", "purpose"):
            check_term(what, getattr(self, what))
        check_epoch(self.epoch)
        if len(self.pseudonym) != PSEUDONYM_SIZE:
            raise InvalidInput("malformed-request", f"a pseudonym has {PSEUDONYM_SIZE} bytes")
        if not 0 <= self.created_at_ms < self.expires_at_ms <= MAX_TIME_MS:
            raise InvalidInput("malformed-request", "a signal must expire after its creation")
        _check_claims(self.claims)
        if self.aliases:
            _check_aliases(self.pseudonym, self.aliases)
        object.__setattr__(self, "claims", MappingProxyType(dict(sorted(self.claims.items()))))
        object.__setattr__(self, "_encoded", self._encode())
        if len(self._encoded) > MAX_HEADER:
            raise InvalidInput("malformed-request", f"a header has at most {MAX_HEADER} bytes")

    def encode(self) -> bytes:
        """Write the canonical bytes."""
        return self._encoded

    def _encode(self) -> bytes:
        return lp(
            LABEL,
            self.signal_id.bytes,
            self.suite,
            self.agreement,
            self.sender,
            self.recipient,
            self.kind,
            self.purpose,
            self.delivery,
            self.epoch,
            self.pseudonym,
            u64(self.created_at_ms),
            u64(self.expires_at_ms),
            b"" if self.previous is None else self.previous.bytes,
            lp(*(part for claim in self.claims.items() for part in claim)),
            *((b"".join(self.aliases),) if self.aliases else ()),
        )

    @property
    def pseudonyms(self) -> tuple[bytes, ...]:
        """Every pseudonym of the subject, that of the header first."""
        return (self.pseudonym, *self.aliases)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read canonical bytes. Raises InvalidInput `malformed-encoding` or `malformed-request`."""
        if len(data) > MAX_HEADER:
            raise InvalidInput("malformed-request", f"a header has at most {MAX_HEADER} bytes")
        reader = Reader(data)
        if reader.part() != LABEL.encode():
            raise InvalidInput("malformed-encoding", "not a header of this version")
        header = cls(
            signal_id=UUID(bytes=reader.part(length=16)),
            suite=_one_of(Suite, reader.text()),
            agreement=reader.text(),
            sender=parse_oin(reader.text()),
            recipient=parse_oin(reader.text()),
            kind=reader.text(),
            purpose=reader.text(),
            delivery=_one_of(Delivery, reader.text()),
            epoch=reader.text(),
            pseudonym=reader.part(length=PSEUDONYM_SIZE),
            created_at_ms=reader.u64(),
            expires_at_ms=reader.u64(),
            previous=_optional_uuid(reader.part()),
            claims=_read_claims(reader.part()),
            aliases=_read_aliases(reader.part()) if reader.has_more() else (),
        )
        reader.end()
        if header.encode() != data:
            raise InvalidInput("malformed-encoding", "the header is not in canonical form")
        return header


def check_term(what: str, text: str) -> None:
    """Insist on the form of an agreement, kind or purpose."""
    if not _TERM.fullmatch(text):
        raise InvalidInput("malformed-request", f"`{what}` is not a term of 1 to 64 characters")


def check_epoch(text: str) -> None:
    """Insist on the form of an epoch, such as `2026`."""
    if not _EPOCH.fullmatch(text):
        raise InvalidInput("malformed-request", "the epoch is not 1 to 16 characters of [A-Za-z0-9-]")


@lru_cache(maxsize=4096)
def parse_oin(text: str) -> Oin:
    """Read an OIN that must stand there exactly so. Raises InvalidInput `malformed-request`."""
    try:
        oin = Oin.parse(text)
    except SluisError:
        raise InvalidInput("malformed-request", "an OIN has 20 digits") from None
    if oin != text:
        raise InvalidInput("malformed-request", "an OIN has 20 digits")
    return oin


def check_uuid7(value: UUID) -> None:
    """Insist on version 7 (RFC 9562 5.7). Raises InvalidInput `malformed-request`."""
    if value.version != 7:
        raise InvalidInput("malformed-request", "an id is a UUID version 7")


def new_uuid7(now_ms: int) -> UUID:
    """A version 7 UUID (RFC 9562 5.7): 48 bits of time, the rest random."""
    value = (now_ms << 80) | int.from_bytes(secrets.token_bytes(10), "big")
    value = (value & ~(0xF << 76)) | (7 << 76)
    return UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


def _check_claims(claims: Mapping[str, str]) -> None:
    if len(claims) > MAX_CLAIMS:
        raise InvalidInput("malformed-request", f"a header has at most {MAX_CLAIMS} claims")
    for name, value in claims.items():
        if not _NAME.fullmatch(name):
            raise InvalidInput("malformed-request", "a claim's name is not 1 to 64 characters of [a-z0-9_]")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise InvalidInput("malformed-request", f"the claim `{name}` is not UTF-8") from None
        if size > MAX_CLAIM_VALUE:
            raise InvalidInput(
                "malformed-request", f"the claim `{name}` has over {MAX_CLAIM_VALUE} bytes of UTF-8"
            )


def _read_claims(data: bytes) -> dict[str, str]:
    reader = Reader(data)
    claims: dict[str, str] = {}
    while reader.has_more():
        name, value = reader.text(), reader.text()
        if name in claims:
            raise InvalidInput("malformed-encoding", "a claim stands there twice")
        claims[name] = value
    return claims


def _check_aliases(pseudonym: bytes, aliases: tuple[bytes, ...]) -> None:
    if len(aliases) > MAX_ALIASES:
        raise InvalidInput("malformed-request", f"a header has at most {MAX_ALIASES} aliases")
    if any(len(alias) != PSEUDONYM_SIZE for alias in aliases):
        raise InvalidInput("malformed-request", f"an alias has {PSEUDONYM_SIZE} bytes")
    if pseudonym in aliases or any(one >= other for one, other in pairwise(aliases)):
        raise InvalidInput("malformed-request", "aliases are ascending, and other than the pseudonym")


def _read_aliases(data: bytes) -> tuple[bytes, ...]:
    # Without any, the part would not be there: `decode` finds the header not canonical.
    return tuple(data[at : at + PSEUDONYM_SIZE] for at in range(0, len(data), PSEUDONYM_SIZE))


def _optional_uuid(data: bytes) -> UUID | None:
    if data and len(data) != 16:
        raise InvalidInput("malformed-encoding", "the previous signal id has neither 0 nor 16 bytes")
    return UUID(bytes=data) if data else None


def _one_of(kind: type[_E], text: str) -> _E:
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput("malformed-request", f"unknown {kind.__name__.lower()}") from None
