# SPDX-License-Identifier: EUPL-1.2
"""RFC 9497, suite ristretto255-SHA512, modes OPRF and VOPRF (not POPRF).

    client                                server (secret k, public k*G)
    blind:  b random, B = b*H(input)  ->  blind_evaluate: E = k*B
                                      <-  generate_proof: E was made with the k of k*G, for the whole batch
    verify_proof; finalize: SHA-512(input, E/b, "Finalize")

Batches are elements of 32 bytes one after another. Function and section names are the RFC's;
a batch is at most 65,535 elements because the proof numbers them in two bytes (2.2.1).
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Final, NewType

from sluis import ristretto255 as group
from sluis.errors import InvalidInput, NotAuthentic
from sluis.ristretto255 import Element, Scalar, SecretScalars

Proof = NewType("Proof", bytes)

MAX_BATCH: Final = 65_535
MAX_INPUT: Final = 65_535
PROOF_SIZE: Final = 64
SEED_SIZE: Final = 32
GENERATOR: Final = Element(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
_EMPTY_BLOCK: Final = bytes(128)  # SHA-512's block, RFC 9380 5.3.1 Z_pad
_SIZED: Final = b"\x00\x20"  # I2OSP(32, 2), before an element


class Mode(IntEnum):
    """The protocol variant; part of every label, so the two never mix."""

    OPRF = 0
    VOPRF = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A secret share and its public element."""

    secret: SecretScalars
    public: Element

    def __post_init__(self) -> None:
        if self.secret.count != 1:
            raise InvalidInput("malformed-encoding", "a key is one scalar")
        group.check_element(self.public)

    @classmethod
    def of(cls, secret: SecretScalars) -> "KeyPair":
        """Compute the public element of a secret."""
        return cls(secret=secret, public=group.multiply_base(secret))


@dataclass(frozen=True, slots=True)
class _Labels:
    """The domain separation of one mode (section 3.1), precomputed."""

    hash_to_group: bytes
    hash_to_scalar: bytes
    derive_key_pair: bytes
    seed: bytes


@cache
def _labels(mode: Mode) -> _Labels:
    context = b"OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512"

    def tail(label: bytes) -> bytes:
        return label + context + bytes([len(label) + len(context)])  # RFC 9380 DST_prime

    return _Labels(
        hash_to_group=tail(b"HashToGroup-"),
        hash_to_scalar=tail(b"HashToScalar-"),
        derive_key_pair=tail(b"DeriveKeyPair"),
        seed=b"Seed-" + context,
    )


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _expand(data: bytes, label: bytes) -> bytes:
    # RFC 9380 5.3.1 expand_message_xmd for 64 bytes: one block of SHA-512 output.
    first = hashlib.sha512(_EMPTY_BLOCK + data + b"\x00\x40\x00" + label).digest()
    return hashlib.sha512(first + b"\x01" + label).digest()


def _hash_to_scalar(data: bytes, mode: Mode) -> Scalar:
    return group.reduce_scalar(_expand(data, _labels(mode).hash_to_scalar))


def _check_input(data: bytes) -> None:
    if len(data) > MAX_INPUT:
        raise InvalidInput("malformed-request", "an input is longer than 65,535 bytes")


def _check_count(count: int) -> int:
    if count == 0:
        raise InvalidInput("malformed-request", "the batch is empty")
    if count > MAX_BATCH:
        raise InvalidInput("batch-too-large", f"a batch has at most {MAX_BATCH} elements")
    return count


def check_batch(elements: bytes) -> int:
    """Return the number of elements; InvalidInput when empty, cut short or over 65,535."""
    return _check_count(group.count_elements(elements))


def derive_key_pair(seed: bytes, info: bytes, mode: Mode = Mode.VOPRF) -> KeyPair:
    """Derive a key pair from a 32-byte seed and public info (section 3.2.1)."""
    if len(seed) != SEED_SIZE:
        raise InvalidInput("malformed-encoding", "a seed has 32 bytes")
    _check_input(info)
    label = _labels(mode).derive_key_pair
    for counter in range(256):
        secret = SecretScalars.from_wide_hash(_expand(seed + _sized(info) + bytes([counter]), label))
        if not secret.is_zero():
            return KeyPair.of(secret)
    raise InvalidInput("malformed-encoding", "no key follows from this seed")


def hash_to_group(data: bytes, mode: Mode = Mode.VOPRF) -> Element:
    """Map an input to an element of unknown logarithm (section 4.1)."""
    return group.from_hash(_expand(data, _labels(mode).hash_to_group))


def blind_batch(
    inputs: Sequence[bytes], mode: Mode = Mode.VOPRF, *, scalars: SecretScalars | None = None
) -> tuple[SecretScalars, bytes]:
    """Blind inputs: return the blinds, and the blinded elements to send (section 3.3.1)."""
    _check_count(len(inputs))
    blinds = scalars or SecretScalars.random(len(inputs))
    for data in inputs:
        _check_input(data)
    points = b"".join([hash_to_group(data, mode) for data in inputs])
    return blinds, group.multiply_each(blinds, points)


def blind(
    data: bytes, mode: Mode = Mode.VOPRF, *, scalar: SecretScalars | None = None
) -> tuple[SecretScalars, Element]:
    """Blind one input."""
    blinds, elements = blind_batch([data], mode, scalars=scalar)
    return blinds, Element(elements)


