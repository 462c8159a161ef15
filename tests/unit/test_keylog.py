# SPDX-License-Identifier: EUPL-1.2
"""Published key shares: rogue keys, changed keys, and every byte of a publication."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis import oprf
from sluis import ristretto255 as group
from sluis.encoding import lp, u64
from sluis.errors import InvalidInput, NotAuthentic, SluisError
from sluis.identifiers import Oin
from sluis.keylog import KeyLog, KeyPublication
from sluis.oprf import KeyPair
from sluis.pseudonyms import PseudonymisationDomain
from sluis.ristretto255 import IDENTITY, ORDER, Element, SecretScalars
from sluis.signing import SigningKey

EVALUATOR, OTHER_EVALUATOR = Oin("00000004000000010000"), Oin("00000004000000020000")
SNA = Oin("00000003123456780000")
DOMAIN = PseudonymisationDomain(agreement="waadi-14b", recipient=SNA, epoch="2026")
KEYS = oprf.derive_key_pair(b"\x05" * 32, DOMAIN.info())
SIGNER = SigningKey.from_bytes(b"\x06" * 32)


def publish(**changes: Any) -> KeyPublication:
    given: dict[str, Any] = {
        "evaluator": EVALUATOR,
        "domain": DOMAIN,
        "keys": KEYS,
        "signing_key": SIGNER,
        "created_at_ms": 1_767_225_600_000,
    }
    return KeyPublication.create(**given | changes)


PUBLICATION = publish()


def sign(publication: KeyPublication) -> KeyPublication:
    """Sign a publication as it stands, as a dishonest evaluator would."""
    message = lp("sluis/v1/domain-key-signature", publication.statement(), publication.proof_of_possession)
    return replace(publication, signature=SIGNER.sign(message))


def test_a_publication_has_the_documented_bytes() -> None:
    statement = lp(
        "sluis/v1/domain-key", EVALUATOR, "waadi-14b", SNA, "2026", KEYS.public, u64(1_767_225_600_000)
    )
    assert PUBLICATION.statement() == statement
    point = oprf.hash_to_group(lp("sluis/v1/possession", statement))
    image, proof = PUBLICATION.proof_of_possession[:32], PUBLICATION.proof_of_possession[32:]
    assert image == oprf.blind_evaluate(KEYS.secret, point)
    oprf.verify_proof(KEYS.public, point, image, proof)
    message = lp("sluis/v1/domain-key-signature", statement, PUBLICATION.proof_of_possession)
    SIGNER.public.verify(message, PUBLICATION.signature)


def test_an_honest_publication_is_read_back_and_holds() -> None:
    read = KeyPublication.from_bytes(
        PUBLICATION.statement(), PUBLICATION.proof_of_possession, PUBLICATION.signature
    )
    assert read == PUBLICATION
    read.verify(SIGNER.public)


def test_a_rogue_key_without_possession_is_refused() -> None:
    # pk2 = mine - pk1 would make k1 + k2 a key that the second evaluator knows alone.
    honest = oprf.derive_key_pair(b"\x01" * 32, DOMAIN.info())
    mine = KeyPair.of(SecretScalars.random())
    minus_honest = group.weighted_sum((ORDER - 1).to_bytes(32, "little"), honest.public)
    rogue = Element(group.add_each(mine.public, minus_honest))
    assert group.add_each(rogue, honest.public) == mine.public
    for possession in (
        PUBLICATION.proof_of_possession,
        publish(keys=mine).proof_of_possession,
        publish(keys=honest).proof_of_possession,
        forged_possession(mine, rogue),
    ):
        with pytest.raises(NotAuthentic) as caught:
            sign(replace(PUBLICATION, public=rogue, proof_of_possession=possession)).verify(SIGNER.public)
        assert caught.value.code == "proof-wrong"


def forged_possession(mine: KeyPair, rogue: Element) -> bytes:
    """Prove with the key that is known, over the statement about the rogue share."""
    statement = replace(PUBLICATION, public=rogue).statement()
    point = oprf.hash_to_group(lp("sluis/v1/possession", statement))
    image = oprf.blind_evaluate(mine.secret, point)
    return image + oprf.generate_proof(KeyPair(secret=mine.secret, public=rogue), point, image)


def test_possession_proven_for_another_evaluator_domain_or_time_does_not_count() -> None:
    for changes in (
        {"evaluator": OTHER_EVALUATOR},
        {"domain": replace(DOMAIN, epoch="2027")},
        {"domain": replace(DOMAIN, recipient=EVALUATOR)},
        {"created_at_ms": 5},
    ):
        copied = publish(**changes).proof_of_possession
        with pytest.raises(NotAuthentic) as caught:
            sign(replace(PUBLICATION, proof_of_possession=copied)).verify(SIGNER.public)
        assert caught.value.code == "proof-wrong"


def test_an_image_that_is_no_element_is_refused() -> None:
    for bad in (IDENTITY, bytes.fromhex("00" + "ff" * 31)):
        possession = bad + PUBLICATION.proof_of_possession[32:]
        with pytest.raises(NotAuthentic) as caught:
            sign(replace(PUBLICATION, proof_of_possession=possession)).verify(SIGNER.public)
        assert caught.value.code == "proof-wrong"


def test_another_signers_publication_is_refused() -> None:
    with pytest.raises(NotAuthentic) as caught:
        PUBLICATION.verify(SigningKey.from_bytes(b"\x07" * 32).public)
    assert caught.value.code == "signature-wrong"


@given(st.sampled_from([0, 1, 2]), st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_a_changed_byte_anywhere_is_refused(part: int, at: int, mask: int) -> None:
    parts = [PUBLICATION.statement(), PUBLICATION.proof_of_possession, PUBLICATION.signature]
    changed = bytearray(parts[part])
    changed[at % len(changed)] ^= mask
    parts[part] = bytes(changed)
    with pytest.raises(SluisError) as caught:
        KeyPublication.from_bytes(*parts).verify(SIGNER.public)
    assert isinstance(caught.value, InvalidInput | NotAuthentic)


@given(st.binary(max_size=200), st.binary(max_size=100), st.binary(max_size=70))
@settings(max_examples=60)
def test_any_bytes_are_refused(statement: bytes, possession: bytes, signature: bytes) -> None:
    with pytest.raises(InvalidInput):
        KeyPublication.from_bytes(statement, possession, signature)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([SNA.encode(), KEYS.public, bytes(8)]), max_size=8))
@settings(max_examples=60)
def test_any_parts_behind_the_label_are_refused_or_canonical(parts: list[bytes]) -> None:
    statement = lp("sluis/v1/domain-key", *parts)
    try:
        read = KeyPublication.from_bytes(statement, bytes(96), bytes(64))
    except InvalidInput:
        return
    assert read.statement() == statement


@pytest.mark.parametrize("cut", [1, 32])
def test_truncated_publications_are_refused(cut: int) -> None:
    parts = [PUBLICATION.statement(), PUBLICATION.proof_of_possession, PUBLICATION.signature]
    for number in range(3):
        for changed in (parts[number][:-cut], parts[number] + bytes(cut)):
            cut_parts = [*parts[:number], changed, *parts[number + 1 :]]
            with pytest.raises(InvalidInput):
                KeyPublication.from_bytes(cut_parts[0], cut_parts[1], cut_parts[2])


def test_the_identity_is_no_public_share() -> None:
    statement = PUBLICATION.statement().replace(KEYS.public, IDENTITY)
    with pytest.raises(InvalidInput) as caught:
        KeyPublication.from_bytes(statement, PUBLICATION.proof_of_possession, PUBLICATION.signature)
    assert caught.value.code == "malformed-element"


@pytest.mark.parametrize("time", [-1, 1 << 64])
def test_a_time_out_of_range_is_refused(time: int) -> None:
    with pytest.raises(InvalidInput):
        replace(PUBLICATION, created_at_ms=time)


def test_the_log_gives_the_share_it_verified() -> None:
    log = KeyLog()
    log.add(PUBLICATION, SIGNER.public)
    log.add(publish(created_at_ms=7), SIGNER.public)  # the same share again is no change
    assert log.public(EVALUATOR, DOMAIN) == KEYS.public


def test_a_share_that_is_not_logged_is_refused() -> None:
    log = KeyLog()
    log.add(PUBLICATION, SIGNER.public)
    for evaluator, domain in (
        (OTHER_EVALUATOR, DOMAIN),
        (EVALUATOR, replace(DOMAIN, epoch="2027")),
    ):
        with pytest.raises(NotAuthentic) as caught:
            log.public(evaluator, domain)
        assert caught.value.code == "key-not-logged"


def test_another_share_for_the_same_domain_is_refused_and_not_kept() -> None:
    log = KeyLog()
    log.add(PUBLICATION, SIGNER.public)
    with pytest.raises(NotAuthentic) as caught:
        log.add(publish(keys=KeyPair.of(SecretScalars.random())), SIGNER.public)
    assert caught.value.code == "key-changed"
    assert log.public(EVALUATOR, DOMAIN) == KEYS.public


def test_the_log_keeps_nothing_that_does_not_verify() -> None:
    log = KeyLog()
    with pytest.raises(NotAuthentic):
        log.add(replace(PUBLICATION, signature=bytes(64)), SIGNER.public)
    with pytest.raises(NotAuthentic):
        log.public(EVALUATOR, DOMAIN)
