# SPDX-License-Identifier: EUPL-1.2
"""A participant's key folder.

    signing.key   Ed25519 seed                            32 bytes \\
    sealing.key   X-Wing seed || X25519 private key       64 bytes  > lower-case hex and a newline
    cache.key     key of the pseudonym cache              32 bytes /
    tls.key       P-256 private key, PKCS #8 PEM          tls.csr   request for its certificate
    tls.crt       certificate chain, leaf first, PEM      ca.crt    roots that are trusted, PEM

Secret files have mode 600 in a folder of mode 700; others are refused. Nothing is ever overwritten. The
authority's answer to `tls.csr` is put there as `tls.crt`, with its roots as `ca.crt`.
"""

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sluis.certificates import certificate_request, read_certificates
from sluis.errors import Conflict, NotFound
from sluis.identifiers import Oin
from sluis.sealing_keys import PRIVATE_SIZE, SealingKey
from sluis.signing import SEED_SIZE, SigningKey

CACHE_KEY_SIZE = 32
SIGNING = "signing.key"
SEALING = "sealing.key"
CACHE = "cache.key"
TLS_KEY = "tls.key"
TLS_REQUEST = "tls.csr"
TLS_CERTIFICATE = "tls.crt"
ROOTS = "ca.crt"

_MAX_FILE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFolder:
    """Where a participant keeps its keys; every method reads the file it names."""

    path: Path

    @classmethod
    def create(cls, path: Path, *, name: str, oin: Oin) -> "KeyFolder":
        """Make all keys and the certificate request. Raises Conflict `key-exists` before writing any."""
        files = [SIGNING, SEALING, CACHE, TLS_KEY, TLS_REQUEST, TLS_CERTIFICATE]
        for file in files:
            if (path / file).exists():
                raise Conflict("key-exists", f"`{path / file}` exists already and is not overwritten")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        tls = ec.generate_private_key(ec.SECP256R1())
        write_secret(path / SIGNING, SigningKey.generate().to_bytes())
        write_secret(path / SEALING, SealingKey.generate().to_bytes())
        write_secret(path / CACHE, secrets.token_bytes(CACHE_KEY_SIZE))
        write_new(path / TLS_KEY, private_key_pem(tls), mode=0o600)
        write_new(path / TLS_REQUEST, certificate_request(tls, name=name, oin=oin), mode=0o644)
        return cls(path=path)

    def signing(self) -> SigningKey:
        """Read the signing key."""
        return SigningKey.from_bytes(read_secret(self.path / SIGNING, SEED_SIZE))

    def sealing(self) -> SealingKey:
        """Read the sealing keys."""
        return SealingKey.from_bytes(read_secret(self.path / SEALING, PRIVATE_SIZE))

    def cache(self) -> bytes:
        """Read the key of the pseudonym cache, 32 bytes."""
        return read_secret(self.path / CACHE, CACHE_KEY_SIZE)

    def tls_key_pem(self) -> bytes:
        """Read the private TLS key as PEM."""
        return _read(self.path / TLS_KEY, secret=True)

    def tls_private_key(self) -> ec.EllipticCurvePrivateKey:
        """Read the private TLS key, which also signs the card."""
        try:
            key = serialization.load_pem_private_key(self.tls_key_pem(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Conflict("key-weak", f"`{self.path / TLS_KEY}` is not a P-256 key in PEM without password")
        return key

    def tls_certificate_pem(self) -> bytes:
        """Read the certificate chain as PEM."""
        return _read(
            self.path / TLS_CERTIFICATE, hint=f"`sluis keys new` wrote `{TLS_REQUEST}` for your authority"
        )

    def tls_chain(self) -> list[x509.Certificate]:
        """Read the certificate chain, leaf first."""
        return read_certificates(self.tls_certificate_pem())

    def roots_pem(self) -> bytes:
        """Read the trusted roots as PEM."""
        return _read(self.path / ROOTS, hint="put the roots of your certificate authority there")

    def roots(self) -> list[x509.Certificate]:
        """Read the trusted roots."""
        return read_certificates(self.roots_pem())

    def load(self) -> "ParticipantKeys":
        """Read everything. Raises NotFound `key-missing`, Conflict `key-weak`."""
        return ParticipantKeys(
            signing=self.signing(),
            sealing=self.sealing(),
            cache=self.cache(),
            tls_key_pem=self.tls_key_pem(),
            tls_certificate_pem=self.tls_certificate_pem(),
            roots_pem=self.roots_pem(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantKeys:
    """All keys of a participant, in memory."""

    signing: SigningKey
    sealing: SealingKey
    cache: bytes = field(repr=False)
    tls_key_pem: bytes = field(repr=False)
    tls_certificate_pem: bytes = field(repr=False)
    roots_pem: bytes = field(repr=False)


def write_secret(path: Path, secret: bytes) -> None:
    """Write a secret as hex in a new file of mode 600. Raises Conflict `key-exists`."""
    write_new(path, secret.hex().encode() + b"\n", mode=0o600)


def read_secret(path: Path, size: int) -> bytes:
    """Read what `write_secret` wrote. Raises NotFound `key-missing`, Conflict `key-weak`."""
    text = _read(path, secret=True)
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != size or text.rstrip(b"\n") != secret.hex().encode():
        raise Conflict("key-weak", f"`{path}` does not hold {size} bytes in hexadecimal")
    if len(set(secret)) == 1:
        raise Conflict("key-weak", f"`{path}` holds no random key")
    return secret


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a private key as PKCS #8 PEM, without password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Write a new file durably. Raises Conflict `key-exists`."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise Conflict("key-exists", f"`{path}` exists already and is not overwritten") from None
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, *, secret: bool = False, hint: str = "make one with `sluis keys new`") -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if secret and os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise Conflict("key-weak", f"`{path}` is readable by others: run `chmod 600 {path}`")
            return file.read(_MAX_FILE)
    except OSError:
        raise NotFound("key-missing", f"`{path}` is missing or cannot be read: {hint}") from None
