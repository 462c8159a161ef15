# SPDX-License-Identifier: EUPL-1.2
"""What the broker signs for participants: receipts for log entries, and which fields it withheld.

    receipt   = Ed25519(broker receipt key, lp("sluis/v1/receipt", log_origin, u64(index), leaf_hash))
    redaction = Ed25519(broker receipt key, lp("sluis/v1/redaction", signal_id(16), root, W_1, ..., W_m))
                where W = lp(u32(index), reason, rule_id), in order of index

A receipt is a promise: whoever holds one that the log does not keep has proof against the broker.
Whether the log keeps it, the inclusion proof shows (`sluis.merkle`).
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from sluis.encoding import lp, u32, u64
from sluis.envelope import HASH_SIZE, MAX_FIELDS, Envelope, WithheldLeaf
from sluis.errors import InvalidInput, NotAuthentic
from sluis.signing import SIGNATURE_SIZE, SigningKey, VerifyKey, VerifyKeys

MAX_ORIGIN = 256

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The broker's signed promise that an entry stands in its log at an index."""

    log_origin: str
    log_index: int
    leaf_hash: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.log_origin.encode(errors="replace")) <= MAX_ORIGIN:
            raise InvalidInput("malformed-request", f"a log origin has 1 to {MAX_ORIGIN} bytes")
        if not 0 <= self.log_index < 1 << 63:
            raise InvalidInput("malformed-request", "a log index has at most 63 bits")
        if len(self.leaf_hash) != HASH_SIZE:
            raise InvalidInput("malformed-request", f"a leaf hash has {HASH_SIZE} bytes")
        _check_signature(self.signature)

    @classmethod
    def sign(cls, key: SigningKey, *, log_origin: str, log_index: int, leaf_hash: bytes) -> Self:
        """Make a receipt."""
        message = _receipt_bytes(log_origin, log_index, leaf_hash)
        return cls(
            log_origin=log_origin,
            log_index=log_index,
            leaf_hash=leaf_hash,
            signature=key.sign(message),
        )

    def signed_by(self, keys: VerifyKeys) -> VerifyKey:
        """Which of the broker's keys signed this. Raises NotAuthentic `signature-wrong`."""
        return keys.which(_receipt_bytes(self.log_origin, self.log_index, self.leaf_hash), self.signature)

    def verify(self, key: VerifyKey | VerifyKeys, *, log_origin: str, entry: bytes | None = None) -> None:
        """Check that the broker signed this for that log and, when given, for that entry.

        Raises NotAuthentic: `signature-wrong`, or `log-inconsistent` for another log or entry.
        """
        key.verify(_receipt_bytes(self.log_origin, self.log_index, self.leaf_hash), self.signature)
        if self.log_origin != log_origin:
            raise NotAuthentic("log-inconsistent", "the receipt is of another log")
        # RFC 6962 2.1: a leaf is hashed behind a zero byte
        if entry is not None and hashlib.sha256(b"\0" + entry).digest() != self.leaf_hash:
            raise NotAuthentic("log-inconsistent", "the receipt is for another log entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class WithheldField:
    """One withheld field: its index, why, and under which rule (empty: no rule permits it)."""

    index: int
    reason: str
    rule_id: str

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_FIELDS:
            raise InvalidInput("malformed-request", f"a field's index is below {MAX_FIELDS}")
        if not _CODE.fullmatch(self.reason) or (self.rule_id and not _CODE.fullmatch(self.rule_id)):
            raise InvalidInput("malformed-request", "a reason or rule id has the wrong form")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionReceipt:
    """The broker's signed statement of the fields that it withheld from one signal."""

    withheld: tuple[WithheldField, ...]
    signature: bytes = field(repr=False)

    def __post_init__(self) -> None:
        indexes = [item.index for item in self.withheld]
        if not indexes or indexes != sorted(set(indexes)):
            raise InvalidInput("malformed-request", "withheld fields stand in order of index, each once")
        _check_signature(self.signature)

    @classmethod
    def sign(cls, key: SigningKey, envelope: Envelope, withheld: Iterable[WithheldField]) -> Self:
        """State what was withheld from this signal (before or after withholding: the root is the same)."""
        ordered = tuple(sorted(withheld, key=lambda item: item.index))
        return cls(withheld=ordered, signature=key.sign(_redaction_bytes(envelope, ordered)))

    def verify(self, key: VerifyKey | VerifyKeys, envelope: Envelope) -> None:
        """Check the signature and that exactly these fields are missing from the envelope.

        Raises NotAuthentic: `signature-wrong` or `manifest-wrong`.
        """
        key.verify(_redaction_bytes(envelope, self.withheld), self.signature)
        missing = [index for index, item in enumerate(envelope.fields) if isinstance(item, WithheldLeaf)]
        if missing != [item.index for item in self.withheld]:
            raise NotAuthentic("manifest-wrong", "other fields are missing than the broker states")


def _receipt_bytes(log_origin: str, log_index: int, leaf_hash: bytes) -> bytes:
    return lp("sluis/v1/receipt", log_origin, u64(log_index), leaf_hash)


def _redaction_bytes(envelope: Envelope, withheld: tuple[WithheldField, ...]) -> bytes:
    items = (lp(u32(item.index), item.reason, item.rule_id) for item in withheld)
    return lp("sluis/v1/redaction", envelope.header.signal_id.bytes, envelope.root(), *items)


def _check_signature(signature: bytes) -> None:
    if len(signature) != SIGNATURE_SIZE:
        raise InvalidInput("malformed-request", f"a signature has {SIGNATURE_SIZE} bytes")
