# SPDX-License-Identifier: EUPL-1.2
"""The broker's tables, the same on SQLite and PostgreSQL (design, section 9).

    log_entry, log_tile, log_head, checkpoint       the log: append-only
    signal, delivery, first_answer, entry_salt      effects of an entry; can be erased, the log stays
    register_snapshot, register_entry               pseudonymised registers
    party, stop, domain_key, officer                the directory
    policy_bundle, policy_activation                the rules that decided, and since when
    policy_proposal, policy_statement               rules that an officer proposes, and what officers signed
    counter, lease                                  subjects on a day; who does a task without advisory locks
    console_*, finding_*, follow_up_*               in files of those names, as are ...
    exchange_*, legal_hold                          ... what follows from the log alone, and what must not go

Indexes follow the reads in `queries.py`. Changing a table needs a migration; a test compares the two.
"""

from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

# SQLite's row id is spelt INTEGER; its integers have 64 bits anyway.
BIG = BigInteger().with_variant(Integer(), "sqlite")

NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
}


class BrokerTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """Root of the tables, so that nobody else's SQLModel classes end up in our migrations."""


METADATA = BrokerTable.metadata


class LogEntryTable(BrokerTable, table=True):
    """Level 0 of the Merkle tree: one row per entry, contiguous from 0."""

    __tablename__: ClassVar[str] = "log_entry"
    log_index: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    leaf_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogTileTable(BrokerTable, table=True):
    """A full tile (C2SP tlog-tiles): 256 hashes, and their root, which is one hash of the next level."""

    __tablename__: ClassVar[str] = "log_tile"
    level: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    tile_index: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    hashes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogHeadTable(BrokerTable, table=True):
    """The one row that every writer locks: tree size, the hashes of its complete subtrees, last time."""

    __tablename__: ClassVar[str] = "log_head"
    __table_args__ = (CheckConstraint("head_id = 1", name="one_row"),)
    head_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    size: int = Field(sa_column=Column(BIG, nullable=False))
    nodes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    last_time_ms: int = Field(sa_column=Column(BIG, nullable=False))


class CheckpointTable(BrokerTable, table=True):
    """A signed checkpoint with the cosignatures gathered so far."""

    __tablename__: ClassVar[str] = "checkpoint"
    size: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    note: str = Field(sa_column=Column(Text, nullable=False))
    signed_at_ms: int = Field(sa_column=Column(BIG, nullable=False))


class SignalTable(BrokerTable, table=True):
    """A sealed signal kept for its recipient, until `retain_until_ms`; emptied, its row stays (broker/retention)."""

    __tablename__: ClassVar[str] = "signal"
    __table_args__ = (
        # Questions and digests are answered from it alone, without reading a signal.
        Index(
            "signal_deposit_idx",
            *("recipient", "agreement", "kind", "epoch", "pseudonym"),
            *("pushed_index", "expires_at_ms", "delivery"),
            sqlite_where=text("delivery = 'on_match'"),
            postgresql_where=text("delivery = 'on_match'"),
        ),
        # Not of deposits alone: then PostgreSQL would take it for other reads while the table is small.
        Index("signal_pushed_index_idx", "pushed_index"),
        Index(
            "signal_retain_until_ms_idx",
            *("retain_until_ms", "signal_id"),
            sqlite_where=text("destroyed_index IS NULL"),
            postgresql_where=text("destroyed_index IS NULL"),
        ),
        Index(
            "signal_destroyed_index_idx",
            "destroyed_index",
            sqlite_where=text("destroyed_index IS NOT NULL"),
            postgresql_where=text("destroyed_index IS NOT NULL"),
        ),
        Index(
            "signal_previous_idx",
            "previous",
            sqlite_where=text("previous IS NOT NULL"),
            postgresql_where=text("previous IS NOT NULL"),
        ),
    )
    signal_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    pushed_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))
    sender: str = Field(sa_column=Column(Text, nullable=False))
    recipient: str = Field(sa_column=Column(Text, nullable=False))
    agreement: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    delivery: str = Field(sa_column=Column(Text, nullable=False))
    epoch: str = Field(sa_column=Column(Text, nullable=False))
    pseudonym: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    expires_at_ms: int = Field(sa_column=Column(BIG, nullable=False))
    envelope: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    redaction: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    previous: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    severity: int | None = Field(default=None, sa_column=Column(Integer))
    retain_until_ms: int | None = Field(default=None, sa_column=Column(BIG))
    term_until_ms: int = Field(sa_column=Column(BIG, nullable=False, server_default=text("0")))
    term: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")))
    after_loss: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")))
    lost_at_ms: int | None = Field(default=None, sa_column=Column(BIG))
    withdrawn_index: int | None = Field(default=None, sa_column=Column(BIG))
    destroyed_index: int | None = Field(default=None, sa_column=Column(BIG))


class DeliveryTable(BrokerTable, table=True):
    """A release: no row without its log entry (G7)."""

    __tablename__: ClassVar[str] = "delivery"
    __table_args__ = (
        Index(
            "delivery_waiting_idx",
            *("recipient", "log_index"),
            sqlite_where=text("acknowledged_index IS NULL"),
            postgresql_where=text("acknowledged_index IS NULL"),
        ),
        Index("delivery_signal_id_idx", "signal_id"),
    )
    log_index: int = Field(
        sa_column=Column(BIG, ForeignKey("log_entry.log_index"), primary_key=True, autoincrement=False)
    )
    recipient: str = Field(sa_column=Column(Text, nullable=False))
    signal_id: bytes = Field(
        sa_column=Column(LargeBinary, ForeignKey("signal.signal_id", ondelete="CASCADE"), nullable=False)
    )
    acknowledged_index: int | None = Field(default=None, sa_column=Column(BIG))


