# SPDX-License-Identifier: EUPL-1.2
"""Private keys that sign checkpoints: a log's and a witness's (formats: `sluis.checkpoint`).

    secret = Ed25519 seed (32) || ML-DSA-44 seed (32, FIPS 204)

A log signs with both (types 0x01 and 0x06), a witness cosigns with both (0x04 and 0x06): the first for the
tools of today, the second because a signature must still bind when a quantum computer can forge Ed25519.
One secret serves one name; type 0x04 does not sign the name, so it must never serve two.
"""

import secrets
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from sluis.checkpoint import Checkpoint, cosigned_message
from sluis.errors import Defect, InvalidInput
from sluis.note import MAX_NUMBER, Note, NoteSignature, SignatureType, VKey
from sluis.signing import SEED_SIZE, SigningKey

MLDSA44_SEED_SIZE: Final = 32
SECRET_SIZE: Final = SEED_SIZE + MLDSA44_SEED_SIZE


class CheckpointSigner(Protocol):
    """A private key, here or in a device, that signs checkpoints under one name."""

    @property
    def vkey(self) -> VKey:
        """The key that verifies."""
        ...

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> NoteSignature:
        """Sign at a time in Unix seconds (type 0x01 leaves the time out)."""
        ...


class Ed25519CheckpointSigner:
    """Signs with Ed25519: as a log (type 0x01) or as a witness (type 0x04)."""

    __slots__ = ("_key", "vkey")

    def __init__(self, name: str, kind: SignatureType, key: SigningKey) -> None:
        if kind is SignatureType.COSIGNATURE_MLDSA44:
            raise InvalidInput("malformed-request", "an Ed25519 key makes no ML-DSA-44 signatures")
        self._key = key
        self.vkey = VKey(name=name, type=kind, public=key.public.raw)

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> NoteSignature:
        """Sign a checkpoint."""
        time = b"" if self.vkey.type is SignatureType.ED25519 else _time(timestamp)
        signature = self._key.sign(cosigned_message(self.vkey, checkpoint, timestamp))
        return NoteSignature(name=self.vkey.name, key_id=self.vkey.key_id, signature=time + signature)


class Mldsa44CheckpointSigner:
    """Signs with ML-DSA-44 (type 0x06), as a log or as a witness."""

    __slots__ = ("_key", "vkey")

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != MLDSA44_SEED_SIZE:
            raise InvalidInput("malformed-request", f"an ML-DSA-44 seed has {MLDSA44_SEED_SIZE} bytes")
        self._key = MLDSA44PrivateKey.from_seed_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self.vkey = VKey(name=name, type=SignatureType.COSIGNATURE_MLDSA44, public=public)

    def sign(self, checkpoint: Checkpoint, timestamp: int) -> NoteSignature:
        """Sign a checkpoint."""
        signature = self._key.sign(cosigned_message(self.vkey, checkpoint, timestamp))
        return NoteSignature(
            name=self.vkey.name, key_id=self.vkey.key_id, signature=_time(timestamp) + signature
        )


def new_secret() -> bytes:
    """Make the secret of a log or a witness."""
    return secrets.token_bytes(SECRET_SIZE)


def log_signers(origin: str, secret: bytes) -> tuple[CheckpointSigner, ...]:
    """The signers of a log with this origin, from its secret."""
    return _signers(origin, SignatureType.ED25519, secret)


def witness_signers(name: str, secret: bytes) -> tuple[CheckpointSigner, ...]:
    """The signers of a witness with this name, from its secret."""
    return _signers(name, SignatureType.COSIGNATURE_ED25519, secret)


def cosign(
    checkpoint: Checkpoint, signers: Iterable[CheckpointSigner], timestamp: int
) -> tuple[NoteSignature, ...]:
    """Make one line with each key. Whoever calls this has checked the checkpoint."""
    return tuple(signer.sign(checkpoint, timestamp) for signer in signers)


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[CheckpointSigner], timestamp: int) -> str:
    """Sign as the log; returns the note. Raises Defect for keys of another name than the origin."""
    if not signers or any(signer.vkey.name != checkpoint.origin for signer in signers):
        raise Defect("defect", "a log signs with keys that bear its origin as their name")
    return Note(text=checkpoint.body(), signatures=cosign(checkpoint, signers, timestamp)).format()


def _signers(name: str, kind: SignatureType, secret: bytes) -> tuple[CheckpointSigner, ...]:
    if len(secret) != SECRET_SIZE:
        raise InvalidInput("malformed-request", f"the secret of a log or witness has {SECRET_SIZE} bytes")
    return (
        Ed25519CheckpointSigner(name, kind, SigningKey.from_bytes(secret[:SEED_SIZE])),
        Mldsa44CheckpointSigner(name, secret[SEED_SIZE:]),
    )


def _time(timestamp: int) -> bytes:
    if not 0 <= timestamp <= MAX_NUMBER:
        raise Defect("defect", "a time of signing is out of range")
    return timestamp.to_bytes(8, "big")
