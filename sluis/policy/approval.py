# SPDX-License-Identifier: EUPL-1.2
"""An officer's signed statement about a change of the rules: that it is proposed, or approved.

    {"act":"approve","at":"2026-11-25T09:30:00Z","from":"sha256:...","officer":"fg-1","reason":"...",
     "signature":"<hex>","to":"sha256:...","v":1}

Canonical JSON (RFC 8785). The signature is Ed25519 over lp("sluis/v1/policy-statement", the canonical JSON without
"signature"). It names the rules that it leads from and to, so it holds for no other change.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from sluis.canonical import canonical_json, parse_canonical
from sluis.encoding import lp
from sluis.errors import InvalidInput
from sluis.signing import SIGNATURE_SIZE, SigningKey, VerifyKey

MAX_STATEMENT = 16 * 1024
MAX_REASON = 2_000

_LABEL = "sluis/v1/policy-statement"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OFFICER = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_MEMBERS = {"v", "act", "from", "to", "officer", "reason", "at", "signature"}


class Act(StrEnum):
    """What an officer does."""

    PROPOSE = "propose"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatement:
    """A well-formed statement. Believe it after `verify` only. Raises InvalidInput `malformed-request`."""

    act: Act
    from_digest: str
    to_digest: str
    officer: str
    reason: str
    at: datetime
    signature: bytes = b""

    def __post_init__(self) -> None:
        for digest in (self.from_digest, self.to_digest):
            if not _DIGEST.fullmatch(digest):
                raise InvalidInput("malformed-request", "rules are named sha256:<64 hexadecimal digits>")
        check_officer(self.officer)
        if not 1 <= len(self.reason.strip()) <= MAX_REASON or not self.reason.isprintable():
            raise InvalidInput("malformed-request", f"a reason has 1 to {MAX_REASON} printable characters")
        if self.at.tzinfo is not UTC or self.at.microsecond:
            raise InvalidInput("malformed-request", "the time is not a whole second in UTC")
        if len(self.signature) not in (0, SIGNATURE_SIZE):
            raise InvalidInput("malformed-request", f"a signature has {SIGNATURE_SIZE} bytes")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read canonical JSON. Raises InvalidInput `malformed-encoding` or `malformed-request`."""
        if len(data) > MAX_STATEMENT:
            raise InvalidInput("malformed-request", f"a statement has at most {MAX_STATEMENT} bytes")
        members = parse_canonical(data.strip())
        texts = {name: value for name, value in members.items() if isinstance(value, str)}
        if members.keys() != _MEMBERS or texts.keys() != _MEMBERS - {"v"} or members["v"] != 1:
            raise InvalidInput("malformed-encoding", "not a statement about rules of this version")
        try:
            return cls(
                act=Act(texts["act"]),
                from_digest=texts["from"],
                to_digest=texts["to"],
                officer=texts["officer"],
                reason=texts["reason"],
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
        signature = key.sign(self._signed_bytes())
        return type(self)(
            act=self.act,
            from_digest=self.from_digest,
            to_digest=self.to_digest,
            officer=self.officer,
            reason=self.reason,
            at=self.at,
            signature=signature,
        )

    def verify(self, key: VerifyKey) -> None:
        """Check the signature. Raises NotAuthentic `signature-wrong`."""
        key.verify(self._signed_bytes(), self.signature)

    def _signed_bytes(self) -> bytes:
        return lp(_LABEL, canonical_json(self._members()))

    def _members(self) -> dict[str, object]:
        return {
            "v": 1,
            "act": self.act.value,
            "from": self.from_digest,
            "to": self.to_digest,
            "officer": self.officer,
            "reason": self.reason,
            "at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
        }


def check_officer(name: str) -> None:
    """Insist on the form of an officer's reference. Raises InvalidInput `malformed-request`."""
    if not _OFFICER.fullmatch(name):
        raise InvalidInput(
            "malformed-request", "an officer is named by 1 to 32 of a-z 0-9 -", where="officer"
        )
