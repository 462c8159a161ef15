# SPDX-License-Identifier: EUPL-1.2
"""The store as the rest of the broker sees it: rows, one writing transaction, and reads beside it.

A `Transaction` holds the log's head for its whole life (SQLite: BEGIN IMMEDIATE; PostgreSQL: SELECT ...
FOR UPDATE on the head row), so what it reads, decides and writes is one serial step, whichever replica
runs it. Nothing it wrote exists before `commit` returns; leaving the block without commit undoes it all.

Errors: Unavailable `storage-unavailable` for a database that is gone, full or busy.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from broker.storage.asked_port import AskedStore
from broker.storage.console_port import ConsoleRead, ConsoleStore
from broker.storage.deposit_port import Alias, DepositDomain, DepositStore
from broker.storage.epoch_port import EpochStore, EpochWrites
from broker.storage.finding_port import DrawRow, FindingRow, FindingStore
from broker.storage.follow_up_port import FollowUpStore, FollowUpTransaction
from broker.storage.log_port import Decided, Head, KeptCheckpoint
from broker.storage.projected import ExchangeIndex
from broker.storage.proposal_port import PolicyProposal, ProposalStore, SignedStatement
from broker.storage.register_port import ActiveSnapshot, Period, Snapshot
from broker.storage.retention_port import FOLLOWS, Link, RetentionStore, RetentionTransaction
from broker.storage.subject_port import SubjectStore
from sluis.merkle import Hash


class PartyStatus(StrEnum):
    """Whether a participant may act."""

    ACTIVE = "active"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyRow:
    """A registered participant."""

    oin: str
    name: str
    role: str
    status: PartyStatus
    card: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """An emergency stop; scope is `agreement`, `rule` or `certificate` (target: SHA-256 hex of its DER)."""

    scope: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    """What a caller got for an idempotency key, so that a repetition gets the same."""

    oin: str
    key: str
    content_digest: bytes
    answer: bytes
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSignal:
    """A sealed signal that the broker keeps until `retain_until_ms`. `envelope` is the minimised message."""

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
    expires_at_ms: int
    envelope: bytes
    redaction: bytes
    retain_until_ms: int
    term_until_ms: int
    term: str
    after_loss: str
    previous: bytes | None = None  # the signal that this one was passed on from
    severity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A release of a signal to its recipient; the mailbox is ordered by `log_index`."""

    log_index: int
    recipient: str
    signal_id: bytes
    acknowledged_index: int | None = None
    ends_at_ms: int | None = None  # its signal's end, when read; not written


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """A delivery with all that the recipient gets."""

    log_index: int
    envelope: bytes
    redaction: bytes
    entry: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainKeyRow:
    """A published key of an evaluator; `publication` is the protobuf message."""

    agreement: str
    recipient: str
    epoch: str
    evaluator: str
    publication: bytes
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """An entry of the log as stored."""

    log_index: int
    entry: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """An officer of a participant whose signature can help to change the rules."""

    officer: str
    organisation: str
    function: str
    verify_key: bytes
    active: bool
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """From which entry and time (Unix milliseconds) on a bundle of rules decides."""

    log_index: int
    digest: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What is counted: subjects that passed, on a day (ISO); `recipient` empty: to all recipients together."""

    name: str
    sender: str
    recipient: str
    day: str


class Transaction(FollowUpTransaction, Protocol):
    """One serial step. Reads see the committed state, not this transaction's own writes."""

    @property
    def head(self) -> Head: ...
    @property
    def epochs(self) -> EpochWrites: ...
    def parties(self, oins: Collection[str]) -> Mapping[str, PartyRow]: ...
    def stops(self) -> frozenset[Stop]: ...
    def first_answers(self, keys: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], FirstAnswer]: ...
    def known_signals(self, signal_ids: Collection[bytes]) -> frozenset[bytes]: ...
    def register_owners(self, agreement: str, register: str, recipient: str, epoch: str) -> frozenset[str]:
        """Who has an active snapshot of a register in a domain."""
        ...

    def register_size(self, agreement: str, register: str, recipient: str, epoch: str, day: str) -> int:
        """How many subjects active snapshots of any owner hold on a day."""
        ...

    def register_periods(
        self, agreement: str, register: str, recipient: str, epoch: str, pseudonyms: Collection[bytes]
    ) -> Mapping[bytes, Sequence[Period]]:
        """From active snapshots of any owner."""
        ...

    def deposits(
        self,
        recipient: str,
        agreement: str,
        kind: str,
        epoch: str,
        pseudonyms: Collection[bytes],
        now_ms: int,
    ) -> Sequence[StoredSignal]:
        """Unexpired `on_match` signals, oldest first."""
        ...

    def deposits_by_alias(
        self, domain: DepositDomain, pseudonyms: Collection[bytes], now_ms: int
    ) -> Sequence[tuple[bytes, StoredSignal]]:
        """The same, found by their aliases, each with the alias; one found by several comes as often."""
        ...

    def deliveries(self, log_indexes: Collection[int]) -> Mapping[int, Delivery]: ...
    def domain_key(
        self, agreement: str, recipient: str, epoch: str, evaluator: str
    ) -> DomainKeyRow | None: ...

    def active_policy(self) -> str:
        """The digest of the bundle that decides; empty before the first activation."""
        ...

    def officers(self, names: Collection[str]) -> Mapping[str, Officer]: ...
    def counted(self, counters: Collection[Counter]) -> Mapping[Counter, int]:
        """How many passed; a counter that never counted is left out."""
        ...

    def finding(self, organisation: str, finding_id: str) -> FindingRow | None: ...
    def draws(self, organisation: str) -> Sequence[DrawRow]: ...
    def known_subjects(self, organisation: str, subjects: Collection[str]) -> frozenset[str]:
        """Those of which the organisation has a finding."""
        ...

    def append(self, entry: bytes, time_ms: int) -> int:
        """Append an entry to the log; returns its index."""
        ...

    def add_salt(self, log_index: int, salt: bytes, inputs: bytes = b"", link: Link = FOLLOWS) -> None: ...

    retention: RetentionTransaction

    def count(self, counter: Counter, subjects: int) -> None:
        """Add to a counter."""
        ...

    def put_officer(self, row: Officer) -> None: ...
    def add_console_read(self, row: ConsoleRead) -> None: ...
    def statements(self, proposal_id: str) -> Mapping[str, str]:
        """What was signed about a proposal: the act by officer."""
        ...

    def add_proposal(self, row: PolicyProposal) -> None:
        """Keep a draft in place of the same officer's other drafts; one that is there already stays."""
        ...

    def add_statement(self, row: SignedStatement) -> None: ...
    def put_finding(self, row: FindingRow) -> None: ...
    def add_draw(self, row: DrawRow) -> None: ...
    def activate_policy(self, row: Activation, content: bytes) -> None:
        """Keep a bundle, if it is new, and let it decide from an entry of this transaction on."""
        ...

    def add_first_answer(self, row: FirstAnswer) -> None: ...
    def add_signal(self, row: StoredSignal) -> None: ...
    def add_aliases(self, rows: Sequence[Alias]) -> None: ...
    def add_delivery(self, row: Delivery) -> None: ...
    def acknowledge(self, log_index: int, acknowledged_index: int) -> None: ...
    def put_party(self, row: PartyRow) -> None: ...
    def add_stop(self, row: Stop, log_index: int) -> None: ...
    def remove_stop(self, row: Stop) -> None: ...
    def add_domain_key(self, row: DomainKeyRow) -> None: ...
    def activate_snapshot(self, row: Snapshot, log_index: int) -> None:
        """Make a loaded snapshot the register's content, in place of the one before."""
        ...

    def commit(self) -> None:
        """Write everything, durably. Raises Unavailable when it could not; then nothing was written."""
        ...


