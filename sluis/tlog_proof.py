# SPDX-License-Identifier: EUPL-1.2
"""Offline proofs that an entry is in the log (c2sp.org/tlog-proof), kept as `.tlog-proof` files.

    c2sp.org/tlog-proof@v1
    extra <base64>                      optional, never authenticated
    index <decimal>
    <hash, base64>                      the inclusion proof, from the leaf's sibling up
    <empty line>
    <the signed checkpoint, verbatim>

Needs nothing but the entry, the log's verifier key and the witnesses' keys. Only canonical files parse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sluis.checkpoint import VerifiedCheckpoint, verify_checkpoint
from sluis.errors import InvalidInput
from sluis.merkle import HASH_SIZE, MAX_PROOF, Hash, leaf_hash, verify_inclusion
from sluis.note import MAX_NUMBER, Note, VKey, check_text, decode_base64, encode_base64, parse_decimal
from sluis.tlog_policy import TlogPolicy

HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """An index, an inclusion proof and the checkpoint it leads to; proves nothing before `verify`."""

    index: int
    hashes: tuple[Hash, ...]
    checkpoint: str
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_NUMBER:
            raise InvalidInput("malformed-encoding", "the index of a proof is out of range")
        if len(self.hashes) > MAX_PROOF or any(len(item) != HASH_SIZE for item in self.hashes):
            raise InvalidInput("malformed-encoding", f"a proof has at most {MAX_PROOF} hashes of 32 bytes")
        Note.parse(self.checkpoint)

    @classmethod
    def parse(cls, text: str) -> "TlogProof":
        """Read a proof file. Raises InvalidInput `malformed-encoding` or `message-too-large`."""
        check_text(text)
        head, gap, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not gap or lines.pop(0) != HEADER:
            raise InvalidInput(
                "malformed-encoding", f"a proof starts with `{HEADER}` and ends in a checkpoint"
            )
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "))
            if not extra:
                raise InvalidInput("malformed-encoding", "a proof without extra data has no such line")
        if not lines or not lines[0].startswith("index "):
            raise InvalidInput("malformed-encoding", "a proof has an index line")
        index = parse_decimal(lines.pop(0).removeprefix("index "))
        if len(lines) > MAX_PROOF:
            raise InvalidInput("malformed-encoding", f"a proof has at most {MAX_PROOF} hashes")
        hashes = tuple(Hash(decode_base64(line, length=HASH_SIZE)) for line in lines)
        return cls(index=index, hashes=hashes, checkpoint=checkpoint, extra=extra)

    def format(self) -> str:
        """Write the proof file."""
        lines = [HEADER]
        if self.extra:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(encode_base64(item) for item in self.hashes)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    def verify(
        self, entry: bytes, log_vkeys: Sequence[VKey], witness_vkeys: Sequence[VKey], quorum: int
    ) -> VerifiedCheckpoint:
        """Check that these bytes are the log's entry at this index.

        Raises NotAuthentic `proof-wrong`, `checkpoint-wrong` or `not-witnessed`.
        """
        return self._includes(entry, verify_checkpoint(self.checkpoint, log_vkeys, witness_vkeys, quorum))

    def verify_under(self, entry: bytes, policy: TlogPolicy) -> VerifiedCheckpoint:
        """Check the same under a policy of logs and witnesses."""
        return self._includes(entry, policy.verify_checkpoint(self.checkpoint))

    def _includes(self, entry: bytes, verified: VerifiedCheckpoint) -> VerifiedCheckpoint:
        tree = verified.checkpoint
        verify_inclusion(leaf_hash(entry), self.index, tree.size, self.hashes, tree.root)
        return verified
