# SPDX-License-Identifier: EUPL-1.2
"""HPKE against published vectors, opened; encapsulation randomness cannot be fixed through the library.

Source: the package `cryptography_vectors` (HPKE/test-vectors.json of RFC 9180, HPKE/hpke-pq-test-vectors.json
of draft-ietf-hpke-pq). Its ciphertexts carry AAD, which the library opens through a private call only: the
call is used here and nowhere else. `test_the_public_call_opens_...` ties that call to the public one.
"""

import hashlib
import json
from functools import cache
from typing import Any

import cryptography_vectors
import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sluis.errors import InvalidInput, NotAuthentic
from sluis.sealing_keys import SealingKey, SealingPublicKey, Suite

X25519_KEM, XWING_KEM = 0x0020, 0x647A
KDFS = {1: hpke.KDF.HKDF_SHA256, 3: hpke.KDF.HKDF_SHA512, 16: hpke.KDF.SHAKE128, 17: hpke.KDF.SHAKE256}
AEADS = {1: hpke.AEAD.AES_128_GCM, 2: hpke.AEAD.AES_256_GCM, 3: hpke.AEAD.CHACHA20_POLY1305}


@cache
def vectors(name: str, kem: int) -> list[dict[str, Any]]:
    with cryptography_vectors.open_vector_file(f"HPKE/{name}", "r") as file:
        everything = json.load(file)
    return [
        item
        for item in everything
        if (item["mode"], item["kem_id"]) == (0, kem) and item["kdf_id"] in KDFS and item["aead_id"] in AEADS
    ]


def raw(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def xwing_private(seed: bytes) -> hpke.MLKEM768X25519PrivateKey:
    expanded = hashlib.shake_256(seed).digest(96)
    return hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    )


def open_first(vector: dict[str, Any], kem: hpke.KEM, key: Any) -> bytes:
    first = vector["encryptions"][0]
    suite = hpke.Suite(kem, KDFS[vector["kdf_id"]], AEADS[vector["aead_id"]])
    sealed = raw(vector, "enc") + raw(first, "ct")
    opened: bytes = openssl.hpke._decrypt_with_aad(suite, sealed, key, raw(vector, "info"), raw(first, "aad"))
    return opened


def test_the_rfc_9180_base_mode_vectors_of_x25519_open() -> None:
    found = vectors("test-vectors.json", X25519_KEM)
    assert len(found) == 6
    for vector in found:
        key = X25519PrivateKey.from_private_bytes(raw(vector, "skRm"))
        assert open_first(vector, hpke.KEM.X25519, key) == raw(vector["encryptions"][0], "pt")


def test_the_draft_vectors_of_xwing_open_and_their_seeds_give_our_public_keys() -> None:
    found = vectors("hpke-pq-test-vectors.json", XWING_KEM)
    assert len(found) == 2
    for vector in found:
        seed = raw(vector, "skRm")
        assert open_first(vector, hpke.KEM.MLKEM768_X25519, xwing_private(seed)) == raw(
            vector["encryptions"][0], "pt"
        ) or pytest.fail("opened to something else")
        assert SealingKey.from_bytes(seed + bytes(31) + b"\1").public.xwing == raw(vector, "pkRm")


@pytest.mark.parametrize("suite", Suite)
def test_the_public_call_opens_what_the_call_with_an_empty_aad_sealed(suite: Suite) -> None:
    key = SealingKey.generate()
    if suite is Suite.XWING:
        kem, public = hpke.KEM.MLKEM768_X25519, xwing_private(key.to_bytes()[:32]).public_key()
    else:
        kem = hpke.KEM.X25519
        public = X25519PrivateKey.from_private_bytes(key.to_bytes()[32:]).public_key()  # type: ignore[assignment]
    low = hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    sealed = openssl.hpke._encrypt_with_aad(low, b"k" * 32, public, b"info", b"")
    assert key.unwrap(suite, sealed, b"info") == b"k" * 32


@pytest.mark.parametrize("suite", Suite)
def test_a_wrapped_key_opens_for_its_owner_and_its_info_only(suite: Suite) -> None:
    key = SealingKey.generate()
    wrapped = key.public.wrap(suite, b"k" * 32, b"info")
    assert len(wrapped) == suite.wrapped_size
    assert SealingKey.from_bytes(key.to_bytes()).unwrap(suite, wrapped, b"info") == b"k" * 32
    attempts = [(SealingKey.generate(), wrapped, b"info"), (key, wrapped, b"other")]
    attempts += [(key, wrapped[:-1], b"info"), (key, b"", b"info"), (key, bytes(len(wrapped)), b"info")]
    attempts += [
        (key, wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :], b"info") for at in (0, -9)
    ]
    for other, data, info in attempts:
        with pytest.raises(NotAuthentic, match="ciphertext-wrong"):
            other.unwrap(suite, data, info)


def test_a_content_key_of_another_length_is_refused() -> None:
    key = SealingKey.generate()
    with pytest.raises(NotAuthentic, match="wrong length"):
        key.unwrap(Suite.XWING, key.public.wrap(Suite.XWING, b"short", b"i"), b"i")


def test_bytes_that_are_no_public_keys_are_refused() -> None:
    good = SealingKey.generate().public
    for xwing, x25519 in (
        (good.xwing[:-1], good.x25519),
        (good.xwing, good.x25519 + b"\0"),
        (b"\xff" * 1216, good.x25519),
        (b"", b""),
    ):
        with pytest.raises(InvalidInput, match="malformed-request"):
            SealingPublicKey(xwing=xwing, x25519=x25519)
    with pytest.raises(InvalidInput):
        SealingKey.from_bytes(bytes(63))


@pytest.mark.parametrize("suite", Suite)
def test_a_key_of_small_order_is_not_sealed_for(suite: Suite) -> None:
    good = SealingKey.generate().public
    weak = SealingPublicKey(xwing=good.xwing[:1184] + bytes(32), x25519=bytes(32))
    with pytest.raises(InvalidInput, match="small order"):
        weak.wrap(suite, b"k" * 32, b"info")