class Store(Protocol):
    """Storage of one broker. Synchronous: call it from the committer's thread or a reader's."""

    def transaction(self) -> AbstractContextManager[Transaction]: ...

    # the log, read beside the writer
    def head(self) -> Head: ...
    def entries(self, start: int, end: int) -> Iterator[LogRow]: ...
    def node(self, level: int, index: int) -> Hash:
        """The hash of a complete subtree; level 0 is a leaf. Raises NotFound `not-found`."""
        ...

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` (1 to 256) hashes of a tile, as C2SP tlog-tiles has them, one after the other.

        Reads at most 256 rows, whatever the size of the log. Raises NotFound `not-found`.
        """
        ...

    def add_checkpoint(self, size: int, note: str, signed_at_ms: int) -> None: ...
    def checkpoint(self, minimum_size: int = 0) -> str | None:
        """The newest checkpoint (0), or the smallest of at least that size that lacks no cosignature."""
        ...

    def checkpoints(self, before: int, limit: int) -> Sequence[KeptCheckpoint]:
        """Checkpoints of less than `before` entries, newest first."""
        ...

    # mailboxes and directory, read beside the writer
    def mailbox(self, recipient: str, after: int, limit: int) -> Sequence[DeliveryView]:
        """Unacknowledged deliveries with log_index > after, oldest first, expired signals left out."""
        ...

    def deliveries_at(self, log_indexes: Sequence[int]) -> Sequence[DeliveryView]: ...
    def party(self, oin: str) -> PartyRow | None: ...
    def parties(self, oins: Collection[str]) -> Mapping[str, PartyRow]: ...
    def party_page(self, after: str, limit: int, role: str) -> Sequence[PartyRow]: ...
    def stops(self) -> frozenset[Stop]: ...
    def domain_keys(self, agreement: str, recipient: str) -> Sequence[DomainKeyRow]: ...
    def every_domain_key(self) -> Sequence[DomainKeyRow]:
        """The keys of all domains, in the order of publication."""
        ...

    def log_row(self, log_index: int) -> LogRow | None: ...

    # the rules, and what was decided on
    def policy_bundle(self, digest: str) -> bytes | None: ...
    def activations(self) -> Sequence[Activation]:
        """Every activation, oldest first."""
        ...

    def officer_page(self, after: str, limit: int) -> Sequence[Officer]: ...
    def decided(self, start: int, end: int) -> Iterator[Decided]:
        """The entries with start <= log_index < end whose salt is still kept, in order."""
        ...

    # registers are loaded beside the log, and take effect in a transaction
    def add_register_entries(self, snapshot_id: bytes, rows: Iterable[tuple[bytes, str, str]]) -> None: ...
    def drop_register_entries(self, snapshot_id: bytes) -> None: ...
    def active_snapshots(self, owner: str) -> Sequence[ActiveSnapshot]:
        """The registers that a party has in force in its own domain, by log index."""
        ...

    @property
    def asked(self) -> AskedStore: ...
    @property
    def deposits(self) -> DepositStore: ...
    @property
    def console(self) -> ConsoleStore:
        """Sessions, tokens and readings of the console."""
        ...

    @property
    def epochs(self) -> EpochStore:
        """Epochs, destroyed keys, and the cards that were admitted."""

    @property
    def proposals(self) -> ProposalStore:
        """Rules that officers propose, and what they signed."""
        ...

    @property
    def subjects(self) -> SubjectStore:
        """Kept signals by the pseudonym of their subject."""
        ...

    @property
    def findings(self) -> FindingStore:
        """What officers look at."""
        ...

    retention: RetentionStore

    @property
    def follow_ups(self) -> FollowUpStore:
        """What was said of signals since, and who still has to do what."""
        ...

    @property
    def exchange_index(self) -> ExchangeIndex:
        """What the console reads of exchanges; follows the log a moment later."""
        ...

    def try_lead(self, name: str) -> bool:
        """Take or keep a named lock, so that one replica does a task; lost when its holder goes."""
        ...

    def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        ...

    def close(self) -> None: ...
