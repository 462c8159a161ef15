# SPDX-License-Identifier: EUPL-1.2
"""RFC 9497: its vectors, the key split in two, an independent implementation, and what is refused."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voprf import ristretto as oracle

from sluis import oprf
from sluis import ristretto255 as group
from sluis.errors import InvalidInput, NotAuthentic
from sluis.oprf import KeyPair, Mode
from sluis.ristretto255 import IDENTITY, ORDER, SecretScalars

VECTORS = Path(__file__).parent.parent / "vectors" / "rfc9497-ristretto255-sha512.json"
SUITES = json.loads(VECTORS.read_text())
CASES = [(suite, vector) for suite in SUITES for vector in suite["vectors"]]
KEYS = oprf.derive_key_pair(b"\x01" * 32, b"tests")
NOT_CANONICAL = bytes.fromhex("00" + "ff" * 31)


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace(",", ""))


def each(text: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in text.split(",")]


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def split(secret: SecretScalars) -> tuple[KeyPair, KeyPair]:
    """Split a key at random: k = k1 + k2 modulo the order."""
    first = SecretScalars.random()
    rest = (int.from_bytes(secret.reveal(), "little") - int.from_bytes(first.reveal(), "little")) % ORDER
    return KeyPair.of(first), KeyPair.of(SecretScalars.from_bytes(rest.to_bytes(32, "little")))


def test_the_vectors_are_all_there() -> None:
    assert [(suite["mode"], len(suite["vectors"])) for suite in SUITES] == [(0, 2), (1, 3)]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"mode{suite['mode']}")
def test_keys_are_derived_as_in_the_rfc(suite: dict[str, Any]) -> None:
    keys = oprf.derive_key_pair(unhex(suite["seed"]), unhex(suite["keyInfo"]), Mode(suite["mode"]))
    assert keys.secret.reveal() == unhex(suite["skSm"])
    if "pkSm" in suite:
        assert keys.public == unhex(suite["pkSm"])


@pytest.mark.parametrize(("suite", "vector"), CASES)
def test_every_step_agrees_with_the_rfc(suite: dict[str, Any], vector: dict[str, Any]) -> None:
    mode, inputs = Mode(suite["mode"]), each(vector["Input"])
    keys = oprf.derive_key_pair(unhex(suite["seed"]), unhex(suite["keyInfo"]), mode)
    blinds, blinded = oprf.blind_batch(inputs, mode, scalars=SecretScalars.from_bytes(unhex(vector["Blind"])))
    assert blinded == unhex(vector["BlindedElement"])
    evaluated = oprf.blind_evaluate(keys.secret, blinded)
    assert evaluated == unhex(vector["EvaluationElement"])
    assert oprf.finalize_batch(inputs, blinds, evaluated) == each(vector["Output"])
    assert [oprf.evaluate(keys.secret, data, mode) for data in inputs] == each(vector["Output"])
    if mode is Mode.VOPRF:
        nonce = SecretScalars.from_bytes(unhex(vector["Proof"]["r"]))
        proof = oprf.generate_proof(keys, blinded, evaluated, mode, r=nonce)
        assert proof == unhex(vector["Proof"]["proof"])
        oprf.verify_proof(keys.public, blinded, evaluated, proof, mode)


@pytest.mark.parametrize(("suite", "vector"), CASES)
def test_the_rfc_output_follows_from_a_key_split_in_two(
    suite: dict[str, Any], vector: dict[str, Any]
) -> None:
    mode, inputs = Mode(suite["mode"]), each(vector["Input"])
    whole = oprf.derive_key_pair(unhex(suite["seed"]), unhex(suite["keyInfo"]), mode)
    first, second = split(whole.secret)
    assert group.add_each(first.public, second.public) == whole.public
    blinds, blinded = oprf.blind_batch(inputs, mode)
    answers = []
    for share in (first, second):
        answer = oprf.blind_evaluate(share.secret, blinded)
        proof = oprf.generate_proof(share, blinded, answer, mode)
        oprf.verify_proof(share.public, blinded, answer, proof, mode)
        answers.append(answer)
    outputs = oprf.finalize_batch(inputs, blinds, group.add_each(*answers))
    assert outputs == each(vector["Output"])
    for alone in answers:
        assert not set(oprf.finalize_batch(inputs, blinds, alone)) & set(outputs)


@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=6), st.binary(max_size=40))
@settings(max_examples=25, deadline=None)
def test_our_evaluator_satisfies_an_independent_client(inputs: list[bytes], info: bytes) -> None:
    seed = b"\x07" * 32
    keys = oprf.derive_key_pair(seed, info)
    theirs = [oracle.Client.blind(data) for data in inputs]
    blinded = b"".join(message.serialize() for _, message in theirs)
    evaluated = oprf.blind_evaluate(keys.secret, blinded)
    proof = oprf.generate_proof(keys, blinded, evaluated)
    output = oracle.VerifiableBatchOutput.deserialize(proof + evaluated)
    public = oracle.PublicKey.deserialize(keys.public)
    outputs = oracle.Client.finalize_batch([client for client, _ in theirs], output, public)
    assert list(outputs) == [oprf.evaluate(keys.secret, data) for data in inputs]


@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=6), st.binary(max_size=40))
@settings(max_examples=25, deadline=None)
def test_an_independent_evaluator_satisfies_our_client(inputs: list[bytes], info: bytes) -> None:
    theirs = oracle.Evaluator.from_seed(b"\x09" * 32, info)
    blinds, blinded = oprf.blind_batch(inputs)
    messages = [oracle.BlindedInput.deserialize(blinded[at : at + 32]) for at in range(0, len(blinded), 32)]
    output = theirs.evaluate_batch(messages).serialize()
    proof, evaluated = output[:64], output[64:]
    public = group.check_element(theirs.public_key.serialize())
    assert public == oprf.derive_key_pair(b"\x09" * 32, info).public
    oprf.verify_proof(public, blinded, evaluated, proof)
    outputs = oprf.finalize_batch(inputs, blinds, evaluated)
    assert outputs == [bytes(theirs.evaluate_known_input(data)) for data in inputs]
    with pytest.raises(NotAuthentic):
        oprf.verify_proof(KEYS.public, blinded, evaluated, proof)


def batch(count: int) -> tuple[SecretScalars, bytes, bytes, bytes]:
    blinds, blinded = oprf.blind_batch([b"input %d" % number for number in range(count)])
    evaluated = oprf.blind_evaluate(KEYS.secret, blinded)
    return blinds, blinded, evaluated, oprf.generate_proof(KEYS, blinded, evaluated)


@given(st.integers(0, 64 * 8 - 1))
@settings(max_examples=60, deadline=None)
def test_a_proof_with_any_bit_flipped_is_wrong(bit: int) -> None:
    _, blinded, evaluated, proof = batch(2)
    with pytest.raises(NotAuthentic) as caught:
        oprf.verify_proof(KEYS.public, blinded, evaluated, flip(proof, bit))
    assert caught.value.code == "proof-wrong"


@given(st.binary(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_bytes_in_place_of_a_proof_are_wrong(proof: bytes) -> None:
    _, blinded, evaluated, _ = batch(1)
    with pytest.raises(NotAuthentic):
        oprf.verify_proof(KEYS.public, blinded, evaluated, proof)


@pytest.mark.parametrize("half", [0, 32])
@pytest.mark.parametrize("number", [0, ORDER])
def test_a_proof_with_a_scalar_out_of_range_is_wrong(half: int, number: int) -> None:
    _, blinded, evaluated, proof = batch(1)
    bad = proof[:half] + number.to_bytes(32, "little") + proof[half + 32 :]
    with pytest.raises(NotAuthentic):
        oprf.verify_proof(KEYS.public, blinded, evaluated, bad)


def test_a_proof_is_not_malleable_by_the_group_order() -> None:
    _, blinded, evaluated, proof = batch(1)
    response = int.from_bytes(proof[32:], "little") + ORDER
    with pytest.raises(NotAuthentic):
        oprf.verify_proof(KEYS.public, blinded, evaluated, proof[:32] + response.to_bytes(32, "little"))


def test_elements_swapped_within_a_batch_are_noticed() -> None:
    _, blinded, evaluated, proof = batch(3)
    swapped = evaluated[32:64] + evaluated[:32] + evaluated[64:]
    for wrong in (
        (blinded, swapped),
        (swapped, blinded),
        (blinded[32:64] + blinded[:32] + blinded[64:], swapped),
    ):
        with pytest.raises(NotAuthentic):
            oprf.verify_proof(KEYS.public, *wrong, proof)


def test_one_element_evaluated_with_another_key_is_noticed() -> None:
    _, blinded, evaluated, _ = batch(3)
    other = oprf.derive_key_pair(b"\x02" * 32, b"tests")
    mixed = evaluated[:64] + oprf.blind_evaluate(other.secret, blinded[64:])
    proof = oprf.generate_proof(KEYS, blinded, mixed)  # the best such an evaluator can do
    with pytest.raises(NotAuthentic):
        oprf.verify_proof(KEYS.public, blinded, mixed, proof)


def test_a_proof_does_not_hold_for_another_key_batch_or_mode() -> None:
    _, blinded, evaluated, proof = batch(2)
    oprf.verify_proof(KEYS.public, blinded, evaluated, proof)
    other = oprf.derive_key_pair(b"\x02" * 32, b"tests")
    for arguments in (
        (other.public, blinded, evaluated, proof, Mode.VOPRF),
        (KEYS.public, blinded[:32], evaluated[:32], proof, Mode.VOPRF),
        (KEYS.public, blinded, evaluated, proof, Mode.OPRF),
    ):
        with pytest.raises(NotAuthentic):
            oprf.verify_proof(*arguments)


def test_elements_that_are_none_are_refused_before_any_answer() -> None:
    _, blinded, evaluated, proof = batch(2)
    for bad in (IDENTITY, NOT_CANONICAL):
        for refuse in (
            partial(oprf.blind_evaluate, KEYS.secret, blinded[:32] + bad),
            partial(oprf.verify_proof, KEYS.public, blinded, evaluated[:32] + bad, proof),
            partial(oprf.verify_proof, KEYS.public, blinded[:32] + bad, evaluated, proof),
            partial(oprf.verify_proof, group.Element(bad), blinded, evaluated, proof),
            partial(oprf.generate_proof, KEYS, blinded[:32] + bad, evaluated),
            partial(oprf.finalize, b"input 0", SecretScalars.random(), bad),
        ):
            with pytest.raises(InvalidInput) as caught:
                refuse()
            assert caught.value.code == "malformed-element"


@pytest.mark.parametrize("cut", [1, 31, 33])
def test_a_truncated_batch_is_refused(cut: int) -> None:
    blinds, blinded, evaluated, proof = batch(2)
    inputs = [b"input 0", b"input 1"]
    for refuse in (
        lambda: oprf.blind_evaluate(KEYS.secret, blinded[:-cut]),
        lambda: oprf.verify_proof(KEYS.public, blinded, evaluated[:-cut], proof),
        lambda: oprf.finalize_batch(inputs, blinds, evaluated[:-cut]),
    ):
        with pytest.raises(InvalidInput) as caught:
            refuse()
        assert caught.value.code == "malformed-element"


def test_a_batch_short_of_one_element_is_refused() -> None:
    blinds, blinded, evaluated, proof = batch(2)
    for refuse in (
        lambda: oprf.verify_proof(KEYS.public, blinded, evaluated[:32], proof),
        lambda: oprf.generate_proof(KEYS, blinded, evaluated[:32]),
        lambda: oprf.finalize_batch([b"input 0", b"input 1"], blinds, evaluated[:32]),
        lambda: oprf.finalize_batch([b"input 0"], blinds, evaluated[:32]),
    ):
        with pytest.raises(InvalidInput):
            refuse()


def test_an_empty_batch_is_refused() -> None:
    for refuse in (
        lambda: oprf.blind_batch([]),
        lambda: oprf.blind_evaluate(KEYS.secret, b""),
        lambda: oprf.generate_proof(KEYS, b"", b""),
        lambda: oprf.verify_proof(KEYS.public, b"", b"", bytes(64)),
        lambda: oprf.finalize_batch([], SecretScalars.random(0), b""),
    ):
        with pytest.raises(InvalidInput) as caught:
            refuse()
        assert caught.value.code == "malformed-request"


def test_more_than_65535_elements_are_refused_at_once() -> None:
    one = oprf.GENERATOR
    assert oprf.check_batch(one * 65_535) == 65_535
    for refuse in (
        lambda: oprf.blind_batch([b""] * 65_536),
        lambda: oprf.blind_evaluate(KEYS.secret, one * 65_536),
        lambda: oprf.generate_proof(KEYS, one * 65_536, one * 65_536),
        lambda: oprf.verify_proof(KEYS.public, one * 65_536, one * 65_536, bytes(64)),
    ):
        with pytest.raises(InvalidInput) as caught:
            refuse()
        assert caught.value.code == "batch-too-large"


def test_inputs_seeds_and_keys_of_the_wrong_size_are_refused() -> None:
    for refuse in (
        lambda: oprf.blind(bytes(65_536)),
        lambda: oprf.evaluate(KEYS.secret, bytes(65_536)),
        lambda: oprf.derive_key_pair(bytes(31), b""),
        lambda: oprf.derive_key_pair(bytes(32), bytes(65_536)),
        lambda: KeyPair(secret=SecretScalars.random(2), public=KEYS.public),
        lambda: KeyPair(secret=KEYS.secret, public=group.Element(IDENTITY)),
    ):
        with pytest.raises(InvalidInput):
            refuse()


def test_blinding_hides_the_input() -> None:
    first, second = oprf.blind(b"12345678")[1], oprf.blind(b"12345678")[1]
    assert first != second


def nonce_of(proof: bytes) -> int:
    """Work the nonce back out of a proof with the key in hand: r = s + c * k."""
    challenge, response = (int.from_bytes(half, "little") for half in (proof[:32], proof[32:]))
    return (response + challenge * int.from_bytes(KEYS.secret.reveal(), "little")) % ORDER


def test_two_proofs_of_one_batch_share_no_nonce() -> None:
    # Two responses with one nonce give the key away.
    _, blinded, evaluated, first = batch(1)
    second = oprf.generate_proof(KEYS, blinded, evaluated)
    assert nonce_of(first) != nonce_of(second)


def test_a_failing_random_generator_does_not_repeat_a_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_bytes", bytes)  # always zeros
    _, blinded, evaluated, first = batch(1)
    assert oprf.generate_proof(KEYS, blinded, evaluated) == first  # the same proof: nothing is learnt
    _, _, _, other = batch(1)
    assert nonce_of(first) != nonce_of(other)
    # Nor can who knows the randomness work it out: the key is mixed in too.
    stranger = SecretScalars.random()
    assert oprf._nonce(KEYS.secret, b"t").reveal() != oprf._nonce(stranger, b"t").reveal()


def test_the_generator_is_the_groups() -> None:
    assert group.multiply_base(SecretScalars.from_bytes((1).to_bytes(32, "little"))) == oprf.GENERATOR
