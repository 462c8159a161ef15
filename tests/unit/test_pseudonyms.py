# SPDX-License-Identifier: EUPL-1.2
"""Pseudonyms by two evaluators: what agrees, what differs, and what neither evaluator can do alone."""

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis import oprf
from sluis import ristretto255 as group
from sluis.encoding import lp
from sluis.errors import InvalidInput, NotAuthentic
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.oprf import KeyPair
from sluis.pseudonyms import (
    BlindedBatch,
    EvaluatorShare,
    Pseudonym,
    PseudonymisationDomain,
    blind_identifiers,
    check_pseudonym,
)
from sluis.ristretto255 import IDENTITY, ORDER, SecretScalars

SEEDS = (b"\x11" * 31 + b"\x01", b"\x22" * 31 + b"\x02")  # one per evaluator
SNA, SNCU = Oin("00000003123456780000"), Oin("00000003876543210000")
FIRM = Identifier(type=IdentifierType.KVK, value="12345678")
OTHER = Identifier(type=IdentifierType.VESTIGING, value="000012345678")
DOMAIN = PseudonymisationDomain(agreement="waadi-14b", recipient=SNA, epoch="2026")


def keys_of(domain: PseudonymisationDomain) -> list[KeyPair]:
    return [oprf.derive_key_pair(seed, domain.info()) for seed in SEEDS]


def answer(keys: KeyPair, elements: bytes) -> EvaluatorShare:
    evaluated = oprf.blind_evaluate(keys.secret, elements)
    proof = oprf.generate_proof(keys, elements, evaluated)
    return EvaluatorShare(public=keys.public, evaluated=evaluated, proof=proof)


def shares_for(batch: BlindedBatch, domain: PseudonymisationDomain = DOMAIN) -> list[EvaluatorShare]:
    return [answer(keys, batch.elements) for keys in keys_of(domain)]


def pseudonymise(identifier: Identifier, domain: PseudonymisationDomain = DOMAIN) -> Pseudonym:
    batch = blind_identifiers([identifier])
    return batch.finish(shares_for(batch, domain))[0]


def number(secret: SecretScalars) -> int:
    return int.from_bytes(secret.reveal(), "little")


def test_the_domain_info_is_length_prefixed() -> None:
    assert DOMAIN.info() == lp("sluis/v1/domain", "waadi-14b", SNA, "2026")
    assert PseudonymisationDomain.from_info(DOMAIN.info()) == DOMAIN


def test_the_same_firm_has_the_same_pseudonym_however_it_was_blinded() -> None:
    assert blind_identifiers([FIRM]).elements != blind_identifiers([FIRM]).elements
    assert pseudonymise(FIRM) == pseudonymise(FIRM)
    assert len(pseudonymise(FIRM)) == 16


def test_a_pseudonym_is_the_rfc_output_under_the_sum_of_the_keys() -> None:
    first, second = keys_of(DOMAIN)
    total = (number(first.secret) + number(second.secret)) % ORDER
    whole = SecretScalars.from_bytes(total.to_bytes(32, "little"))
    assert pseudonymise(FIRM) == oprf.evaluate(whole, FIRM.oprf_input())[:16]


def test_the_rfc_vectors_hold_with_the_key_split_at_random_between_two_evaluators() -> None:
    path = Path(__file__).parent.parent / "vectors" / "rfc9497-ristretto255-sha512.json"
    suite = next(suite for suite in json.loads(path.read_text()) if suite["mode"] == 1)
    whole = int.from_bytes(bytes.fromhex(suite["skSm"]), "little")
    first = SecretScalars.random()
    rest = ((whole - number(first)) % ORDER).to_bytes(32, "little")
    shares = [KeyPair.of(first), KeyPair.of(SecretScalars.from_bytes(rest))]
    for vector in suite["vectors"]:
        inputs = tuple(bytes.fromhex(part) for part in vector["Input"].split(","))
        blinds, elements = oprf.blind_batch(inputs)
        batch = BlindedBatch(elements=elements, _inputs=inputs, _blinds=blinds, _evaluators=2)
        outputs = [bytes.fromhex(part) for part in vector["Output"].split(",")]
        assert batch.finish([answer(keys, elements) for keys in shares]) == [out[:16] for out in outputs]


def test_two_recipients_hold_different_pseudonyms_of_the_same_firm() -> None:
    assert pseudonymise(FIRM) != pseudonymise(FIRM, replace(DOMAIN, recipient=SNCU))


