# SPDX-License-Identifier: EUPL-1.2
"""Who calls: the OIN in the subject serialNumber of the client certificate that TLS verified.

TLS checks the chain when the connection is made. A connection may outlive its certificate, so its validity
period is checked again on every call.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sluis.certificates import certificate_oin
from sluis.errors import NotAuthentic
from sluis.identifiers import Oin


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated caller. `fingerprint` is the SHA-256 of the certificate's DER, in hex."""

    oin: Oin
    fingerprint: str
    not_before: datetime
    not_after: datetime

    def check_validity(self, now: datetime) -> None:
        """Raise NotAuthentic `certificate-expired` outside the validity period."""
        if not self.not_before <= now <= self.not_after:
            raise NotAuthentic("certificate-expired")


@lru_cache(maxsize=4096)
def caller_of(pem: bytes) -> Caller:
    """Read the caller from a PEM certificate. Raises NotAuthentic `no-certificate`."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise NotAuthentic("no-certificate") from None
    return Caller(
        oin=certificate_oin(certificate),
        fingerprint=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
