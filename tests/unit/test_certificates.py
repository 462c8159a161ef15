# SPDX-License-Identifier: EUPL-1.2
"""Certificates: OIN, chain, validity at a time, what the demo authority issues."""

import contextlib
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_samples import SENDER_OIN

from sluis.certificates import (
    Authority,
    certificate_from_der,
    certificate_oin,
    certificate_pem,
    certificate_request,
    read_certificates,
    verify_chain,
)
from sluis.errors import InvalidInput, NotAuthentic, SluisError

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
YEAR = timedelta(days=365)
AUTHORITY = Authority.create("Test CA", valid_from=NOW - YEAR, valid_until=NOW + 2 * YEAR)
KEY = ec.generate_private_key(ec.SECP256R1())
LEAF = AUTHORITY.issue(
    KEY.public_key(), name="Party", oin=SENDER_OIN, valid_from=NOW - YEAR, valid_until=NOW + YEAR
)


def self_made(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, NOW, NOW + YEAR)
    return builder.sign(KEY, hashes.SHA256())


def test_the_oin_is_the_serial_number_of_the_subject() -> None:
    assert certificate_oin(LEAF) == SENDER_OIN


@pytest.mark.parametrize(
    "attributes",
    [
        [(NameOID.COMMON_NAME, SENDER_OIN)],
        [(NameOID.SERIAL_NUMBER, "123")],
        [(NameOID.SERIAL_NUMBER, SENDER_OIN + "0")],
        [(NameOID.SERIAL_NUMBER, SENDER_OIN), (NameOID.SERIAL_NUMBER, SENDER_OIN)],
    ],
)
def test_a_subject_without_exactly_one_oin_is_refused(
    attributes: list[tuple[x509.ObjectIdentifier, str]],
) -> None:
    with pytest.raises(NotAuthentic, match="no-certificate"):
        certificate_oin(self_made(*attributes))


def test_a_chain_to_a_trusted_root_is_accepted() -> None:
    verify_chain([LEAF], [AUTHORITY.certificate], NOW)
    other = Authority.create("Other CA", valid_from=NOW - YEAR, valid_until=NOW + YEAR)
    verify_chain([LEAF], [other.certificate, AUTHORITY.certificate], NOW)


def test_a_chain_to_another_root_or_to_none_is_refused() -> None:
    impostor = Authority.create("Test CA", valid_from=NOW - YEAR, valid_until=NOW + YEAR)
    for chain, roots in (
        ([LEAF], [impostor.certificate]),
        ([LEAF], []),
        ([], [AUTHORITY.certificate]),
        ([self_made((NameOID.SERIAL_NUMBER, SENDER_OIN))], [AUTHORITY.certificate]),
        ([LEAF] * 6, [AUTHORITY.certificate]),
    ):
        with pytest.raises(NotAuthentic, match="certificate-untrusted"):
            verify_chain(chain, roots, NOW)


def test_a_leaf_cannot_issue_for_another() -> None:
    sham = Authority(key=KEY, certificate=LEAF)
    victim = sham.issue(
        KEY.public_key(), name="Victim", oin=SENDER_OIN, valid_from=NOW - YEAR, valid_until=NOW + YEAR
    )
    with pytest.raises(NotAuthentic, match="certificate-untrusted"):
        verify_chain([victim, LEAF], [AUTHORITY.certificate], NOW)


@pytest.mark.parametrize("at", [NOW - YEAR - timedelta(seconds=1), NOW + YEAR + timedelta(seconds=1)])
def test_a_certificate_outside_its_period_is_refused_as_such(at: datetime) -> None:
    with pytest.raises(NotAuthentic, match="certificate-expired"):
        verify_chain([LEAF], [AUTHORITY.certificate], at)


def test_an_expired_root_is_refused() -> None:
    old = Authority.create("Old CA", valid_from=NOW - YEAR, valid_until=NOW - timedelta(days=1))
    leaf = old.issue(
        KEY.public_key(), name="P", oin=SENDER_OIN, valid_from=NOW - YEAR, valid_until=NOW + YEAR
    )
    with pytest.raises(NotAuthentic, match="certificate-untrusted"):
        verify_chain([leaf], [old.certificate], NOW)


def test_the_leaf_is_good_for_tls_on_this_machine_both_ways() -> None:
    names = LEAF.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    usages = LEAF.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_a_request_is_answered_with_a_certificate_for_its_key_and_oin() -> None:
    request = certificate_request(KEY, name="Party", oin=SENDER_OIN)
    leaf = AUTHORITY.answer(request, valid_from=NOW - YEAR, valid_until=NOW + YEAR)
    assert certificate_oin(leaf) == SENDER_OIN
    assert leaf.public_key() == KEY.public_key()
    verify_chain([leaf], [AUTHORITY.certificate], NOW)


@pytest.mark.parametrize("request_pem", [b"", b"nonsense", certificate_pem(LEAF)])
def test_what_is_no_request_is_refused(request_pem: bytes) -> None:
    with pytest.raises(InvalidInput, match="malformed-request"):
        AUTHORITY.answer(request_pem, valid_from=NOW, valid_until=NOW + YEAR)


def test_pem_chains_read_in_order() -> None:
    pem = certificate_pem(LEAF) + certificate_pem(AUTHORITY.certificate)
    assert read_certificates(pem) == [LEAF, AUTHORITY.certificate]


@settings(max_examples=100)
@given(data=st.binary(max_size=200))
def test_random_bytes_are_no_certificate(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="malformed-encoding"):
        certificate_from_der(data)
    with pytest.raises(InvalidInput, match="malformed-config"):
        read_certificates(data)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_certificate_with_changed_bytes_gives_an_error_of_ours_or_does_not_verify(
    data: st.DataObject,
) -> None:
    der = bytearray(LEAF.public_bytes(serialization.Encoding.DER))
    for _ in range(data.draw(st.integers(1, 2))):
        der[data.draw(st.integers(0, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(SluisError):
        certificate = certificate_from_der(bytes(der))
        with contextlib.suppress(NotAuthentic):
            certificate_oin(certificate)
        if certificate != LEAF:
            with pytest.raises(NotAuthentic):
                verify_chain([certificate], [AUTHORITY.certificate], NOW)
