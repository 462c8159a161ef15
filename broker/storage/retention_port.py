# SPDX-License-Identifier: EUPL-1.2
"""What the store keeps of retention: ends, legal holds, and what destroying writes.

Destroying a signal empties its envelope (payload and wrapped key), redaction and pseudonym; its row stays, with the
entry that is the record of it. Destroying a link removes an entry's salt, what was decided on, and the first answer.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Cursor = tuple[int, bytes]  # an end and a key: where the next page begins
START: Cursor = (-1, b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How long an entry's salt stays: as long as a signal, or until an end of its own."""

    signal_id: bytes | None = None
    ends_at_ms: int | None = None


FOLLOWS = Link()  # the signal that the entry itself pushed


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainedSignal:
    """A signal as retention sees it; `destroyed_index` is the entry that tells of its destruction."""

    signal_id: bytes
    pushed_index: int
    sender: str
    recipient: str
    agreement: str
    kind: str
    epoch: str
    pseudonym: bytes
    expires_at_ms: int
    retain_until_ms: int
    term_until_ms: int
    term: str
    after_loss: str
    lost_at_ms: int | None
    destroyed_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedLink:
    """An entry whose link has an end of its own."""

    log_index: int
    ends_at_ms: int
    entry: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSubject:
    """A subject under a hold, in one pseudonymisation domain."""

    agreement: str
    recipient: str
    epoch: str
    pseudonym: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """What two officers keep from destruction: an exchange, a party's or a subject's exchanges.

    `organisation` is that of the officer who asked; `subjects` are there for the scope `subject` only.
    """

    hold_id: str
    scope: str
    target: str
    organisation: str
    reason: str
    set_index: int
    lifted_index: int | None = None
    subjects: frozenset[HoldSubject] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRegister:
    """A register in force, and the entry that put it there."""

    snapshot_id: bytes
    log_index: int
    entry: bytes


class RetentionTransaction(Protocol):
    """Inside the log's transaction; reads see the committed state."""

    def signals_due(self, now_ms: int, after: Cursor, limit: int) -> Sequence[RetainedSignal]:
        """Signals that ended and are still there, by (retain_until_ms, signal_id) above `after`."""
        ...

    def links_of(self, signal: RetainedSignal) -> Sequence[int]:
        """The entries whose salts go with a signal."""
        ...

    def links_due(self, now_ms: int, after: tuple[int, int], limit: int) -> Sequence[EndedLink]:
        """Entries whose own link ended, by (ends_at_ms, log_index) above `after`."""
        ...

    def signals(self, signal_ids: Collection[bytes]) -> Sequence[RetainedSignal]: ...
    def is_active(self, snapshot_id: bytes) -> bool:
        """Whether a register is in force."""
        ...

    def has_content(self, snapshot_id: bytes) -> bool:
        """Whether a register still holds anything, in force or not."""
        ...

    def holds(self) -> Sequence[LegalHold]:
        """The holds in force."""
        ...

    def hold(self, hold_id: str) -> LegalHold | None:
        """A hold, also one that was lifted; without its subjects."""
        ...

    def empty_signals(self, rows: Sequence[tuple[bytes, int]]) -> None:
        """Destroy what signals hold; each (signal id, entry that tells of it)."""
        ...

    def drop_links(self, log_indexes: Collection[int]) -> None:
        """Destroy salts, inputs and first answers of entries."""
        ...

    def drop_register(self, snapshot_id: bytes) -> None:
        """Destroy what a register holds; it is then none."""
        ...

    def lapse_register(self, snapshot_id: bytes) -> None:
        """Take a register out of force, and keep what it holds."""
        ...

    def limit_signal(self, signal_id: bytes, until_ms: int, term: str, after_loss: str) -> None:
        """Let a signal end earlier; an end that is sooner already stays. `after_loss` holds from now on."""
        ...

    def set_loss(self, signal_id: bytes, lost_at_ms: int | None, retain_until_ms: int) -> None: ...
    def add_hold(self, row: LegalHold) -> None: ...
    def lift_hold(self, hold_id: str, lifted_index: int) -> None: ...


class RetentionStore(Protocol):
    """Reads beside the writer, and the clock of retention. Raises Unavailable `storage-unavailable`."""

    def signal(self, signal_id: bytes) -> RetainedSignal | None: ...
    def taken_back(self, signal_id: bytes) -> tuple[int, bytes] | None:
        """The entry by which a signal was taken back, and the envelope that is kept of it since; None: it was not."""
        ...

    def watched(self, after: bytes, limit: int) -> Sequence[bytes]:
        """Signals above an id that end sooner when their subject leaves a register, in order."""
        ...

    def overdue(self, party: str, before_ms: int, limit: int) -> Sequence[RetainedSignal]:
        """Signals that should have gone before a moment, first ended first; of every party when it is empty."""
        ...

    def destroyed(self, party: str, before: int, limit: int) -> Sequence[RetainedSignal]:
        """Signals destroyed by entries below `before`, newest first; of every party when it is empty."""
        ...

    def bare(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Index and entry of start <= log_index < end without a salt: destroyed, or an entry that never had one."""
        ...

    def holds(self) -> Sequence[LegalHold]: ...
    def registers(self) -> Sequence[HeldRegister]:
        """The registers in force, and those that are not but still hold something."""
        ...

    def abandoned(self) -> frozenset[bytes]:
        """Snapshots of which entries were loaded that are in no register: a load under way, or one given up."""
        ...

    def swept_at_ms(self) -> int | None: ...
    def set_swept(self, time_ms: int) -> None: ...
    def scrub(self) -> bool:
        """Overwrite what SQLite's write-ahead log still holds of old pages; False when readers were in the way."""
        ...

    def rewrite(self) -> None:
        """Write the tables anew without what was destroyed; on PostgreSQL they are locked meanwhile."""
        ...
