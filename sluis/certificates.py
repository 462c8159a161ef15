# SPDX-License-Identifier: EUPL-1.2
"""X.509 certificates of participants: the OIN stands in the subject's serialNumber (OID 2.5.4.5).

Reading and verifying is for everyone. `Authority` issues certificates for tests and the demo only: P-256,
SAN `localhost` and 127.0.0.1, client and server authentication. A real participant brings the certificate
of its own authority (PKIoverheid). Revocation is not checked here; the broker keeps the list of the stopped.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sluis.errors import InvalidInput, NotAuthentic, SluisError
from sluis.identifiers import Oin

MAX_CHAIN = 5

# What the library raises on certificates that are no certificates; it parses most parts on first use.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,  # only raised where warnings are errors, as in our tests
)


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read the certificates of a PEM text, in order. Raises InvalidInput `malformed-config`."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except UNREADABLE:
        raise InvalidInput("malformed-config", "not a PEM text with certificates") from None


def certificate_from_der(der: bytes) -> x509.Certificate:
    """Read one certificate. Raises InvalidInput `malformed-encoding`."""
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE:
        raise InvalidInput("malformed-encoding", "not an X.509 certificate in DER") from None


def certificate_oin(certificate: x509.Certificate) -> Oin:
    """Return the OIN in the subject's serialNumber. Raises NotAuthentic `no-certificate`."""
    try:
        numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        if len(numbers) == 1:
            return Oin.parse(str(numbers[0].value))
    except (SluisError, *UNREADABLE):
        pass
    raise NotAuthentic("no-certificate", "the certificate's subject has no serialNumber with one OIN")


def verify_chain(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime) -> None:
    """Check that the chain (leaf first) leads to a root and that all is valid at that time (with zone).

    Raises NotAuthentic: `certificate-expired` when the leaf is outside its period, else
    `certificate-untrusted`. The leaf must allow TLS client authentication.
    """
    if not 1 <= len(chain) <= MAX_CHAIN or not roots:
        raise NotAuthentic("certificate-untrusted", "no chain or no roots to check it against")
    leaf = chain[0]
    try:
        if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
            raise NotAuthentic("certificate-expired")
        verifier = PolicyBuilder().store(Store(list(roots))).time(at).build_client_verifier()
        verifier.verify(leaf, list(chain[1:]))
    except (VerificationError, *UNREADABLE):
        raise NotAuthentic("certificate-untrusted") from None


def certificate_request(key: ec.EllipticCurvePrivateKey, *, name: str, oin: Oin) -> bytes:
    """Write a PKCS #10 request in PEM with subject CN and serialNumber."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.SERIAL_NUMBER, oin)]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authority for tests and the demo. Never for production: its key has no protection."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, name: str, *, valid_from: datetime, valid_until: datetime) -> Self:
        """Make a self-signed root."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key.public_key(), key.public_key(), valid_from, valid_until)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(authority=True), critical=True)
        return cls(key=key, certificate=builder.sign(key, hashes.SHA256()))

    def issue(
        self,
        public_key: CertificatePublicKeyTypes,
        *,
        name: str,
        oin: Oin,
        valid_from: datetime,
        valid_until: datetime,
    ) -> x509.Certificate:
        """Issue a leaf for a participant or server on this machine."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, oin),
            ]
        )
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        issuer = self.certificate.subject
        builder = _builder(subject, issuer, public_key, self.key.public_key(), valid_from, valid_until)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def answer(self, csr_pem: bytes, *, valid_from: datetime, valid_until: datetime) -> x509.Certificate:
        """Issue the certificate that a request made by `certificate_request` asks for."""
        try:
            request = x509.load_pem_x509_csr(csr_pem)
            name = str(request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
            oin = Oin.parse(str(request.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value))
        except (IndexError, *UNREADABLE):
            raise InvalidInput("malformed-request", "not a certificate request with CN and OIN") from None
        if not request.is_signature_valid:
            raise NotAuthentic("signature-wrong", "the certificate request is not signed by its key")
        key = request.public_key()
        return self.issue(key, name=name, oin=oin, valid_from=valid_from, valid_until=valid_until)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Write a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: CertificatePublicKeyTypes,
    issuer_key: ec.EllipticCurvePublicKey,
    valid_from: datetime,
    valid_until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
