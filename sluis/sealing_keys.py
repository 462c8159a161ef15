# SPDX-License-Identifier: EUPL-1.2
"""Keys that content keys are sealed for: HPKE (RFC 9180), base mode, single shot, HKDF-SHA256, AES-256-GCM.

    suite                               KEM                                  public   enc    private
    xwing-sha256-aes256gcm+ed25519      X-Wing, 0x647a (MLKEM768-X25519)     1216     1120   32-byte seed
    x25519-sha256-aes256gcm+ed25519     DHKEM(X25519, HKDF-SHA256), 0x0020     32       32   32 bytes

X-Wing bytes are those of draft-connolly-cfrg-xwing-kem and draft-ietf-hpke-pq: SHAKE256(seed, 96) is the
ML-KEM-768 seed d || z (64) and the X25519 private key (32); the public key is pk_M (1184) || pk_X (32);
enc is ct_M (1088) || ct_X (32). `cryptography` has no serialisation of the hybrid, so it is written here.
No AAD, no exporter, no authenticated mode: whatever must be bound stands in `info`.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sluis.errors import InvalidInput, NotAuthentic

XWING_PUBLIC_SIZE = 1216
XWING_SEED_SIZE = 32
X25519_SIZE = 32
PRIVATE_SIZE = XWING_SEED_SIZE + X25519_SIZE
CONTENT_KEY_SIZE = 32
_MLKEM_PUBLIC_SIZE = 1184
_TAG_SIZE = 16


class Suite(StrEnum):
    """Which algorithms seal the content key and sign the signal."""

    XWING = "xwing-sha256-aes256gcm+ed25519"
    X25519 = "x25519-sha256-aes256gcm+ed25519"

    @property
    def wrapped_size(self) -> int:
        """Bytes of a wrapped content key: enc || ciphertext || tag."""
        return _hpke_suite(self)[1] + CONTENT_KEY_SIZE + _TAG_SIZE


@cache
def _hpke_suite(suite: Suite) -> tuple[hpke.Suite, int]:
    kem = hpke.KEM.MLKEM768_X25519 if suite is Suite.XWING else hpke.KEM.X25519
    return hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM), kem.enc_length()


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingPublicKey:
    """What a participant publishes on its card. Raises InvalidInput when the bytes cannot be keys."""

    xwing: bytes
    x25519: bytes
    _hybrid: hpke.MLKEM768X25519PublicKey = field(init=False, repr=False, compare=False)
    _plain: X25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.xwing) != XWING_PUBLIC_SIZE or len(self.x25519) != X25519_SIZE:
            raise InvalidInput(
                "malformed-request", f"sealing keys have {XWING_PUBLIC_SIZE} and {X25519_SIZE} bytes"
            )
        try:
            hybrid = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(self.xwing[:_MLKEM_PUBLIC_SIZE]),
                X25519PublicKey.from_public_bytes(self.xwing[_MLKEM_PUBLIC_SIZE:]),
            )
            plain = X25519PublicKey.from_public_bytes(self.x25519)
        except ValueError:
            raise InvalidInput("malformed-request", "the sealing key is not a valid X-Wing key") from None
        object.__setattr__(self, "_hybrid", hybrid)
        object.__setattr__(self, "_plain", plain)

    def wrap(self, suite: Suite, content_key: bytes, info: bytes) -> bytes:
        """Seal a content key for the owner: enc || ciphertext. Raises InvalidInput on an unusable key."""
        key = self._hybrid if suite is Suite.XWING else self._plain
        try:
            return _hpke_suite(suite)[0].encrypt(content_key, key, info)
        except ValueError:
            # RFC 9180 7.1.4: an X25519 key of small order gives the all-zero secret, which must be refused.
            raise InvalidInput("malformed-request", "the sealing key has small order") from None


class SealingKey:
    """A participant's private sealing keys, one for each suite; `repr` shows nothing of them."""

    __slots__ = ("_hybrid", "_plain", "_raw", "public")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PRIVATE_SIZE:
            raise InvalidInput("malformed-request", f"a sealing key has {PRIVATE_SIZE} bytes")
        expanded = hashlib.shake_256(raw[:XWING_SEED_SIZE]).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        traditional = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._raw = raw
        self._hybrid = hpke.MLKEM768X25519PrivateKey(mlkem, traditional)
        self._plain = X25519PrivateKey.from_private_bytes(raw[XWING_SEED_SIZE:])
        self.public = SealingPublicKey(
            xwing=mlkem.public_key().public_bytes_raw() + traditional.public_key().public_bytes_raw(),
            x25519=self._plain.public_key().public_bytes_raw(),
        )

    @classmethod
    def generate(cls) -> Self:
        """Make new keys."""
        return cls(secrets.token_bytes(PRIVATE_SIZE))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read X-Wing seed (32) || X25519 private key (32)."""
        return cls(raw)

    def to_bytes(self) -> bytes:
        """Return X-Wing seed || X25519 private key, for the key folder only."""
        return self._raw

    def unwrap(self, suite: Suite, wrapped_key: bytes, info: bytes) -> bytes:
        """Open a wrapped content key, 32 bytes. Raises NotAuthentic `ciphertext-wrong`."""
        key = self._hybrid if suite is Suite.XWING else self._plain
        try:
            content_key = _hpke_suite(suite)[0].decrypt(wrapped_key, key, info)
        except (InvalidTag, ValueError):
            raise NotAuthentic("ciphertext-wrong", "the content key does not open") from None
        if len(content_key) != CONTENT_KEY_SIZE:
            raise NotAuthentic("ciphertext-wrong", "the content key has the wrong length")
        return content_key

    def __repr__(self) -> str:
        return f"SealingKey(public x25519={self.public.x25519.hex()})"
