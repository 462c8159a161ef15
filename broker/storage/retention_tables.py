# SPDX-License-Identifier: EUPL-1.2
"""The tables of what stops destruction: legal holds, and how far the clock of retention has come."""

from typing import ClassVar

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable


class LegalHoldTable(BrokerTable, table=True):
    """What two officers keep from destruction; the row of one that was lifted stays, so that it never comes again."""

    __tablename__: ClassVar[str] = "legal_hold"
    __table_args__ = (
        Index(
            "legal_hold_in_force_idx",
            "set_index",
            sqlite_where=text("lifted_index IS NULL"),
            postgresql_where=text("lifted_index IS NULL"),
        ),
    )
    hold_id: str = Field(sa_column=Column(Text, primary_key=True))
    scope: str = Field(sa_column=Column(Text, nullable=False))
    target: str = Field(sa_column=Column(Text, nullable=False))
    organisation: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    set_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))
    lifted_index: int | None = Field(default=None, sa_column=Column(BIG))


class HoldSubjectTable(BrokerTable, table=True):
    """A subject under a hold, in one domain; gone when the hold is lifted."""

    __tablename__: ClassVar[str] = "hold_subject"
    hold_id: str = Field(sa_column=Column(Text, ForeignKey("legal_hold.hold_id"), primary_key=True))
    agreement: str = Field(sa_column=Column(Text, primary_key=True))
    recipient: str = Field(sa_column=Column(Text, primary_key=True))
    epoch: str = Field(sa_column=Column(Text, primary_key=True))
    pseudonym: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))


class RetentionClockTable(BrokerTable, table=True):
    """The one row that says until when destruction has gone on with a clock that could be believed."""

    __tablename__: ClassVar[str] = "retention_clock"
    __table_args__ = (CheckConstraint("clock_id = 1", name="one_row"),)
    clock_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    swept_at_ms: int = Field(sa_column=Column(BIG, nullable=False))
