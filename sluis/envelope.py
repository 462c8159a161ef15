# SPDX-License-Identifier: EUPL-1.2
"""A sealed signal: fields are sealed one by one, so the broker can withhold some and the rest still holds.

    Envelope = header bytes, fields, wrapped key, signature
    field    = name, category, commitment(32), ciphertext     while it is there
             | leaf(32)                                       once the broker withheld it

The content key opens every ciphertext, so withholding means that the ciphertext does not travel. Formats are
in `sluis.manifest` and docs/protocol.md. Not done here: whether the sender may send this (rules), whether
the signal was received before (the recipient's store), whether values have their type (catalogue).
"""

import re
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluis.errors import InvalidInput, NotAuthentic
from sluis.header import MAX_HEADER, Delivery, Header
from sluis.manifest import (
    MIN_BUCKET,
    SALT_SIZE,
    commitment,
    field_bind,
    field_key,
    field_leaf,
    manifest_root,
    pad,
    signed_bytes,
    unpad,
    wrap_info,
)
from sluis.sealing_keys import CONTENT_KEY_SIZE, SealingKey, SealingPublicKey, Suite
from sluis.signing import SIGNATURE_SIZE, SigningKey, VerifyKey

__all__ = [
    "MAX_CIPHERTEXT",
    "MAX_FIELDS",
    "MAX_HEADER",
    "MAX_VALUE",
    "Delivery",
    "Envelope",
    "Field",
    "Header",
    "KeptField",
    "OpenedSignal",
    "Suite",
    "WithheldLeaf",
    "open_envelope",
    "seal",
    "verify",
    "withhold",
]

MAX_FIELDS = 64
MAX_CIPHERTEXT = 64 * 1024
MAX_VALUE = MAX_CIPHERTEXT // 2 - 4  # the next bucket would not fit
MIN_CIPHERTEXT = SALT_SIZE + MIN_BUCKET + 16
HASH_SIZE = 32