class FirstAnswerTable(BrokerTable, table=True):
    """What a caller got for an idempotency key; goes with the link of its entry."""

    __tablename__: ClassVar[str] = "first_answer"
    __table_args__ = (Index("first_answer_log_index_idx", "log_index"),)
    oin: str = Field(sa_column=Column(Text, primary_key=True))
    key: str = Field(sa_column=Column(Text, primary_key=True))
    content_digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, nullable=False))


class EntrySaltTable(BrokerTable, table=True):
    """The salt of an entry's commitments, and what was decided on; deleting it shreds the link, the entry stays.

    It goes with the signal of `signal_id`, or at `ends_at_ms`; with neither, with the signal pushed by this entry.
    """

    __tablename__: ClassVar[str] = "entry_salt"
    __table_args__ = tuple(
        Index(
            f"entry_salt_{name}_idx",
            *(name, "log_index"),
            sqlite_where=text(f"{name} IS NOT NULL"),
            postgresql_where=text(f"{name} IS NOT NULL"),
        )
        for name in ("signal_id", "ends_at_ms")
    )
    log_index: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    inputs: bytes = Field(sa_column=Column(LargeBinary, nullable=False, server_default=text("''")))
    signal_id: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    ends_at_ms: int | None = Field(default=None, sa_column=Column(BIG))


class RegisterSnapshotTable(BrokerTable, table=True):
    """An activated register; `active` is false once another took its place (its entries are then gone)."""

    __tablename__: ClassVar[str] = "register_snapshot"
    __table_args__ = (
        Index(
            "register_snapshot_active_idx",
            *("agreement", "register", "recipient", "epoch", "owner"),
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
    )
    snapshot_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    agreement: str = Field(sa_column=Column(Text, nullable=False))
    # The class must not hide SQLModel's own name `register`.
    register_name: str = Field(sa_column=Column("register", Text, nullable=False))
    recipient: str = Field(sa_column=Column(Text, nullable=False))
    epoch: str = Field(sa_column=Column(Text, nullable=False))
    created_at_ms: int = Field(sa_column=Column(BIG, nullable=False))
    entry_count: int = Field(sa_column=Column(BIG, nullable=False))
    header: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    signature: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, nullable=False))
    active: bool = Field(sa_column=Column(Boolean, nullable=False))


class RegisterEntryTable(BrokerTable, table=True):
    """One period of one subject; loaded before the snapshot is there, so without a foreign key."""

    __tablename__: ClassVar[str] = "register_entry"
    __table_args__ = (Index("register_entry_snapshot_id_pseudonym_idx", "snapshot_id", "pseudonym"),)
    row_id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True, autoincrement=True))
    snapshot_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    pseudonym: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    valid_from: str = Field(sa_column=Column(Text, nullable=False))
    valid_until: str = Field(sa_column=Column(Text, nullable=False))


class PartyTable(BrokerTable, table=True):
    """A registered participant."""

    __tablename__: ClassVar[str] = "party"
    oin: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    card: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class StopTable(BrokerTable, table=True):
    """An emergency stop in force."""

    __tablename__: ClassVar[str] = "stop"
    scope: str = Field(sa_column=Column(Text, primary_key=True))
    target: str = Field(sa_column=Column(Text, primary_key=True))
    log_index: int = Field(sa_column=Column(BIG, nullable=False))


class DomainKeyTable(BrokerTable, table=True):
    """A published key of an evaluator."""

    __tablename__: ClassVar[str] = "domain_key"
    agreement: str = Field(sa_column=Column(Text, primary_key=True))
    recipient: str = Field(sa_column=Column(Text, primary_key=True))
    epoch: str = Field(sa_column=Column(Text, primary_key=True))
    evaluator: str = Field(sa_column=Column(Text, primary_key=True))
    publication: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, nullable=False))


class OfficerTable(BrokerTable, table=True):
    """An officer whose signature can help to change the rules."""

    __tablename__: ClassVar[str] = "officer"
    officer: str = Field(sa_column=Column(Text, primary_key=True))
    organisation: str = Field(sa_column=Column(Text, nullable=False))
    function: str = Field(sa_column=Column(Text, nullable=False))
    verify_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    active: bool = Field(sa_column=Column(Boolean, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, nullable=False))


class PolicyBundleTable(BrokerTable, table=True):
    """A bundle of rules as it was activated, by its content address."""

    __tablename__: ClassVar[str] = "policy_bundle"
    digest: str = Field(sa_column=Column(Text, primary_key=True))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PolicyActivationTable(BrokerTable, table=True):
    """From which entry on a bundle decides. The reference keeps the bundle from being removed."""

    __tablename__: ClassVar[str] = "policy_activation"
    log_index: int = Field(
        sa_column=Column(BIG, ForeignKey("log_entry.log_index"), primary_key=True, autoincrement=False)
    )
    digest: str = Field(sa_column=Column(Text, ForeignKey("policy_bundle.digest"), nullable=False))
    at_ms: int = Field(sa_column=Column(BIG, nullable=False))


class CounterTable(BrokerTable, table=True):
    """How many subjects passed on a day; `recipient` is empty where all recipients count together."""

    __tablename__: ClassVar[str] = "counter"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    sender: str = Field(sa_column=Column(Text, primary_key=True))
    recipient: str = Field(sa_column=Column(Text, primary_key=True))
    day: str = Field(sa_column=Column(Text, primary_key=True))
    passed: int = Field(sa_column=Column(BIG, nullable=False))


class LeaseTable(BrokerTable, table=True):
    """A named task and who does it, until when."""

    __tablename__: ClassVar[str] = "lease"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    holder: str = Field(sa_column=Column(Text, nullable=False))
    expires_at_ms: int = Field(sa_column=Column(BIG, nullable=False))
