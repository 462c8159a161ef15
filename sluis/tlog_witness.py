# SPDX-License-Identifier: EUPL-1.2
"""The add-checkpoint request between a log and a witness (c2sp.org/tlog-witness).

    old <size of the newest checkpoint that the witness cosigned>
    <hash, base64>                      the consistency proof from there, at most 63 lines
    <empty line>
    <the signed checkpoint, verbatim>

Answers: 200 and cosignature lines; 409 with `text/x.tlog.size` and the size that the witness has; 400, 403,
404, 422 as in witness/app.py. Only the canonical form is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sluis.errors import InvalidInput
from sluis.merkle import HASH_SIZE, MAX_PROOF, Hash
from sluis.note import (
    MAX_NUMBER,
    Note,
    NoteSignature,
    check_text,
    decode_base64,
    encode_base64,
    parse_decimal,
)

PATH: Final = "add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
MAX_BODY: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """A request to cosign; the note is well-formed, and nothing else is known of it."""

    old_size: int
    proof: tuple[Hash, ...]
    note: Note

    def __post_init__(self) -> None:
        if not 0 <= self.old_size <= MAX_NUMBER:
            raise InvalidInput("malformed-encoding", "the old size is out of range")
        if len(self.proof) > MAX_PROOF or any(len(item) != HASH_SIZE for item in self.proof):
            raise InvalidInput("malformed-encoding", f"a proof has at most {MAX_PROOF} hashes of 32 bytes")

    @classmethod
    def parse(cls, body: bytes) -> "AddCheckpoint":
        """Read a request body. Raises InvalidInput `malformed-encoding` or `message-too-large`."""
        if len(body) > MAX_BODY:
            raise InvalidInput("message-too-large", f"a request has at most {MAX_BODY} bytes")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise InvalidInput("malformed-encoding", "a request is UTF-8") from None
        check_text(text)
        head, gap, note = text.partition("\n\n")
        lines = head.split("\n")
        if not gap or not lines[0].startswith("old "):
            raise InvalidInput("malformed-encoding", "a request starts with `old <size>`")
        if len(lines) > MAX_PROOF + 1:
            raise InvalidInput("malformed-encoding", f"a proof has at most {MAX_PROOF} hashes")
        return cls(
            old_size=parse_decimal(lines[0].removeprefix("old ")),
            proof=tuple(Hash(decode_base64(line, length=HASH_SIZE)) for line in lines[1:]),
            note=Note.parse(note),
        )

    def format(self) -> bytes:
        """Write the request body."""
        lines = [f"old {self.old_size}", *(encode_base64(item) for item in self.proof)]
        return ("\n".join(lines) + "\n\n" + self.note.format()).encode()


def format_cosignatures(signatures: Sequence[NoteSignature]) -> bytes:
    """Write the body of a 200 answer."""
    return "".join(signature.line() for signature in signatures).encode()


def parse_cosignatures(body: bytes, note: Note) -> tuple[NoteSignature, ...]:
    """Read the body of a 200 answer as signature lines on `note`. Raises InvalidInput. Verifies nothing."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidInput("malformed-encoding", "an answer is UTF-8") from None
    # An empty line in the answer would move the end of the text, so it is parsed behind this text alone.
    answer = Note.parse(f"{note.text}\n{text}")
    if answer.text != note.text:
        raise InvalidInput("malformed-encoding", "an answer is nothing but signature lines")
    return answer.signatures
