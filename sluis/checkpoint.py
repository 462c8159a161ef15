# SPDX-License-Identifier: EUPL-1.2
"""Checkpoints of the log and cosignatures on them (c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature).

    <origin>
    <tree size, decimal>
    <root hash, base64>
    <empty line>
    — <origin> <base64(key ID || Ed25519 signature(64))>                       log, type 0x01: signs the text
    — <origin> <base64(key ID || u64 time || ML-DSA-44 signature(2420))>       log, type 0x06
    — <witness> <base64(key ID || u64 time || Ed25519 signature(64))>          witness, type 0x04
    — <witness> <base64(key ID || u64 time || ML-DSA-44 signature(2420))>      witness, type 0x06

Times are Unix seconds. Type 0x04 signs "cosignature/v1\\ntime <time>\\n" || text; type 0x06 signs the
structure in `_mldsa_message`. Making the signatures is `sluis.checkpoint_signers`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from sluis.errors import InvalidInput, NotAuthentic
from sluis.merkle import EMPTY_ROOT, HASH_SIZE, Hash
from sluis.note import (
    MAX_NAME,
    MAX_NUMBER,
    Note,
    NoteSignature,
    SignatureType,
    VKey,
    check_text,
    decode_base64,
    encode_base64,
    parse_decimal,
)
from sluis.signing import VerifyKey

LOG_TYPES: Final = frozenset({SignatureType.ED25519, SignatureType.COSIGNATURE_MLDSA44})
WITNESS_TYPES: Final = frozenset({SignatureType.COSIGNATURE_ED25519, SignatureType.COSIGNATURE_MLDSA44})
_TIME_SIZE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a log: `root` over its first `size` entries. We read extension lines, and write none."""

    origin: str
    size: int
    root: Hash
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if any(not line or "\n" in line for line in lines):
            raise InvalidInput("malformed-encoding", "a line of a checkpoint is empty")
        check_text("\n".join(lines) + "\n")
        if len(self.origin.encode()) > MAX_NAME:
            raise InvalidInput("malformed-encoding", f"an origin has at most {MAX_NAME} bytes")
        if not 0 <= self.size <= MAX_NUMBER or len(self.root) != HASH_SIZE:
            raise InvalidInput("malformed-encoding", "a checkpoint has a size and a root of 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise InvalidInput("malformed-encoding", "the root of an empty tree is the hash of nothing")

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a note. Raises InvalidInput `malformed-encoding`."""
        check_text(text)
        lines = text[:-1].split("\n")
        if len(lines) < 3:
            raise InvalidInput("malformed-encoding", "a checkpoint has three lines: origin, size, root")
        return cls(
            origin=lines[0],
            size=parse_decimal(lines[1]),
            root=Hash(decode_base64(lines[2], length=HASH_SIZE)),
            extensions=tuple(lines[3:]),
        )

    def body(self) -> str:
        """Write the text of the note."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCheckpoint:
    """A checkpoint that holds, the witnesses that cosigned it, and when (Unix seconds, 0: not stated)."""

    checkpoint: Checkpoint
    cosigners: tuple[str, ...]
    timestamps: Mapping[str, int]


def parse_vkeys(texts: Iterable[str], types: frozenset[SignatureType]) -> tuple[VKey, ...]:
    """Read verifier keys of a log (`LOG_TYPES`) or of witnesses (`WITNESS_TYPES`) from a configuration.

    Raises InvalidInput: `malformed-encoding`, or `malformed-config` for a key that cannot have this role.
    """
    vkeys = tuple(VKey.parse(text) for text in texts)
    _check_role(vkeys, types)
    return vkeys


def timestamp_of(signature: NoteSignature) -> int:
    """The time in a timestamped signature (types 0x04 and 0x06)."""
    return int.from_bytes(signature.signature[:_TIME_SIZE], "big")


def cosigned_message(vkey: VKey, checkpoint: Checkpoint, timestamp: int) -> bytes:
    """The bytes that a key of this type signs for a checkpoint; `timestamp` does not matter to type 0x01."""
    if vkey.type is SignatureType.ED25519:
        return checkpoint.body().encode()
    if vkey.type is SignatureType.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {timestamp}\n{checkpoint.body()}".encode()
    return _mldsa_message(vkey.name, checkpoint, timestamp)


def verify_signature(vkey: VKey, checkpoint: Checkpoint, signature: NoteSignature) -> int:
    """Check one line made with `vkey`; returns its time (0 for type 0x01).

    Raises NotAuthentic `signature-wrong`.
    """
    raw, timestamp = signature.signature, 0
    if vkey.type is not SignatureType.ED25519:
        timestamp, raw = timestamp_of(signature), raw[_TIME_SIZE:]
        if timestamp > MAX_NUMBER:
            raise NotAuthentic("signature-wrong", "the time of a cosignature is beyond 2^63 - 1")
    message = cosigned_message(vkey, checkpoint, timestamp)
    if vkey.type is SignatureType.COSIGNATURE_MLDSA44:
        try:
            MLDSA44PublicKey.from_public_bytes(vkey.public).verify(raw, message)
        except (InvalidSignature, ValueError):
            raise NotAuthentic("signature-wrong") from None
    else:
        VerifyKey(vkey.public).verify(message, raw)
    return timestamp


def verify_log_signature(note: Note, log_vkeys: Sequence[VKey]) -> Checkpoint:
    """Check that a known log signed the checkpoint, and that none of its known keys has a false line in it.

    Raises InvalidInput for what is no checkpoint; NotAuthentic `checkpoint-wrong`.
    """
    checkpoint = Checkpoint.parse(note.text)
    known = [vkey for vkey in log_vkeys if vkey.name == checkpoint.origin]
    if not known:
        raise NotAuthentic("checkpoint-wrong", "the checkpoint is of another log (its origin is unknown)")
    if not _verify_lines(note, checkpoint, known):
        raise NotAuthentic("checkpoint-wrong", "no known key of the log signed the checkpoint")
    return checkpoint


def verify_checkpoint(
    text: str, log_vkeys: Sequence[VKey], witness_vkeys: Sequence[VKey], quorum: int
) -> VerifiedCheckpoint:
    """Check a checkpoint: its origin, a log key's signature, and cosignatures of at least `quorum` witnesses.

    Any one of `log_vkeys` suffices, as in c2sp.org/tlog-policy; give only the ML-DSA-44 key to insist on that
    one. A witness is a name: two keys of the same name count once.
    Raises NotAuthentic `checkpoint-wrong` or `not-witnessed`; InvalidInput `malformed-config` for keys and a
    quorum that would prove less than they say.
    """
    _check_policy(log_vkeys, witness_vkeys, quorum)
    try:
        note = Note.parse(text)
        checkpoint = verify_log_signature(note, log_vkeys)
    except InvalidInput as error:
        raise NotAuthentic("checkpoint-wrong", f"not a checkpoint: {error.message}") from None
    timestamps = _verify_lines(note, checkpoint, witness_vkeys)
    if len(timestamps) < quorum:
        raise NotAuthentic(
            "not-witnessed", f"{len(timestamps)} trusted witnesses cosigned the checkpoint, {quorum} are due"
        )
    return VerifiedCheckpoint(
        checkpoint=checkpoint, cosigners=tuple(sorted(timestamps)), timestamps=timestamps
    )


def verify_cosignatures(
    note: Note, checkpoint: Checkpoint, witness_vkeys: Sequence[VKey]
) -> Mapping[str, int]:
    """Check the lines of known witnesses; returns the time of each that cosigned, by name.

    Raises NotAuthentic `checkpoint-wrong` when a line of a known witness is false.
    """
    return _verify_lines(note, checkpoint, witness_vkeys)


def _verify_lines(note: Note, checkpoint: Checkpoint, vkeys: Iterable[VKey]) -> dict[str, int]:
    times: dict[str, int] = {}
    for vkey in vkeys:
        for signature in vkey.signatures_in(note):
            try:
                timestamp = verify_signature(vkey, checkpoint, signature)
            except NotAuthentic:
                # The note specification: a false line of a known key condemns the whole note.
                raise NotAuthentic(
                    "checkpoint-wrong", f"the signature of `{vkey.name}` does not hold"
                ) from None
            times[vkey.name] = max(timestamp, times.get(vkey.name, 0))
    return times


def _mldsa_message(name: str, checkpoint: Checkpoint, timestamp: int) -> bytes:
    """The `cosigned_message` of tlog-cosignature, for the subtree from 0 to the size: the whole tree.

    opaque<1..255> is a length byte and the bytes; integers are 64 bits, big-endian.
    """
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(cosigner)]) + cosigner,
            timestamp.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _check_role(vkeys: Sequence[VKey], types: frozenset[SignatureType]) -> None:
    for vkey in vkeys:
        if vkey.type not in types:
            raise InvalidInput("malformed-config", f"the key type of `{vkey.name}` does not fit its role")


def _check_policy(log_vkeys: Sequence[VKey], witness_vkeys: Sequence[VKey], quorum: int) -> None:
    _check_role(log_vkeys, LOG_TYPES)
    _check_role(witness_vkeys, WITNESS_TYPES)
    # One key under two names, or the log as its own witness, would count for more than it is.
    owner: dict[bytes, str] = {vkey.public: "" for vkey in log_vkeys}
    for vkey in witness_vkeys:
        if owner.setdefault(vkey.public, vkey.name) != vkey.name:
            raise InvalidInput("malformed-config", f"the key of witness `{vkey.name}` is also another's")
    if not 0 <= quorum <= len({vkey.name for vkey in witness_vkeys}):
        raise InvalidInput("malformed-config", f"a quorum of {quorum} cannot be met by these witnesses")
