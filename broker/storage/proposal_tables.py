# SPDX-License-Identifier: EUPL-1.2
"""The tables of proposed rules: drafts and proposals, and what officers signed about them.

A draft is a row without statements; it is its officer's own, and her next draft takes its place.
"""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable


class PolicyProposalTable(BrokerTable, table=True):
    """Rules that an officer uploaded, and the rules that they would replace."""

    __tablename__: ClassVar[str] = "policy_proposal"
    __table_args__ = (Index("policy_proposal_at_ms_idx", "at_ms"),)
    proposal_id: str = Field(sa_column=Column(Text, primary_key=True))
    organisation: str = Field(sa_column=Column(Text, nullable=False))
    officer: str = Field(sa_column=Column(Text, nullable=False))
    from_digest: str = Field(sa_column=Column(Text, nullable=False))
    to_digest: str = Field(sa_column=Column(Text, nullable=False))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    cases: int = Field(sa_column=Column(Integer, nullable=False))
    at_ms: int = Field(sa_column=Column(BIG, nullable=False))


class PolicyStatementTable(BrokerTable, table=True):
    """What an officer signed about a proposal: once for each officer."""

    __tablename__: ClassVar[str] = "policy_statement"
    proposal_id: str = Field(
        sa_column=Column(Text, ForeignKey("policy_proposal.proposal_id"), primary_key=True)
    )
    officer: str = Field(sa_column=Column(Text, primary_key=True))
    act: str = Field(sa_column=Column(Text, nullable=False))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))
