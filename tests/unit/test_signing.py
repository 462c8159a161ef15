# SPDX-License-Identifier: EUPL-1.2
"""Ed25519: vectors, wrong signatures, keys of small order; signed by OpenSSL, verified by libsodium and by both."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography_vectors import open_vector_file
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.errors import InvalidInput, NotAuthentic
from sluis.ristretto255 import ORDER
from sluis.signing import SigningKey, VerifyKey

# RFC 8032 7.1, tests 1 and 3: seed, public key, message, signature
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_rfc_8032_vectors_are_reproduced(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey.from_bytes(bytes.fromhex(seed))
    assert key.public.raw.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    key.public.verify(bytes.fromhex(message), bytes.fromhex(signature))


@settings(max_examples=50)
@given(message=st.binary(max_size=100), at=st.integers(0, 63), bit=st.integers(0, 7))
def test_a_signature_with_one_flipped_bit_is_refused(message: bytes, at: int, bit: int) -> None:
    key = SigningKey.generate()
    signature = bytearray(key.sign(message))
    signature[at] ^= 1 << bit
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        key.public.verify(message, bytes(signature))


def test_the_thousand_vectors_of_the_ed25519_authors_are_reproduced() -> None:
    # seed and key, key, message, signature and message: Bernstein's sign.input, in the package cryptography-vectors.
    with open_vector_file("asymmetric/Ed25519/sign.input", "r") as lines:
        rows = [[bytes.fromhex(part) for part in line.split(":")[:4]] for line in lines]
    assert len(rows) == 1024
    for seed, public, message, signed in rows:
        key = SigningKey.from_bytes(seed[:32])
        assert key.public.raw == public
        assert key.sign(message) + message == signed
        key.public.verify(message, signed[:64])


def openssl_accepts(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@settings(max_examples=100)
@given(message=st.binary(max_size=100), part=st.sampled_from(["public", "signature"]), data=st.data())
def test_openssl_and_libsodium_agree_on_what_is_near_a_signature(
    message: bytes, part: str, data: st.DataObject
) -> None:
    key = SigningKey.generate()
    parts = {"public": key.public.raw, "signature": key.sign(message)}
    changed = bytearray(parts[part])
    for at in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=2)):
        changed[at] ^= 1 << data.draw(st.integers(0, 7))
    parts[part] = bytes(changed)
    try:
        VerifyKey(parts["public"]).verify(message, parts["signature"])
    except NotAuthentic:
        assert not openssl_accepts(message=message, **parts)
    else:
        assert openssl_accepts(message=message, **parts)


def test_a_signature_with_a_scalar_above_the_order_is_refused() -> None:
    # RFC 8032 8.4: else a second signature of the same message could be made without the key.
    key = SigningKey.generate()
    signature = key.sign(b"m")
    more = int.from_bytes(signature[32:], "little") + ORDER
    with pytest.raises(NotAuthentic):
        key.public.verify(b"m", signature[:32] + more.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 1, 63, 65])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        SigningKey.generate().public.verify(b"m", bytes(size))


def test_a_signature_of_another_key_or_message_is_refused() -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    with pytest.raises(NotAuthentic):
        other.public.verify(b"m", key.sign(b"m"))
    with pytest.raises(NotAuthentic):
        key.public.verify(b"n", key.sign(b"m"))


def small_order_encodings() -> set[bytes]:
    """Every 32-byte string that decodes to a point of order 1, 2, 4 or 8, from the curve equation."""
    # x^2 = (y^2 - 1) / (d y^2 + 1). Order 1 and 2: x = 0. Order 4: y = 0. Order 8: doubling gives y = 0,
    # that is y^2 + x^2 = 0, so y^2 = -x^2 and d y^4 + 2 y^2 - 1 = 0.
    ys = {0, 1, P - 1}
    root_of = pow(2, (P - 1) // 4, P)  # of -1

    def square_root(value: int) -> int | None:
        candidate = pow(value, (P + 3) // 8, P)
        for root in (candidate, candidate * root_of % P):
            if root * root % P == value % P:
                return root
        return None

    discriminant = square_root(1 + D)
    assert discriminant is not None
    for sign in (1, -1):
        y = square_root((-1 + sign * discriminant) * pow(D, -1, P) % P)
        if y is not None:
            ys |= {y, P - y}
    assert len(ys) == 5
    values = ys | {y + P for y in ys if y + P < 1 << 255}
    return {(y | sign << 255).to_bytes(32, "little") for y in values for sign in (0, 1)}


def test_every_public_key_of_small_order_is_refused() -> None:
    encodings = small_order_encodings()
    assert len(encodings) == 14
    for raw in encodings:
        with pytest.raises(InvalidInput, match="small order"):
            VerifyKey(raw)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput):
        VerifyKey(b"\x07" * size)
    with pytest.raises(InvalidInput):
        SigningKey.from_bytes(b"\x07" * size)


def test_the_private_key_does_not_show_in_its_representation() -> None:
    key = SigningKey.generate()
    assert key.to_bytes().hex() not in repr(key)
    assert SigningKey.from_bytes(key.to_bytes()).public == key.public