def test_another_agreement_or_epoch_gives_another_pseudonym() -> None:
    made = {
        pseudonymise(FIRM),
        pseudonymise(FIRM, replace(DOMAIN, agreement="waadi-14c")),
        pseudonymise(FIRM, replace(DOMAIN, epoch="2027")),
    }
    assert len(made) == 3


def test_equal_digits_of_another_type_give_another_pseudonym() -> None:
    # A BSN and an RSIN share one number space.
    bsn = Identifier(type=IdentifierType.BSN, value="999990019")
    rsin = Identifier(type=IdentifierType.RSIN, value="999990019")
    assert pseudonymise(bsn) != pseudonymise(rsin)


def test_one_blinded_batch_serves_every_domain_and_epoch() -> None:
    batch = blind_identifiers([FIRM, OTHER])
    later = replace(DOMAIN, epoch="2027")
    assert batch.finish(shares_for(batch)) == [pseudonymise(FIRM), pseudonymise(OTHER)]
    assert batch.finish(shares_for(batch, later)) == [pseudonymise(FIRM, later), pseudonymise(OTHER, later)]


def test_the_order_of_the_evaluators_does_not_matter() -> None:
    batch = blind_identifiers([FIRM, OTHER])
    shares = shares_for(batch)
    assert batch.finish(shares) == batch.finish(shares[::-1])


def test_three_evaluators_work_the_same_way() -> None:
    batch = blind_identifiers([FIRM], evaluators=3)
    keys = [*keys_of(DOMAIN), oprf.derive_key_pair(b"\x33" * 31 + b"\x03", DOMAIN.info())]
    total = sum(number(one.secret) for one in keys) % ORDER
    whole = SecretScalars.from_bytes(total.to_bytes(32, "little"))
    found = batch.finish([answer(one, batch.elements) for one in keys])
    assert found == [oprf.evaluate(whole, FIRM.oprf_input())[:16]]
    with pytest.raises(InvalidInput):
        batch.finish(shares_for(batch))


@pytest.mark.parametrize("only", [0, 1])
def test_either_evaluators_key_alone_does_not_yield_the_pseudonym(only: int) -> None:
    pseudonym = pseudonymise(FIRM)
    keys = keys_of(DOMAIN)[only]
    # All that the holder of one key can compute about a firm it guesses right:
    assert oprf.evaluate(keys.secret, FIRM.oprf_input())[:16] != pseudonym
    # ... and what a client would get who took one evaluator's answer, or that answer twice.
    batch = blind_identifiers([FIRM])
    share = answer(keys, batch.elements)
    assert oprf.finalize_batch(batch._inputs, batch._blinds, share.evaluated)[0][:16] != pseudonym
    twice = group.add_each(share.evaluated, share.evaluated)
    assert oprf.finalize_batch(batch._inputs, batch._blinds, twice)[0][:16] != pseudonym
    with pytest.raises(InvalidInput):
        batch.finish([share])
    with pytest.raises(NotAuthentic):
        batch.finish([share, share])


@pytest.mark.parametrize("only", [0, 1])
def test_the_pseudonym_depends_on_both_keys(only: int) -> None:
    keys = keys_of(DOMAIN)
    keys[only] = oprf.derive_key_pair(b"\x44" * 31 + b"\x04", DOMAIN.info())
    batch = blind_identifiers([FIRM])
    assert batch.finish([answer(one, batch.elements) for one in keys]) != [pseudonymise(FIRM)]


def test_what_an_evaluator_sees_tells_two_firms_apart_in_no_way() -> None:
    # Every blinded element fits every firm: for each firm there is a blind that leads to it.
    # Checked here on logarithms: blinding firm A with b equals blinding firm B with b * log_B(A).
    blind_a = SecretScalars.from_bytes((7).to_bytes(32, "little"))
    point = group.multiply_base(SecretScalars.from_bytes((5).to_bytes(32, "little")))
    other = group.multiply_base(SecretScalars.from_bytes((11).to_bytes(32, "little")))
    same = 7 * 5 * pow(11, -1, ORDER) % ORDER
    blind_b = SecretScalars.from_bytes(same.to_bytes(32, "little"))
    assert group.multiply_all(blind_a, point) == group.multiply_all(blind_b, other)


def test_a_wrong_proof_is_refused_whichever_evaluator_gave_it() -> None:
    batch = blind_identifiers([FIRM, OTHER])
    for wrong in (0, 1):
        shares = shares_for(batch)
        proof = shares[wrong].proof
        shares[wrong] = replace(shares[wrong], proof=proof[:-1] + bytes([proof[-1] ^ 1]))
        with pytest.raises(NotAuthentic) as caught:
            batch.finish(shares)
        assert caught.value.code == "proof-wrong"


