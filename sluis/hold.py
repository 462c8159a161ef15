# SPDX-License-Identifier: EUPL-1.2
"""An officer's signed statement that data are kept from destruction, or may be destroyed again.

    {"act":"hold","at":"2026-11-25T09:30:00Z","hold":"abcdefghijklmnop","officer":"fg-1","reason":"LITIGATION",
     "scope":"exchange","signature":"<hex>","target":"0198c0de-...","v":1}

Canonical JSON (RFC 8785). The signature is Ed25519 over lp("sluis/v1/hold-statement", the canonical JSON without
"signature"). A target is the id of an exchange, the OIN of a party, or for a subject a commitment, so that nothing in
the log tells whom it is about:

    "sha256:" H(lp("sluis/v1/hold-subject", salt, agreement, recipient, epoch, pseudonym, agreement, ...))
"""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from sluis.canonical import canonical_json, parse_canonical
from sluis.encoding import lp
from sluis.errors import InvalidInput
from sluis.identifiers import Oin
from sluis.policy.approval import check_officer
from sluis.signing import SIGNATURE_SIZE, SigningKey, VerifyKey

MAX_STATEMENT = 16 * 1024
MAX_SUBJECTS = 1_000

_LABEL = "sluis/v1/hold-statement"
_SUBJECT_LABEL = "sluis/v1/hold-subject"
_HOLD = re.compile(r"[a-p]{16}")
_COMMITMENT = re.compile(r"sha256:[0-9a-f]{64}")
_MEMBERS = {"v", "act", "hold", "scope", "target", "reason", "officer", "at", "signature"}
_SALT_SIZE = 32
_PSEUDONYM_SIZE = 16
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


class HoldAct(StrEnum):
    """What an officer signs for."""

    HOLD = "hold"
    APPROVE_HOLD = "approve-hold"
    LIFT = "lift"
    APPROVE_LIFT = "approve-lift"


class HoldScope(StrEnum):
    """What is kept: one exchange, all of a party, or those about a subject that the proposer's party takes part in."""

    EXCHANGE = "exchange"
    PARTY = "party"
    SUBJECT = "subject"


class HoldReason(StrEnum):
    """Why data are kept beyond their term."""

    LITIGATION = "LITIGATION"  # a claim before a court: AVG 17(3)(e)
    OBJECTION = "OBJECTION"  # objection or appeal against a decision that rests on the data: AVG 17(3)(e)
    RESTRICTION = "RESTRICTION"  # the subject asked to keep them for a claim of its own: AVG 18(1)(c)
    OVERSIGHT = "OVERSIGHT"  # the supervisory authority looks into the exchange: AVG 58(1)