_ZERO_NONCE = bytes(12)  # each field key encrypts one message
_NAME = re.compile(r"[a-z0-9_]{1,64}")
_CATEGORY = re.compile(r"[a-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field in the clear: at the sender before sealing, at the recipient after opening."""

    name: str
    category: str
    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_label(self.name, self.category)
        if len(self.value) > MAX_VALUE:
            raise InvalidInput("malformed-request", f"a value has at most {MAX_VALUE} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptField:
    """A sealed field that is still there."""

    name: str
    category: str
    commitment: bytes
    ciphertext: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_label(self.name, self.category)
        if len(self.commitment) != HASH_SIZE:
            raise InvalidInput("malformed-request", f"a commitment has {HASH_SIZE} bytes")
        if not MIN_CIPHERTEXT <= len(self.ciphertext) <= MAX_CIPHERTEXT:
            raise InvalidInput(
                "malformed-request", f"a ciphertext has {MIN_CIPHERTEXT} to {MAX_CIPHERTEXT} bytes"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WithheldLeaf:
    """What is left of a field that the broker withheld: neither name nor category."""

    leaf: bytes

    def __post_init__(self) -> None:
        if len(self.leaf) != HASH_SIZE:
            raise InvalidInput("malformed-request", f"a leaf has {HASH_SIZE} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A signal as it travels. Well-formed by construction; whether it is authentic, `verify` tells."""

    header_bytes: bytes
    fields: tuple[KeptField | WithheldLeaf, ...]
    wrapped_key: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    header: Header = field(init=False, compare=False)
    _root: bytes | None = field(init=False, compare=False, repr=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", Header.decode(self.header_bytes))
        if not 1 <= len(self.fields) <= MAX_FIELDS:
            raise InvalidInput("malformed-request", f"a signal has 1 to {MAX_FIELDS} fields")
        names = [item.name for item in self.fields if isinstance(item, KeptField)]
        if len(set(names)) != len(names):
            raise InvalidInput("malformed-request", "a field stands there twice")
        if len(self.wrapped_key) != self.header.suite.wrapped_size:
            raise InvalidInput("malformed-request", "the wrapped key has the wrong length for its suite")
        if len(self.signature) != SIGNATURE_SIZE:
            raise InvalidInput("malformed-request", f"a signature has {SIGNATURE_SIZE} bytes")

    def leaves(self) -> list[bytes]:
        """Return the leaf of every field, kept or withheld."""
        return [_leaf(index, item) for index, item in enumerate(self.fields)]

    def root(self) -> bytes:
        """Hash header and fields, once; withholding does not change it."""
        if self._root is None:
            object.__setattr__(self, "_root", manifest_root(self.header_bytes, self.leaves()))
        return cast(bytes, self._root)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSignal:
    """A verified and opened signal."""

    header: Header
    fields: tuple[Field, ...]
    withheld: tuple[int, ...]


def seal(
    header: Header,
    fields: Sequence[Field],
    recipient_key: SealingPublicKey,
    signing_key: SigningKey,
    *,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> Envelope:
    """Seal each field for the recipient and sign the whole.

    `random_bytes` is asked for the content key, then for one salt for each field; both must never repeat.
    """
    encoded = header.encode()
    content_key = random_bytes(CONTENT_KEY_SIZE)
    kept: list[KeptField] = []
    for index, item in enumerate(fields):
        bind = field_bind(encoded, index, len(fields), item.name, item.category)
        salt = random_bytes(SALT_SIZE)
        kept.append(
            KeptField(
                name=item.name,
                category=item.category,
                commitment=commitment(salt, item.name, item.category, item.value),
                ciphertext=_aead(content_key, bind).encrypt(_ZERO_NONCE, pad(salt, item.value), bind),
            )
        )
    root = manifest_root(encoded, [_leaf(index, item) for index, item in enumerate(kept)])
    wrapped_key = recipient_key.wrap(header.suite, content_key, wrap_info(encoded, root))
    return Envelope(
        header_bytes=encoded,
        fields=tuple(kept),
        wrapped_key=wrapped_key,
        signature=signing_key.sign(signed_bytes(encoded, root, wrapped_key)),
    )


def verify(envelope: Envelope, verify_key: VerifyKey) -> None:
    """Check the signature over header, fields and wrapped key. Raises NotAuthentic `signature-wrong`.

    Says nothing of what is inside the ciphertexts: only the recipient can open them.
    """
    message = signed_bytes(envelope.header_bytes, envelope.root(), envelope.wrapped_key)
    verify_key.verify(message, envelope.signature)


def withhold(envelope: Envelope, indexes: Collection[int]) -> Envelope:
    """Take out the fields at these indexes; the signature goes on holding."""
    if not set(indexes) <= set(range(len(envelope.fields))):
        raise InvalidInput("malformed-request", "there is no field at that index")
    if not indexes:
        return envelope
    return Envelope(
        header_bytes=envelope.header_bytes,
        fields=tuple(
            WithheldLeaf(leaf=_leaf(index, item)) if index in indexes else item
            for index, item in enumerate(envelope.fields)
        ),
        wrapped_key=envelope.wrapped_key,
        signature=envelope.signature,
    )


def open_envelope(envelope: Envelope, sealing_key: SealingKey, sender: VerifyKey) -> OpenedSignal:
    """Verify and open a signal. The caller has matched `sender` with the header's OIN, and checks for replay.

    Raises NotAuthentic: `signature-wrong`, `ciphertext-wrong` (not for this key, or altered), or
    `manifest-wrong` (the sender signed a commitment that its own ciphertext contradicts).
    """
    verify(envelope, sender)
    encoded, count = envelope.header_bytes, len(envelope.fields)
    info = wrap_info(encoded, envelope.root())
    content_key = sealing_key.unwrap(envelope.header.suite, envelope.wrapped_key, info)
    opened: list[Field] = []
    withheld: list[int] = []
    for index, item in enumerate(envelope.fields):
        if isinstance(item, WithheldLeaf):
            withheld.append(index)
            continue
        bind = field_bind(encoded, index, count, item.name, item.category)
        opened.append(_open_field(content_key, bind, item))
    return OpenedSignal(header=envelope.header, fields=tuple(opened), withheld=tuple(withheld))


def _open_field(content_key: bytes, bind: bytes, item: KeptField) -> Field:
    try:
        plaintext = _aead(content_key, bind).decrypt(_ZERO_NONCE, item.ciphertext, bind)
    except InvalidTag:
        raise NotAuthentic("ciphertext-wrong", "a field does not open") from None
    salt, value = unpad(plaintext)
    if commitment(salt, item.name, item.category, value) != item.commitment:
        raise NotAuthentic("manifest-wrong", "a field contradicts its signed commitment")
    return Field(name=item.name, category=item.category, value=value)


def _aead(content_key: bytes, bind: bytes) -> AESGCM:
    return AESGCM(field_key(content_key, bind))


def _leaf(index: int, item: KeptField | WithheldLeaf) -> bytes:
    if isinstance(item, WithheldLeaf):
        return item.leaf
    return field_leaf(index, item.name, item.category, item.commitment, item.ciphertext)


@lru_cache(maxsize=4096)
def _check_label(name: str, category: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput("malformed-request", "a field's name is not 1 to 64 characters of [a-z0-9_]")
    if not _CATEGORY.fullmatch(category):
        raise InvalidInput("malformed-request", "a category is not 1 to 32 characters of [a-z0-9_-]")
