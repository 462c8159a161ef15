# SPDX-License-Identifier: EUPL-1.2
"""The tables of follow-ups; each row is written in the transaction of the entry that it follows from."""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Text, text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable


class FollowUpTable(BrokerTable, table=True):
    """A signed statement about a signal."""

    __tablename__: ClassVar[str] = "follow_up"
    __table_args__ = (
        Index("follow_up_log_index_idx", "log_index", unique=True),
        Index("follow_up_signal_id_idx", "signal_id"),
    )
    follow_up_id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    log_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))
    act: str = Field(sa_column=Column(Text, nullable=False))
    signal_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    author: str = Field(sa_column=Column(Text, nullable=False))
    refers_to: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    replacement: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    statement: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    signature: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class FollowUpDeliveryTable(BrokerTable, table=True):
    """A follow-up for a party, about its copy of a signal; the entry at `log_index` tells of it."""

    __tablename__: ClassVar[str] = "follow_up_delivery"
    __table_args__ = (
        Index(
            "follow_up_delivery_waiting_idx",
            *("recipient", "log_index"),
            sqlite_where=text("acknowledged_index IS NULL"),
            postgresql_where=text("acknowledged_index IS NULL"),
        ),
    )
    log_index: int = Field(
        sa_column=Column(BIG, ForeignKey("log_entry.log_index"), primary_key=True, autoincrement=False)
    )
    recipient: str = Field(sa_column=Column(Text, nullable=False))
    follow_up_id: bytes = Field(
        sa_column=Column(LargeBinary, ForeignKey("follow_up.follow_up_id"), nullable=False)
    )
    signal_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    acknowledged_index: int | None = Field(default=None, sa_column=Column(BIG))


class DutyTable(BrokerTable, table=True):
    """What a party owes another about a signal; never removed, so that lateness stays visible."""

    __tablename__: ClassVar[str] = "duty"
    __table_args__ = (
        Index("duty_signal_id_idx", "signal_id"),
        Index(
            "duty_debtor_idx",
            *("debtor", "due_at_ms"),
            sqlite_where=text("done_index IS NULL"),
            postgresql_where=text("done_index IS NULL"),
        ),
        Index(
            "duty_creditor_idx",
            *("creditor", "due_at_ms"),
            sqlite_where=text("done_index IS NULL"),
            postgresql_where=text("done_index IS NULL"),
        ),
    )
    duty_id: int | None = Field(default=None, sa_column=Column(BIG, primary_key=True, autoincrement=True))
    log_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))
    act: str = Field(sa_column=Column(Text, nullable=False))
    debtor: str = Field(sa_column=Column(Text, nullable=False))
    creditor: str = Field(sa_column=Column(Text, nullable=False))
    signal_id: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    follow_up_id: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    due_at_ms: int = Field(sa_column=Column(BIG, nullable=False))
    done_index: int | None = Field(default=None, sa_column=Column(BIG))