def test_swapped_elements_are_refused() -> None:
    batch = blind_identifiers([FIRM, OTHER])
    first, second = shares_for(batch)
    swapped = replace(first, evaluated=first.evaluated[32:] + first.evaluated[:32])
    with pytest.raises(NotAuthentic):
        batch.finish([swapped, second])


def test_swapped_public_shares_are_refused() -> None:
    batch = blind_identifiers([FIRM])
    first, second = shares_for(batch)
    with pytest.raises(NotAuthentic):
        batch.finish([replace(first, public=second.public), replace(second, public=first.public)])


def test_an_answer_to_another_batch_is_refused() -> None:
    batch, other = blind_identifiers([FIRM]), blind_identifiers([FIRM])
    with pytest.raises(NotAuthentic):
        batch.finish(shares_for(other))


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("bad", [IDENTITY, bytes.fromhex("00" + "ff" * 31), bytes(31), b"", bytes(64)])
def test_a_bad_or_missing_element_is_refused_with_and_without_proofs(bad: bytes, verify: bool) -> None:
    batch = blind_identifiers([FIRM, OTHER])
    first, second = shares_for(batch)
    with pytest.raises(InvalidInput) as caught:
        batch.finish([first, replace(second, evaluated=second.evaluated[:32] + bad)], verify=verify)
    assert caught.value.code == "malformed-element"


def test_without_verification_a_false_answer_gives_another_pseudonym_unseen() -> None:
    # What the option to skip proofs gives up, so that nobody takes it for free.
    batch = blind_identifiers([FIRM])
    first, second = shares_for(batch)
    false = replace(second, evaluated=oprf.blind_evaluate(SecretScalars.random(), batch.elements))
    assert batch.finish([first, false], verify=False) != [pseudonymise(FIRM)]
    with pytest.raises(NotAuthentic):
        batch.finish([first, false])


def test_a_batch_is_neither_empty_nor_over_the_rfcs_limit() -> None:
    with pytest.raises(InvalidInput) as caught:
        blind_identifiers([])
    assert caught.value.code == "malformed-request"
    with pytest.raises(InvalidInput) as caught:
        blind_identifiers([FIRM] * 65_536)
    assert caught.value.code == "batch-too-large"


def test_fewer_than_two_evaluators_are_refused() -> None:
    with pytest.raises(InvalidInput):
        blind_identifiers([FIRM], evaluators=1)


def test_a_batch_shows_no_input_in_its_repr() -> None:
    shown = repr(blind_identifiers([FIRM]))
    assert FIRM.value not in shown
    assert FIRM.oprf_input().hex() not in shown


@pytest.mark.parametrize(
    "change",
    [
        {"agreement": ""},
        {"agreement": "a|b"},
        {"agreement": "a" * 65},
        {"agreement": "waadi-14b\n"},
        {"epoch": ""},
        {"epoch": "2026\n"},
        {"epoch": "2" * 17},
        {"epoch": "tweeduizend é"},
        {"recipient": "00000003123456780000"},
    ],
)
def test_a_domain_of_another_form_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        replace(DOMAIN, **change)  # type: ignore[arg-type]  # wrong on purpose


@given(st.binary(max_size=120) | st.lists(st.binary(max_size=20), max_size=6).map(lambda p: lp(*p)))
@settings(max_examples=100)
def test_any_bytes_are_a_canonical_domain_or_refused(data: bytes) -> None:
    try:
        domain = PseudonymisationDomain.from_info(data)
    except InvalidInput:
        return
    assert domain.info() == data


@given(st.integers(0, len(DOMAIN.info()) - 1), st.integers(1, 255))
@settings(max_examples=60)
def test_a_changed_domain_is_another_domain_or_refused(at: int, mask: int) -> None:
    data = bytearray(DOMAIN.info())
    data[at] ^= mask
    with suppress(InvalidInput):
        assert PseudonymisationDomain.from_info(bytes(data)) != DOMAIN


def test_a_pseudonym_has_16_bytes() -> None:
    digest = hashlib.sha256(b"").digest()
    assert check_pseudonym(digest[:16]) == digest[:16]
    for wrong in (b"", digest[:15], digest):
        with pytest.raises(InvalidInput):
            check_pseudonym(wrong)
