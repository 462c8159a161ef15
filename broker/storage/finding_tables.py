# SPDX-License-Identifier: EUPL-1.2
"""The tables of findings; written in the transaction of the entry that tells of the step."""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, Text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable


class FindingTable(BrokerTable, table=True):
    """What an officer looks at; `log_index` is the entry that it is about."""

    __tablename__: ClassVar[str] = "finding"
    __table_args__ = (
        Index("finding_organisation_subject_idx", "organisation", "subject", unique=True),
        Index("finding_organisation_log_index_idx", "organisation", "log_index"),
    )
    finding_id: str = Field(sa_column=Column(Text, primary_key=True))
    organisation: str = Field(sa_column=Column(Text, nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, nullable=False))
    content: str = Field(sa_column=Column(Text, nullable=False))


class FindingDrawTable(BrokerTable, table=True):
    """From which entries was drawn; each draw begins where the one before ended."""

    __tablename__: ClassVar[str] = "finding_draw"
    organisation: str = Field(sa_column=Column(Text, primary_key=True))
    first_index: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    end_index: int = Field(sa_column=Column(BIG, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))
    drawn: int = Field(sa_column=Column(BIG, nullable=False))
