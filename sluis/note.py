# SPDX-License-Identifier: EUPL-1.2
"""Signed notes and verifier keys (c2sp.org/signed-note).

    text, every line ending in a newline
    <empty line>
    — <key name> <base64(key ID(4) || signature)>           one or more such lines

    key ID       = SHA-256(key name || 0x0A || signature type || public key)[:4]
    verifier key = <key name>+<key ID, 8 lower-case hex digits>+<base64(signature type || public key)>

Only the canonical form is accepted: whatever parses is written back to the same bytes. A parsed note proves
nothing yet; `VKey.signatures_in` gives the lines that claim to be of a key; `verify_note` and
`sluis.checkpoint` check them.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from sluis.errors import InvalidInput, NotAuthentic
from sluis.signing import SigningKey, VerifyKey

KEY_ID_SIZE: Final = 4
MLDSA44_PUBLIC_SIZE: Final = 1312
MAX_NOTE: Final = 1 << 18
MAX_SIGNATURES: Final = 32
MAX_NAME: Final = 255
MAX_NUMBER: Final = (1 << 63) - 1

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


class SignatureType(IntEnum):
    """The signature types that Sluis speaks, with the byte that the note specification assigns."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_MLDSA44 = 0x06

    @property
    def public_size(self) -> int:
        """Bytes of a public key of this type."""
        return MLDSA44_PUBLIC_SIZE if self is SignatureType.COSIGNATURE_MLDSA44 else 32


def encode_base64(data: bytes) -> str:
    """Write standard base64 (RFC 4648 section 4), padded, on one line."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, *, length: int | None = None) -> bytes:
    """Read what `encode_base64` writes, of `length` bytes when given; InvalidInput `malformed-encoding`."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise InvalidInput("malformed-encoding", "not base64") from None
    # Unused bits and needless padding would give one value several spellings.
    if encode_base64(data) != text:
        raise InvalidInput("malformed-encoding", "not canonical base64")
    if length is not None and len(data) != length:
        raise InvalidInput("malformed-encoding", f"{len(data)} bytes in base64 where {length} are due")
    return data


def parse_decimal(text: str) -> int:
    """Read an ASCII decimal up to 2^63 - 1 without leading zeroes; InvalidInput `malformed-encoding`."""
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_NUMBER:
        raise InvalidInput("malformed-encoding", "not a decimal number up to 2^63 - 1 in its only spelling")
    return int(text)


