# SPDX-License-Identifier: EUPL-1.2
"""The card on which a participant publishes its keys, signed under its own certificate.

    {"certificate_chain":[base64 DER, leaf first],"created_at":"2026-07-01T09:00:00.000Z","name":...,
     "oin":...,"sealing_keys":{"x25519":hex,"xwing":hex},"signature":base64,"signing_key":hex,"v":1}

Canonical JSON (RFC 8785). The signature is ECDSA P-256 SHA-256 (DER) by the leaf certificate's key over
lp("sluis/v1/card", the canonical JSON without "signature"). Whoever verifies needs only the roots: the
broker, which hands out the cards, cannot put keys of its own in a participant's place.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sluis.canonical import canonical_json, parse_canonical
from sluis.certificates import MAX_CHAIN, UNREADABLE, certificate_from_der, certificate_oin, verify_chain
from sluis.encoding import lp
from sluis.errors import InvalidInput, NotAuthentic
from sluis.header import parse_oin
from sluis.identifiers import Oin
from sluis.sealing_keys import SealingPublicKey
from sluis.signing import VerifyKey

MAX_CARD = 32 * 1024
MAX_NAME = 200

_ALGORITHM = ec.ECDSA(hashes.SHA256())
_MEMBERS = {
    "certificate_chain",
    "created_at",
    "name",
    "oin",
    "sealing_keys",
    "signature",
    "signing_key",
    "v",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyCard:
    """A well-formed card. Trust it after `verify` only."""

    oin: Oin
    name: str
    signing_key: VerifyKey
    sealing_key: SealingPublicKey = field(repr=False)
    created_at: datetime
    certificate_chain: tuple[x509.Certificate, ...] = field(repr=False)
    signature: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME or not self.name.isprintable():
            raise InvalidInput("malformed-request", f"a name has 1 to {MAX_NAME} printable characters")
        if not 1 <= len(self.certificate_chain) <= MAX_CHAIN:
            raise InvalidInput("malformed-request", f"a card has 1 to {MAX_CHAIN} certificates")
        if self.created_at.tzinfo is not UTC:
            raise InvalidInput("malformed-request", "the time of creation is not in UTC")

    @classmethod
    def create(
        cls,
        *,
        oin: Oin,
        name: str,
        signing_key: VerifyKey,
        sealing_key: SealingPublicKey,
        created_at: datetime,
        certificate_chain: Sequence[x509.Certificate],
        private_key: ec.EllipticCurvePrivateKey,
    ) -> Self:
        """Make and sign a card with the private key of the leaf certificate."""
        card = cls(
            oin=oin,
            name=name,
            signing_key=signing_key,
            sealing_key=sealing_key,
            created_at=_whole_milliseconds(created_at),
            certificate_chain=tuple(certificate_chain),
        )
        signature = private_key.sign(card.signed_bytes(), _ALGORITHM)
        return cls.parse(canonical_json(card._members() | {"signature": _base64(signature)}))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read canonical JSON. Raises InvalidInput `malformed-encoding` or `malformed-request`."""
        if len(data) > MAX_CARD:
            raise InvalidInput("malformed-request", f"a card has at most {MAX_CARD} bytes")
        members = parse_canonical(data)
        keys, chain = members.get("sealing_keys"), members.get("certificate_chain")
        if members.keys() != _MEMBERS or type(members["v"]) is not int or members["v"] != 1:
            raise InvalidInput("malformed-encoding", "not a card of this version")
        if not isinstance(keys, dict) or keys.keys() != {"x25519", "xwing"} or not isinstance(chain, list):
            raise InvalidInput("malformed-encoding", "a member of the card has the wrong form")
        return cls(
            oin=parse_oin(_text(members["oin"])),
            name=_text(members["name"]),
            signing_key=VerifyKey(_unhex(keys=members, name="signing_key")),
            sealing_key=SealingPublicKey(xwing=_unhex(keys, "xwing"), x25519=_unhex(keys, "x25519")),
            created_at=_time(_text(members["created_at"])),
            certificate_chain=tuple(certificate_from_der(_unbase64(item)) for item in chain),
            signature=_unbase64(members["signature"]),
        )

    def encode(self) -> bytes:
        """Write the canonical JSON, with signature."""
        return canonical_json(self._members() | {"signature": _base64(self.signature)})

    def signed_bytes(self) -> bytes:
        """Return what the certificate's key signs."""
        return lp("sluis/v1/card", canonical_json(self._members()))

    def verify(self, roots: Sequence[x509.Certificate], at: datetime) -> None:
        """Check chain, OIN and signature.

        Raises NotAuthentic: `certificate-expired`, `certificate-untrusted`, `no-certificate` (no OIN in it),
        or `signature-wrong` (another OIN, or not signed by the certificate's key).
        """
        verify_chain(self.certificate_chain, roots, at)
        leaf = self.certificate_chain[0]
        if certificate_oin(leaf) != self.oin:
            raise NotAuthentic("signature-wrong", "the card's OIN is not the certificate's")
        try:
            key = leaf.public_key()
            if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
                raise NotAuthentic("signature-wrong", "a card is signed with a P-256 key")
            key.verify(self.signature, self.signed_bytes(), _ALGORITHM)
        except (InvalidSignature, *UNREADABLE):
            raise NotAuthentic("signature-wrong", "the card is not signed by its certificate") from None

    def _members(self) -> dict[str, object]:
        encoding = serialization.Encoding.DER
        return {
            "v": 1,
            "oin": str(self.oin),
            "name": self.name,
            "signing_key": self.signing_key.raw.hex(),
            "sealing_keys": {"xwing": self.sealing_key.xwing.hex(), "x25519": self.sealing_key.x25519.hex()},
            "created_at": f"{self.created_at:%Y-%m-%dT%H:%M:%S}.{self.created_at.microsecond // 1000:03}Z",
            "certificate_chain": [_base64(item.public_bytes(encoding)) for item in self.certificate_chain],
        }


def _whole_milliseconds(at: datetime) -> datetime:
    utc = at.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _time(text: str) -> datetime:
    try:
        at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        at = None
    if at is None or len(text) != len("2026-07-01T09:00:00.000Z"):
        raise InvalidInput("malformed-encoding", "a time is written as 2026-07-01T09:00:00.000Z")
    return at


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput("malformed-encoding", "a member of the card is not a text")
    return value


def _unhex(keys: dict[str, object], name: str) -> bytes:
    text = _text(keys[name])
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if data.hex() != text:
        raise InvalidInput("malformed-encoding", f"`{name}` is not lower-case hexadecimal")
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(value: object) -> bytes:
    text = _text(value)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if _base64(data) != text:
        raise InvalidInput("malformed-encoding", "a member of the card is not base64")
    return data
