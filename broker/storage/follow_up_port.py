# SPDX-License-Identifier: EUPL-1.2
"""What the store keeps of follow-ups: the statements, for whom they wait, and who still has to do what.

A duty is what one party owes another about a signal: feedback, the attention of a person, an answer, or that it
did with its copy what a follow-up asked. It is open until `done_index` names the entry that fulfils it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sluis.merkle import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpRow:
    """A follow-up as logged; `author` is empty for the broker's own."""

    follow_up_id: bytes
    log_index: int
    act: str
    signal_id: bytes
    author: str
    refers_to: bytes | None
    replacement: bytes | None
    statement: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpDelivery:
    """A follow-up for a party, about its copy of a signal; the mailbox is ordered by `log_index`."""

    log_index: int
    recipient: str
    follow_up_id: bytes
    signal_id: bytes
    acknowledged_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpView:
    """A follow-up with what its recipient gets; `about` is the signal that the statement names."""

    log_index: int
    signal_id: bytes
    about: bytes
    statement: bytes
    signature: bytes
    entry: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What a debtor owes a creditor; `log_index` is the entry from which it follows."""

    log_index: int
    act: str
    debtor: str
    creditor: str
    signal_id: bytes
    follow_up_id: bytes | None
    due_at_ms: int
    done_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSignal:
    """What the broker remembers of a signal, without its content; `released`: it was put into a mailbox."""

    signal_id: bytes
    pushed_index: int
    sender: str
    recipient: str
    agreement: str
    kind: str
    purpose: str
    delivery: str
    epoch: str
    pseudonym: bytes
    previous: bytes | None
    withdrawn_index: int | None
    destroyed_index: int | None
    envelope: bytes
    released: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """For whom an earlier signal was, and whether it was taken back since."""

    recipient: str
    withdrawn: bool


class FollowUpTransaction(Protocol):
    """The part of a transaction that is about follow-ups. Reads see the committed state."""

    def signals(self, signal_ids: Collection[bytes]) -> Mapping[bytes, KnownSignal]: ...
    def passed_on(self, signal_ids: Collection[bytes]) -> Sequence[KnownSignal]:
        """The signals whose header names one of these as the signal before, oldest first."""
        ...

    def origins(self, signal_ids: Collection[bytes]) -> Mapping[bytes, Origin]: ...

    def follow_ups(self, follow_up_ids: Collection[bytes]) -> Mapping[bytes, FollowUpRow]: ...
    def follow_ups_about(self, signal_id: bytes) -> Sequence[FollowUpRow]:
        """Oldest first."""
        ...

    def waiting(self, log_indexes: Collection[int]) -> Mapping[int, FollowUpDelivery]: ...

    def open_duties(self, signal_id: bytes) -> Sequence[Duty]:
        """What is still owed about a signal."""
        ...

    def log_entry(self, log_index: int) -> bytes:
        """An entry that was committed before. Raises NotFound `not-found`."""
        ...

    def add_follow_up(self, row: FollowUpRow) -> None:
        """At commit Conflict `follow-up-exists` when there is one with its id."""
        ...

    def add_follow_up_delivery(self, row: FollowUpDelivery) -> None: ...
    def acknowledge_follow_up(self, log_index: int, acknowledged_index: int) -> None: ...
    def add_duty(self, row: Duty) -> None: ...
    def finish_duty(self, row: Duty, done_index: int) -> None: ...
    def withdraw(self, signal_id: bytes, withdrawn_index: int, envelope: bytes) -> None:
        """Let a signal be delivered and released no more, and keep no more of it than `envelope`."""
        ...


class FollowUpStore(Protocol):
    """Reads of follow-ups beside the writer. Raises Unavailable `storage-unavailable`."""

    def mailbox(self, recipient: str, after: int, limit: int) -> Sequence[FollowUpView]:
        """What was not acknowledged, with log_index > after, oldest first."""
        ...

    def chain(self, signal_id: bytes, until: bytes) -> Sequence[tuple[int, bytes, Hash]]:
        """The pushes from which a signal was passed on: index, entry, leaf hash; the nearest first, up to `until`."""
        ...

    def duties(
        self, party: str, *, due_before: int | None, after: tuple[int, int], limit: int
    ) -> Sequence[tuple[int, Duty]]:
        """Open duties of or towards a party (of all when it is empty), soonest first, with their numbers.

        Those after (due_at_ms, number); with `due_before` only what was due before then.
        """
        ...

    def owed_about(self, signal_id: bytes, party: str) -> Sequence[Duty]:
        """Open duties about a signal, or of holders further on whom a follow-up about it asked; as `duties`."""
        ...

    def count_overdue(self, party: str, now_ms: int) -> Mapping[str, int]:
        """How many duties of or towards a party (all when it is empty) are past their date, by act."""
        ...

    def count_late(self, first_ms: int, end_ms: int) -> Mapping[str, int]:
        """How many duties of all parties were due from `first_ms` to before `end_ms` and not done by then, by act."""
        ...

    def about(self, signal_id: bytes) -> Sequence[FollowUpRow]:
        """Every follow-up about a signal, oldest first."""
        ...

    def of_agreement(self, act: str, agreement: str, party: str) -> Sequence[FollowUpRow]:
        """Every follow-up of an act about signals that a party (empty: any) sent or received, oldest first."""
        ...
