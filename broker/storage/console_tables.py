# SPDX-License-Identifier: EUPL-1.2
"""The tables of the console: who is signed in, where a reading is logged, and what an officer keeps."""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable


class ConsoleSessionTable(BrokerTable, table=True):
    """An officer who is signed in to the console; of the token only its hash."""

    __tablename__: ClassVar[str] = "console_session"
    __table_args__ = (Index("console_session_expires_at_ms_idx", "expires_at_ms"),)
    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    reference: str = Field(sa_column=Column(Text, nullable=False))
    organisation: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    seen_at_ms: int = Field(sa_column=Column(BIG, nullable=False))
    expires_at_ms: int = Field(sa_column=Column(BIG, nullable=False))


class ConsoleLinkTable(BrokerTable, table=True):
    """A token that works once: a link to sign in, or a sign-in elsewhere that is under way."""

    __tablename__: ClassVar[str] = "console_link"
    __table_args__ = (Index("console_link_expires_at_ms_idx", "expires_at_ms"),)
    token_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    expires_at_ms: int = Field(sa_column=Column(BIG, nullable=False))


class ConsoleReadTable(BrokerTable, table=True):
    """Which entry tells of an officer's reading; made in the entry's transaction."""

    __tablename__: ClassVar[str] = "console_read"
    __table_args__ = (Index("console_read_organisation_log_index_idx", "organisation", "log_index"),)
    log_index: int = Field(
        sa_column=Column(BIG, ForeignKey("log_entry.log_index"), primary_key=True, autoincrement=False)
    )
    organisation: str = Field(sa_column=Column(Text, nullable=False))
    reference: str = Field(sa_column=Column(Text, nullable=False))


class ConsoleViewTable(BrokerTable, table=True):
    """A choice on the page of exchanges, kept by one officer."""

    __tablename__: ClassVar[str] = "console_view"
    organisation: str = Field(sa_column=Column(Text, primary_key=True))
    reference: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=Column(Text, primary_key=True))
    query: str = Field(sa_column=Column(Text, nullable=False))
    watched_from: int | None = Field(default=None, sa_column=Column(BIG, nullable=True))