def new_hold() -> str:
    """A name for a hold: sixteen letters, so that whatever looks for numbers of persons finds none."""
    return secrets.token_hex(8).translate(_LETTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOpening:
    """What a subject's commitment is of: (agreement, recipient, epoch, pseudonym) in each domain, and a salt."""

    salt: bytes
    subjects: tuple[tuple[str, str, str, bytes], ...]

    def __post_init__(self) -> None:
        if len(self.salt) != _SALT_SIZE or not 1 <= len(self.subjects) <= MAX_SUBJECTS:
            raise InvalidInput("malformed-request", f"a salt and 1 to {MAX_SUBJECTS} pseudonyms are due")
        if any(len(pseudonym) != _PSEUDONYM_SIZE for _, _, _, pseudonym in self.subjects):
            raise InvalidInput("malformed-request", "pseudonyms are 16 bytes each")
        if list(self.subjects) != sorted(set(self.subjects)):
            raise InvalidInput("malformed-request", "the pseudonyms are not in order, or one is there twice")

    def commitment(self) -> str:
        """The target of a statement."""
        parts = [part for subject in self.subjects for part in subject]
        return "sha256:" + hashlib.sha256(lp(_SUBJECT_LABEL, self.salt, *parts)).hexdigest()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read JSON: {"salt": hex, "subjects": [[agreement, recipient, epoch, pseudonym in hex], ...]}.

        Raises InvalidInput.
        """
        try:
            members = json.loads(data)
            rows = [(str(a), str(r), str(e), bytes.fromhex(p)) for a, r, e, p in members["subjects"]]
            return cls(salt=bytes.fromhex(members["salt"]), subjects=tuple(sorted(rows)))
        except (ValueError, TypeError, KeyError):
            raise InvalidInput("malformed-encoding", "not the opening of a hold on a subject") from None

    def encode(self) -> bytes:
        """Write the JSON."""
        rows = [[*domain, pseudonym.hex()] for *domain, pseudonym in self.subjects]
        return canonical_json({"salt": self.salt.hex(), "subjects": rows})


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldStatement:
    """A well-formed statement. Believe it after `verify` only. Raises InvalidInput `malformed-request`."""

    act: HoldAct
    hold: str
    scope: HoldScope
    target: str
    reason: HoldReason
    officer: str
    at: datetime
    signature: bytes = b""

    def __post_init__(self) -> None:
        if not _HOLD.fullmatch(self.hold):
            raise InvalidInput("malformed-request", "a hold is named by sixteen letters a to p", where="hold")
        check_officer(self.officer)
        _check_target(self.scope, self.target)
        if self.at.tzinfo is not UTC or self.at.microsecond:
            raise InvalidInput("malformed-request", "the time is not a whole second in UTC", where="at")
        if len(self.signature) not in (0, SIGNATURE_SIZE):
            raise InvalidInput("malformed-request", f"a signature has {SIGNATURE_SIZE} bytes")

    @property
    def about(self) -> tuple[str, ...]:
        """What the statement is about, without who signs what."""
        return (self.hold, self.scope, self.target, self.reason)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read canonical JSON. Raises InvalidInput `malformed-encoding` or `malformed-request`."""
        if len(data) > MAX_STATEMENT:
            raise InvalidInput("malformed-request", f"a statement has at most {MAX_STATEMENT} bytes")
        members = parse_canonical(data.strip())
        texts = {name: value for name, value in members.items() if isinstance(value, str)}
        if members.keys() != _MEMBERS or texts.keys() != _MEMBERS - {"v"} or members["v"] != 1:
            raise InvalidInput("malformed-encoding", "not a statement about a hold of this version")
        try:
            return cls(
                act=HoldAct(texts["act"]),
                hold=texts["hold"],
                scope=HoldScope(texts["scope"]),
                target=texts["target"],
                reason=HoldReason(texts["reason"]),
                officer=texts["officer"],
                at=datetime.strptime(texts["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
                signature=bytes.fromhex(texts["signature"]),
            )
        except ValueError:
            raise InvalidInput("malformed-encoding", "a member of the statement has the wrong form") from None

    def encode(self) -> bytes:
        """Write the canonical JSON, with signature."""
        return canonical_json({**self._members(), "signature": self.signature.hex()})

    def signed(self, key: SigningKey) -> Self:
        """The same statement under a signature."""
        return replace(self, signature=key.sign(self._signed_bytes()))

    def verify(self, key: VerifyKey) -> None:
        """Check the signature. Raises NotAuthentic `signature-wrong`."""
        key.verify(self._signed_bytes(), self.signature)

    def _signed_bytes(self) -> bytes:
        return lp(_LABEL, canonical_json(self._members()))

    def _members(self) -> dict[str, object]:
        return {
            "v": 1,
            "act": self.act.value,
            "hold": self.hold,
            "scope": self.scope.value,
            "target": self.target,
            "reason": self.reason.value,
            "officer": self.officer,
            "at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
        }


def _check_target(scope: HoldScope, target: str) -> None:
    if scope is HoldScope.PARTY:
        Oin(target)
        return
    form = _COMMITMENT.fullmatch(target) is not None
    if scope is HoldScope.EXCHANGE:
        try:
            form = str(UUID(target)) == target
        except ValueError:
            form = False
    if not form:
        raise InvalidInput("malformed-request", f"not what a hold on a {scope} is about", where="target")
