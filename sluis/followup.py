# SPDX-License-Identifier: EUPL-1.2
"""A follow-up: a signed statement about a signal that was exchanged before (docs/protocol.md, "Follow-ups").

    statement = lp("sluis/v1/follow-up", follow_up_id(16), act, signal_id(16), author_oin, u64 created_at_ms,
                   refers_to (16 bytes, or empty), replacement (16 bytes, or empty),
                   lp(name1, word1, name2, word2, ...))
    signature = Ed25519(author's signing key, lp("sluis/v1/follow-up-signature", statement))

It holds no prose, only words of the catalogue (`policies/catalog/follow_ups.yaml`), sorted by name. The author is
empty for `destroy`, which the broker signs with its receipt key. Bytes that `encode` would not write are refused.
Whether a word is in the catalogue, and who may say it of this signal, is not decided here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self
from uuid import UUID

from sluis.encoding import Reader, lp, u64
from sluis.errors import InvalidInput, SluisError
from sluis.header import MAX_TIME_MS, check_uuid7, parse_oin
from sluis.identifiers import Oin
from sluis.signing import SIGNATURE_SIZE, SigningKey, VerifyKey, VerifyKeys

LABEL = "sluis/v1/follow-up"
SIGNATURE_LABEL = "sluis/v1/follow-up-signature"
MAX_STATEMENT = 4 * 1024
MAX_CODES = 8

_NAME = re.compile(r"[a-z][a-z_]{0,31}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Act(StrEnum):
    """What a follow-up does."""

    ASK = "ask"
    ANSWER = "answer"
    FEEDBACK = "feedback"
    CORRECT = "correct"
    RECTIFY = "rectify"
    RECALL = "recall"
    DESTROY = "destroy"
    FULFIL = "fulfil"
    ATTEND = "attend"


# These bind every holder, each of whom answers with a `fulfil`.
BINDING = frozenset({Act.CORRECT, Act.RECTIFY, Act.RECALL, Act.DESTROY})
# These are about an earlier follow-up.
REFERRING = frozenset({Act.ANSWER, Act.FULFIL})


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A valid statement. The constructor raises InvalidInput `malformed-request`."""

    follow_up_id: UUID
    act: Act
    signal_id: UUID
    author: Oin | None  # none: the broker
    created_at_ms: int
    refers_to: UUID | None = None
    replacement: UUID | None = None
    codes: Mapping[str, str] = field(default_factory=dict, hash=False)
    _encoded: bytes = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        for one in (self.follow_up_id, self.signal_id, self.refers_to, self.replacement):
            if one is not None:
                check_uuid7(one)
        if (self.author is None) != (self.act is Act.DESTROY):
            raise InvalidInput("malformed-request", "only `destroy`, and always, is without an author")
        if (self.refers_to is not None) != (self.act in REFERRING):
            raise InvalidInput(
                "malformed-request", "`answer` and `fulfil` refer to a follow-up, others do not"
            )
        if (self.replacement is not None) != (self.act is Act.CORRECT):
            raise InvalidInput("malformed-request", "`correct`, and nothing else, names a replacement")
        if self.signal_id in (self.replacement, self.follow_up_id):
            raise InvalidInput("malformed-request", "a signal does not replace itself")
        if not 0 <= self.created_at_ms <= MAX_TIME_MS:
            raise InvalidInput("malformed-request", "the time of creation is out of reach")
        _check_codes(self.codes)
        object.__setattr__(self, "codes", MappingProxyType(dict(sorted(self.codes.items()))))
        object.__setattr__(self, "_encoded", self._encode())

    def encode(self) -> bytes:
        """Write the canonical bytes."""
        return self._encoded

    def signed_bytes(self) -> bytes:
        """Return what the author signs."""
        return lp(SIGNATURE_LABEL, self._encoded)

    def _encode(self) -> bytes:
        return lp(
            LABEL,
            self.follow_up_id.bytes,
            self.act,
            self.signal_id.bytes,
            self.author or "",
            u64(self.created_at_ms),
            self.refers_to.bytes if self.refers_to else b"",
            self.replacement.bytes if self.replacement else b"",
            lp(*(part for pair in self.codes.items() for part in pair)),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read canonical bytes. Raises InvalidInput `malformed-encoding` or `malformed-request`."""
        if len(data) > MAX_STATEMENT:
            raise InvalidInput("malformed-request", f"a follow-up has at most {MAX_STATEMENT} bytes")
        reader = Reader(data)
        if reader.text() != LABEL:
            raise InvalidInput("malformed-encoding", "not a follow-up of this version")
        follow_up = cls(
            follow_up_id=UUID(bytes=reader.part(length=16)),
            act=_act(reader.text()),
            signal_id=UUID(bytes=reader.part(length=16)),
            author=parse_oin(author) if (author := reader.text()) else None,
            created_at_ms=reader.u64(),
            refers_to=_optional(reader.part()),
            replacement=_optional(reader.part()),
            codes=_codes(Reader(reader.part())),
        )
        reader.end()
        if follow_up.encode() != data:
            raise InvalidInput("malformed-encoding", "the codes are not sorted")
        return follow_up


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFollowUp:
    """A statement with its signature; trust it after `verify` only."""

    statement: FollowUp
    signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.signature) != SIGNATURE_SIZE:
            raise InvalidInput("malformed-request", f"a signature has {SIGNATURE_SIZE} bytes")

    @classmethod
    def sign(cls, key: SigningKey, statement: FollowUp) -> Self:
        """Sign a statement."""
        return cls(statement=statement, signature=key.sign(statement.signed_bytes()))

    def verify(self, key: VerifyKey | VerifyKeys) -> None:
        """Check the signature. Raises NotAuthentic `signature-wrong`."""
        key.verify(self.statement.signed_bytes(), self.signature)


def _check_codes(codes: Mapping[str, str]) -> None:
    if len(codes) > MAX_CODES:
        raise InvalidInput("malformed-request", f"a follow-up has at most {MAX_CODES} codes")
    for name, word in codes.items():
        if not _NAME.fullmatch(name) or not _WORD.fullmatch(word):
            raise InvalidInput("malformed-request", "a code has the wrong form")


def _codes(reader: Reader) -> dict[str, str]:
    codes: dict[str, str] = {}
    while reader.has_more():
        name = reader.text()
        if name in codes:
            raise InvalidInput("malformed-encoding", "a code stands there twice")
        codes[name] = reader.text()
    return codes


def _act(text: str) -> Act:
    try:
        return Act(text)
    except ValueError:
        raise InvalidInput("malformed-encoding", "the act is not known") from None


def _optional(data: bytes) -> UUID | None:
    if len(data) not in (0, 16):
        raise InvalidInput("malformed-encoding", "a reference has 16 bytes, or none")
    return UUID(bytes=data) if data else None


def parse_uuid7(text: str, where: str) -> UUID:
    """Read a signal's or follow-up's id as people write it. Raises InvalidInput `malformed-request`."""
    try:
        found = UUID(text)
        check_uuid7(found)
    except (ValueError, SluisError):
        raise InvalidInput("malformed-request", "this is not an id of Sluis", where=where) from None
    return found
