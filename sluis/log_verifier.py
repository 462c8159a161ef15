# SPDX-License-Identifier: EUPL-1.2
"""Checks a whole log against its checkpoint: the core of `sluis audit verify`. Pure and streaming.

Fed every entry in order, it holds one compact range and insists that
1. indexes are contiguous from zero: nothing is missing, repeated or moved;
2. each stored leaf hash is H(0x00 || entry): neither was changed alone;
3. each entry is canonical JSON, its `time` never before that of the entry above it, its `previous` an earlier
   index: the log reads as one story;
4. at the size of each checkpoint it was given, the root is the signed one: nothing was rewritten as a whole.

The checkpoints are verified beforehand (`sluis.checkpoint`); those that somebody remembers from earlier show
a fork. Every failure is NotAuthentic `log-inconsistent`; `where` and the message name the entries.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sluis.canonical import parse_canonical
from sluis.checkpoint import Checkpoint
from sluis.errors import Defect, InvalidInput, NotAuthentic
from sluis.merkle import CompactRange, Hash, leaf_hash, verify_consistency

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLog:
    """What was checked: `size` entries with this root, of which the checkpoint covers the first `covered`.

    `compared` holds the sizes at which the root was compared with a checkpoint, in order.
    """

    size: int
    root: Hash
    covered: int
    compared: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a verifier has come: all that it must know of the entries before, however many."""

    tree: CompactRange = field(default_factory=CompactRange)
    time: str = ""


class LogVerifier:
    """Feed it entry by entry with `add`, then ask `finish`. `newest` is the verified checkpoint to reach.

    It may go on from the `position` of one that was interrupted. Raises NotAuthentic `log-inconsistent` when the
    log has fewer entries than were read then.
    """

    def __init__(self, newest: Checkpoint, start: Position | None = None) -> None:
        start = start or Position()
        self._newest = newest
        self._due: dict[int, Hash] = {}
        self._compared: list[int] = []
        self._start = start.tree.size
        self._tree = start.tree
        self._time = start.time
        if newest.size < start.tree.size:
            raise _inconsistent(
                f"the log was cut: {start.tree.size} entries were read, now it has {newest.size}", newest.size
            )
        self._expect(newest)

    @property
    def position(self) -> Position:
        """How far it has come."""
        return Position(tree=self._tree, time=self._time)

    def check_consistency_with(self, previous: Checkpoint) -> None:
        """Also compare with a checkpoint remembered from earlier; call before the stream passes its size.

        One that the start has passed already is only held against the newest checkpoint.
        Raises NotAuthentic `log-inconsistent` at once when the two contradict each other without any entry.
        """
        check_same_history(previous, self._newest)
        if previous.size >= self._start:
            self._expect(previous)

    def go_on(self, newest: Checkpoint) -> None:
        """Reach for a newer verified checkpoint; all up to the one before has been added."""
        check_same_history(self._newest, newest)
        self._newest = newest
        self._expect(newest)

    def add(self, index: int, entry: bytes, leaf: bytes) -> dict[str, object]:
        """Check the next entry, as stored, with its leaf hash as stored; returns what it says."""
        due = self._tree.size
        if index > due:
            missing = f"entry {due} is" if index == due + 1 else f"entries {due} to {index - 1} are"
            raise _inconsistent(f"{missing} missing: entry {index} follows", due)
        if index < due:
            raise _inconsistent(
                f"entry {index} comes where entry {due} is due: repeated or out of order", due
            )
        expected = leaf_hash(entry)
        if leaf != expected:
            raise _inconsistent(
                f"entry {index} does not fit its stored leaf hash: one of the two was changed", index
            )
        document = self._check_document(index, entry)
        self._tree, _ = self._tree.extend([expected])
        self._compare()
        return document

    def finish(self) -> VerifiedLog:
        """Insist that every checkpoint was reached. Entries beyond the newest one are not signed for yet."""
        size = self._tree.size
        if self._due:
            signed = max(self._due)
            missing = f"entry {size} is" if signed == size + 1 else f"entries {size} to {signed - 1} are"
            raise _inconsistent(f"{missing} missing: a checkpoint of {signed} entries was signed", size)
        return VerifiedLog(
            size=size, root=self._tree.root(), covered=self._newest.size, compared=tuple(self._compared)
        )

    def _check_document(self, index: int, entry: bytes) -> dict[str, object]:
        try:
            document = parse_canonical(entry)
        except InvalidInput:
            raise _inconsistent(f"entry {index} is not canonical JSON", index) from None
        time, previous = document.get("time"), document.get("previous")
        if not isinstance(time, str) or not _is_time(time):
            raise _inconsistent(f"the time of entry {index} is missing or malformed", index)
        if time < self._time:  # the fixed format makes the order of texts the order of times
            raise _inconsistent(f"entry {index} is dated before entry {index - 1}", index)
        if previous is not None and not (type(previous) is int and 0 <= previous < index):
            raise _inconsistent(f"entry {index} refers to a previous entry that is not earlier", index)
        self._time = time
        return document

    def _expect(self, checkpoint: Checkpoint) -> None:
        if checkpoint.size < self._tree.size:
            raise Defect("defect", "a checkpoint must be given before its size is passed")
        if self._due.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            raise _forked(checkpoint.size)
        self._compare()

    def _compare(self) -> None:
        size = self._tree.size
        if (root := self._due.pop(size, None)) is None:
            return
        if self._tree.root() != root:
            start = self._compared[-1] if self._compared else 0
            span = (
                f"entry {start} was" if size == start + 1 else f"one of the entries {start} to {size - 1} was"
            )
            raise _inconsistent(
                f"the root over {size} entries is not the signed one: {span} changed, moved or replaced, "
                "or the log was forked",
                start,
            )
        if size not in self._compared[-1:]:
            self._compared.append(size)


def check_same_history(previous: Checkpoint, newest: Checkpoint) -> None:
    """Refuse two verified checkpoints that already contradict each other: other log, cut short, or forked."""
    if previous.origin != newest.origin:
        raise NotAuthentic("log-inconsistent", "the remembered checkpoint is of another log")
    if previous.size > newest.size:
        raise _inconsistent(
            f"the log was cut: a checkpoint of {previous.size} entries was seen, now it has {newest.size}",
            newest.size,
        )
    if previous.size == newest.size and previous.root != newest.root:
        raise _forked(previous.size)


def check_consistency(previous: Checkpoint, newest: Checkpoint, proof: Sequence[Hash]) -> None:
    """Check by proof, without the entries, that a log only grew between two verified checkpoints.

    Raises NotAuthentic `log-inconsistent`.
    """
    check_same_history(previous, newest)
    if previous.size == 0:
        # Everything extends the empty log; the verifier proper has no such case.
        if proof:
            raise NotAuthentic("log-inconsistent", "a proof from the empty log has no hashes")
        return
    try:
        verify_consistency(previous.size, newest.size, proof, previous.root, newest.root)
    except NotAuthentic as error:
        raise NotAuthentic(
            "log-inconsistent",
            f"the log of {previous.size} entries is no prefix of that of {newest.size}: {error.message}",
        ) from None


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _forked(size: int) -> NotAuthentic:
    return _inconsistent(f"the log was forked: two checkpoints of {size} entries have different roots", size)


def _inconsistent(message: str, index: int) -> NotAuthentic:
    return NotAuthentic("log-inconsistent", message, where=f"entry {index}")
