# SPDX-License-Identifier: EUPL-1.2
"""Ed25519 signatures (RFC 8032): 32-byte seed, 32-byte public key, 64-byte signature.

What is signed always starts with a label such as `sluis/v1/signal` (docs/protocol.md), so that a signature
made for one purpose never holds for another. This module does not know the labels. libsodium verifies, in half of
OpenSSL's time; it also refuses small order and what is not canonical. OpenSSL signs: the tests hold each against the
other.
"""

from dataclasses import dataclass
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sluis.errors import InvalidInput, NotAuthentic
from sluis.libsodium import libsodium

SEED_SIZE = 32
PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64

_P = 2**255 - 19
_ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# RFC 8032 5.1.7 does not refuse public keys of small order. One signature of such a key holds for many
# messages, so its owner could deny what it signed. These are their y coordinates, non-canonical too.
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_EIGHT, _P - _ORDER_EIGHT})


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A public signing key, 32 bytes. Raises InvalidInput when the bytes cannot be one."""

    raw: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.raw, bytes) or len(self.raw) != PUBLIC_SIZE:
            raise InvalidInput("malformed-request", f"a signing key has {PUBLIC_SIZE} bytes")
        if int.from_bytes(self.raw, "little") % (1 << 255) in _SMALL_ORDER_Y:
            raise InvalidInput("malformed-request", "the signing key has small order")

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature. Raises NotAuthentic `signature-wrong`."""
        # C reads as many bytes as a signature has.
        fits = len(signature) == SIGNATURE_SIZE
        if not fits or libsodium().verify(signature, message, len(message), self.raw) != 0:
            raise NotAuthentic("signature-wrong")


@dataclass(frozen=True, slots=True)
class VerifyKeys:
    """The keys that one signer had or has: a signature of any of them holds. One at least."""

    keys: tuple[VerifyKey, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise InvalidInput("malformed-config", "a signer has one key at least")

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature. Raises NotAuthentic `signature-wrong`."""
        self.which(message, signature)

    def which(self, message: bytes, signature: bytes) -> VerifyKey:
        """The key that made a signature. Raises NotAuthentic `signature-wrong`."""
        for key in self.keys:
            try:
                key.verify(message, signature)
            except NotAuthentic:
                continue
            return key
        raise NotAuthentic("signature-wrong")


class SigningKey:
    """A private signing key; it shows nothing of itself in `repr`."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = VerifyKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, seed: bytes) -> Self:
        """Make the key of a 32-byte seed (RFC 8032 5.1.5)."""
        if len(seed) != SEED_SIZE:
            raise InvalidInput("malformed-request", f"a signing seed has {SEED_SIZE} bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def to_bytes(self) -> bytes:
        """Return the seed, for the key folder only."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes, the same for the same message."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.raw.hex()})"
