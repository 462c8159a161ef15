# SPDX-License-Identifier: EUPL-1.2
"""Party cards: nobody but the certificate's owner can publish keys for an OIN."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_samples import BROKER, RECIPIENT, RECIPIENT_OIN, SENDER, SENDER_OIN

from sluis.canonical import canonical_json
from sluis.cards import PartyCard
from sluis.certificates import Authority
from sluis.errors import InvalidInput, NotAuthentic, SluisError
from sluis.identifiers import Oin
from sluis.sealing_keys import SealingKey

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
YEAR = timedelta(days=365)
AUTHORITY = Authority.create("Test CA", valid_from=NOW - 2 * YEAR, valid_until=NOW + 2 * YEAR)
ROOTS = [AUTHORITY.certificate]
KEY = ec.generate_private_key(ec.SECP256R1())
BROKER_KEY = ec.generate_private_key(ec.SECP256R1())
BROKER_OIN = Oin("00000099000000009000")


def make(
    *,
    oin: Oin = SENDER_OIN,
    certified: Oin = SENDER_OIN,
    key: ec.EllipticCurvePrivateKey = KEY,
    authority: Authority = AUTHORITY,
    valid_until: datetime = NOW + YEAR,
) -> PartyCard:
    leaf = authority.issue(
        key.public_key(), name="Party", oin=certified, valid_from=NOW - YEAR, valid_until=valid_until
    )
    return PartyCard.create(
        oin=oin,
        name="Stichting Voorbeeld",
        signing_key=SENDER.public,
        sealing_key=RECIPIENT.public,
        created_at=NOW + timedelta(microseconds=123_456),
        certificate_chain=[leaf],
        private_key=key,
    )


CARD = make()


def changed(**members: object) -> bytes:
    return canonical_json(json.loads(CARD.encode()) | members)


def test_a_card_verifies_and_reads_back() -> None:
    CARD.verify(ROOTS, NOW)
    parsed = PartyCard.parse(CARD.encode())
    assert parsed == CARD
    assert parsed.created_at == NOW + timedelta(milliseconds=123)
    parsed.verify(ROOTS, NOW)


@pytest.mark.parametrize(
    "members",
    [
        {"signing_key": BROKER.public.raw.hex()},
        {"sealing_keys": {"x25519": bytes(31).hex() + "09", "xwing": RECIPIENT.public.xwing.hex()}},
        {
            "sealing_keys": {
                "x25519": RECIPIENT.public.x25519.hex(),
                "xwing": SealingKey.generate().public.xwing.hex(),
            }
        },
        {"name": "Another"},
        {"created_at": "2026-07-01T09:00:00.124Z"},
        {"signature": ""},
        {"signature": "AAAA"},
    ],
)
def test_a_broker_that_changes_anything_on_a_card_is_found_out(members: dict[str, object]) -> None:
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        PartyCard.parse(changed(**members)).verify(ROOTS, NOW)


def test_a_broker_cannot_sign_a_participants_card_with_its_own_certificate() -> None:
    with pytest.raises(NotAuthentic, match="OIN is not the certificate's"):
        make(oin=SENDER_OIN, certified=BROKER_OIN, key=BROKER_KEY).verify(ROOTS, NOW)


def test_a_broker_cannot_put_a_participants_certificate_on_its_own_signature() -> None:
    card = make(key=BROKER_KEY)
    stolen = replace(card, certificate_chain=CARD.certificate_chain)
    signed = replace(stolen, signature=BROKER_KEY.sign(stolen.signed_bytes(), ec.ECDSA(hashes.SHA256())))
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        signed.verify(ROOTS, NOW)


def test_a_broker_cannot_use_an_authority_of_its_own() -> None:
    own = Authority.create("Test CA", valid_from=NOW - YEAR, valid_until=NOW + YEAR)
    with pytest.raises(NotAuthentic, match="certificate-untrusted"):
        make(key=BROKER_KEY, authority=own).verify(ROOTS, NOW)


def test_a_card_under_an_expired_certificate_is_refused() -> None:
    with pytest.raises(NotAuthentic, match="certificate-expired"):
        make(valid_until=NOW - timedelta(days=1)).verify(ROOTS, NOW)


def test_a_card_whose_oin_is_not_the_certificates_is_refused() -> None:
    with pytest.raises(NotAuthentic, match="signature-wrong"):
        PartyCard.parse(changed(oin=str(RECIPIENT_OIN))).verify(ROOTS, NOW)


@pytest.mark.parametrize(
    "members",
    [
        {"v": 2},
        {"v": True},
        {"v": "1"},
        {"extra": 1},
        {"oin": 1},
        {"oin": "123"},
        {"oin": " " + SENDER_OIN},
        {"name": ""},
        {"name": "a\u0000"},
        {"name": "x" * 201},
        {"signing_key": "00"},
        {"signing_key": SENDER.public.raw.hex().upper()},
        {"signing_key": " " + SENDER.public.raw.hex()},
        {"sealing_keys": []},
        {"sealing_keys": {}},
        {"sealing_keys": {"x25519": 1, "xwing": 2}},
        {"created_at": "2026-07-01T09:00:00Z"},
        {"created_at": "2026-07-01T09:00:00.123456Z"},
        {"created_at": "2026-07-01T09:00:00.123+00:00"},
        {"certificate_chain": []},
        {"certificate_chain": ["AAAA"]},
        {"certificate_chain": "AAAA"},
        {"certificate_chain": [1]},
        {"signature": "A"},
        {"signature": "AAA=\n"},
        {"signature": "AAB="},
        {"signature": None},
    ],
)
def test_a_card_with_a_wrong_member_is_refused(members: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        PartyCard.parse(changed(**members))


def test_a_card_that_lacks_a_member_is_refused() -> None:
    for name in json.loads(CARD.encode()):
        members = json.loads(CARD.encode())
        del members[name]
        with pytest.raises(InvalidInput):
            PartyCard.parse(canonical_json(members))


def test_a_card_in_another_form_of_json_is_refused() -> None:
    encoded = CARD.encode()
    for data in (
        b" " + encoded,
        json.dumps(json.loads(encoded)).encode(),
        encoded.replace(b'"v":1', b'"v":1,"v":1'),
        encoded.replace(b'"v":1', b'"v":1.0'),
        encoded + b" " * 40_000,
    ):
        with pytest.raises(InvalidInput):
            PartyCard.parse(data)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_card_with_one_changed_byte_is_refused(data: st.DataObject) -> None:
    encoded = bytearray(CARD.encode())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 127))
    with pytest.raises(SluisError):
        PartyCard.parse(bytes(encoded)).verify(ROOTS, NOW)


@settings(max_examples=100)
@given(data=st.binary(max_size=100))
def test_random_bytes_are_no_card(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        PartyCard.parse(data)