def blind_evaluate(secret: SecretScalars, elements: bytes) -> bytes:
    """Evaluate blinded elements with a key; one bad element refuses the batch (3.3.1)."""
    check_batch(elements)
    return group.multiply_all(secret, elements)


def _weights(public: Element, blinded: bytes, evaluated: bytes, mode: Mode) -> bytes:
    # Section 2.2.1 ComputeComposites: a weight per pair, bound to the key, its place and both elements.
    labels = _labels(mode)
    seed = hashlib.sha512(_sized(public) + _sized(labels.seed)).digest()
    head = hashlib.sha512(_EMPTY_BLOCK + _sized(seed))
    tail = b"Composite\x00\x40\x00" + labels.hash_to_scalar
    last, sha512, reduce = b"\x01" + labels.hash_to_scalar, hashlib.sha512, group.reduce_scalar
    weights = []
    for number in range(len(blinded) // group.SIZE):
        at = number * group.SIZE
        end = at + group.SIZE
        first = head.copy()
        first.update(number.to_bytes(2, "big") + _SIZED + blinded[at:end] + _SIZED + evaluated[at:end] + tail)
        weights.append(reduce(sha512(first.digest() + last).digest()))
    return b"".join(weights)


def _challenge(public: Element, points: Sequence[Element], mode: Mode) -> Scalar:
    transcript = _SIZED + public + b"".join([_SIZED + point for point in points]) + b"Challenge"
    return _hash_to_scalar(transcript, mode)


def _nonce(secret: SecretScalars, transcript: bytes) -> SecretScalars:
    # Fresh randomness, hedged with key and transcript: a failing generator alone does not give the key away.
    mixed = hashlib.sha512(b"sluis/v1/proof-nonce" + secrets.token_bytes(64))
    mixed.update(secret.view())
    mixed.update(transcript)
    return SecretScalars.from_wide_hash(mixed.digest())


def _check_pairs(blinded: bytes, evaluated: bytes) -> None:
    if check_batch(blinded) != check_batch(evaluated):
        raise InvalidInput("malformed-element", "the batch has another number of elements than was asked")


def generate_proof(
    keys: KeyPair,
    blinded: bytes,
    evaluated: bytes,
    mode: Mode = Mode.VOPRF,
    *,
    r: SecretScalars | None = None,
) -> Proof:
    """Prove that a batch was evaluated with this key (section 2.2.1); 64 bytes, c || s.

    `evaluated` is what `blind_evaluate` gave for `blinded`.
    Never give `r` outside tests: used twice, it reveals the key.
    """
    _check_pairs(blinded, evaluated)
    weights = _weights(keys.public, blinded, evaluated, mode)
    composite = group.weighted_sum(weights, blinded)
    image = Element(group.multiply_all(keys.secret, composite))
    nonce = r or _nonce(keys.secret, composite + image)
    commitments = group.multiply_base(nonce), Element(group.multiply_all(nonce, composite))
    challenge = _challenge(keys.public, (composite, image, *commitments), mode)
    return Proof(challenge + nonce.minus_product(challenge, keys.secret))


def verify_proof(
    public: Element, blinded: bytes, evaluated: bytes, proof: bytes, mode: Mode = Mode.VOPRF
) -> None:
    """Check that a batch was evaluated with the key of `public` (section 2.2.2).

    Raises NotAuthentic `proof-wrong`, or InvalidInput for an element that is none.
    """
    _check_pairs(blinded, evaluated)
    group.check_element(public)
    wrong = NotAuthentic("proof-wrong")
    if len(proof) != PROOF_SIZE:
        raise wrong
    try:
        challenge, response = group.check_scalar(proof[: group.SIZE]), group.check_scalar(proof[group.SIZE :])
    except InvalidInput:
        raise wrong from None
    weights = _weights(public, blinded, evaluated, mode)
    composite, image = group.weighted_sum(weights, blinded), group.weighted_sum(weights, evaluated)
    try:
        factors = response + challenge
        commitments = (
            group.weighted_sum(factors, GENERATOR + public),
            group.weighted_sum(factors, composite + image),
        )
    except InvalidInput:  # a commitment that is the identity: no honest proof has one
        raise wrong from None
    if _challenge(public, (composite, image, *commitments), mode) != challenge:
        raise wrong


def _output(data: bytes, element: bytes) -> bytes:
    return hashlib.sha512(_sized(data) + _SIZED + element + b"Finalize").digest()


def finalize_batch(inputs: Sequence[bytes], blinds: SecretScalars, evaluated: bytes) -> list[bytes]:
    """Unblind and hash: an output of 64 bytes for each input (section 3.3.1). Verify the proof first."""
    if check_batch(evaluated) != len(inputs) or blinds.count != len(inputs):
        raise InvalidInput("malformed-element", "the batch has another number of elements than was asked")
    unblinded = group.multiply_each(blinds.inverses(), evaluated)
    return [
        _output(data, unblinded[at : at + group.SIZE])
        for data, at in zip(inputs, range(0, len(unblinded), group.SIZE), strict=True)
    ]


def finalize(data: bytes, blind: SecretScalars, evaluated: bytes) -> bytes:
    """Unblind and hash one evaluated element."""
    return finalize_batch([data], blind, evaluated)[0]


def evaluate(secret: SecretScalars, data: bytes, mode: Mode = Mode.VOPRF) -> bytes:
    """Compute an output with the key in hand, without blinding (section 3.3.1 Evaluate)."""
    _check_input(data)
    return _output(data, group.multiply_all(secret, hash_to_group(data, mode)))