def check_text(text: str) -> None:
    """Insist on UTF-8 without ASCII control characters but newline, ending in a newline."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput("malformed-encoding", "a note is UTF-8") from None
    if size > MAX_NOTE:
        raise InvalidInput("message-too-large", f"a note has at most {MAX_NOTE} bytes")
    if _CONTROL.search(text):
        raise InvalidInput("malformed-encoding", "a note has no control characters but newline")
    if not text.endswith("\n"):
        raise InvalidInput("malformed-encoding", "a note ends in a newline")


def check_name(name: str) -> None:
    """Insist on a key name: not empty, no Unicode space, no plus, at most 255 bytes."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= MAX_NAME:
        raise InvalidInput("malformed-encoding", f"a key name has 1 to {MAX_NAME} bytes of UTF-8")
    if "+" in name or _CONTROL.search(name) or any(char.isspace() for char in name):
        raise InvalidInput("malformed-encoding", "a key name has no space, plus or control character")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """A signature line; `signature` is what follows the key ID."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.key_id) != KEY_ID_SIZE or not self.signature:
            raise InvalidInput("malformed-encoding", "a note signature is a key ID and a signature")

    @classmethod
    def parse(cls, line: str) -> "NoteSignature":
        """Read a line without its newline. Raises InvalidInput `malformed-encoding`."""
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—":
            raise InvalidInput("malformed-encoding", "a signature line is an em dash, a key name and base64")
        data = decode_base64(parts[2])
        return cls(name=parts[1], key_id=data[:KEY_ID_SIZE], signature=data[KEY_ID_SIZE:])

    def line(self) -> str:
        """Write the line, with its newline."""
        return f"— {self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class VKey:
    """A verifier key: who may sign, with which algorithm, under which name."""

    name: str
    type: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public) != self.type.public_size:
            raise InvalidInput("malformed-encoding", f"a key of this type has {self.type.public_size} bytes")
        if self.type is not SignatureType.COSIGNATURE_MLDSA44:
            VerifyKey(self.public)

    @classmethod
    def parse(cls, text: str) -> "VKey":
        """Read a verifier key. Raises InvalidInput, also for a type that Sluis does not speak."""
        parts = text.split("+", 2)  # the base64 may hold a plus, the name may not
        if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
            raise InvalidInput("malformed-encoding", "a verifier key is `name+hex+base64`")
        data = decode_base64(parts[2])
        try:
            kind = SignatureType(data[0] if data else 0)
        except ValueError:
            raise InvalidInput("malformed-encoding", "a verifier key of an unknown signature type") from None
        key = cls(name=parts[0], type=kind, public=data[1:])
        if key.key_id.hex() != parts[1]:
            raise InvalidInput("malformed-encoding", "the key ID of a verifier key does not fit the key")
        return key

    @property
    def key_id(self) -> bytes:
        """The four bytes that mark this key's signatures; no proof of anything."""
        data = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        return sha256(data).digest()[:KEY_ID_SIZE]

    def signatures_in(self, note: "Note") -> list[NoteSignature]:
        """The lines that claim to be made with this key: same name and same key ID."""
        return [sig for sig in note.signatures if sig.name == self.name and sig.key_id == self.key_id]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.type]) + self.public)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and its signature lines, in order; nothing is verified yet."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        check_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise InvalidInput("malformed-encoding", f"a note has 1 to {MAX_SIGNATURES} signatures")

    @classmethod
    def parse(cls, data: str) -> "Note":
        """Read a note. Raises InvalidInput `malformed-encoding` or `message-too-large`."""
        check_text(data)
        end = data.rfind("\n\n")  # the last empty line: the text may hold others
        if end < 0:
            raise InvalidInput("malformed-encoding", "a note has an empty line before its signatures")
        # Counted before they are parsed; the last newline ends the last line.
        lines = data[end + 2 : -1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise InvalidInput("malformed-encoding", f"a note has 1 to {MAX_SIGNATURES} signatures")
        return cls(text=data[: end + 1], signatures=tuple(NoteSignature.parse(line) for line in lines))

    def format(self) -> str:
        """Write the note."""
        return self.text + "\n" + "".join(sig.line() for sig in self.signatures)

    def with_signatures(self, more: Iterable[NoteSignature]) -> "Note":
        """Add lines that are not there yet."""
        new = [sig for sig in more if sig not in self.signatures]
        return Note(text=self.text, signatures=self.signatures + tuple(dict.fromkeys(new)))


def sign_note(text: str, name: str, key: SigningKey) -> Note:
    """Sign a text with Ed25519 (type 0x01)."""
    vkey = VKey(name=name, type=SignatureType.ED25519, public=key.public.raw)
    signature = NoteSignature(name=name, key_id=vkey.key_id, signature=key.sign(text.encode()))
    return Note(text=text, signatures=(signature,))


def verify_note(data: str, vkeys: Iterable[VKey]) -> Note:
    """Parse a note and check that a known Ed25519 key (type 0x01) signed it, and that no such line is false.

    Raises NotAuthentic `signature-wrong`, InvalidInput for what is no note.
    """
    note = Note.parse(data)
    signed = False
    for vkey in vkeys:
        if vkey.type is not SignatureType.ED25519:
            continue
        for sig in vkey.signatures_in(note):
            VerifyKey(vkey.public).verify(note.text.encode(), sig.signature)
            signed = True
    if not signed:
        raise NotAuthentic("signature-wrong", "no known key signed this note")
    return note
