# SPDX-License-Identifier: EUPL-1.2
"""The table of further pseudonyms of deposits, by which persons without a number are found."""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Text
from sqlmodel import Field

from broker.storage.tables import BrokerTable


class DepositAliasTable(BrokerTable, table=True):
    """A pseudonym besides the signal's own; the key is in the order of the look-up. Gone when the signal ends."""

    __tablename__: ClassVar[str] = "deposit_alias"
    __table_args__ = (Index("deposit_alias_signal_id_idx", "signal_id"),)
    recipient: str = Field(sa_column=Column(Text, primary_key=True))
    agreement: str = Field(sa_column=Column(Text, primary_key=True))
    kind: str = Field(sa_column=Column(Text, primary_key=True))
    epoch: str = Field(sa_column=Column(Text, primary_key=True))
    pseudonym: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    signal_id: bytes = Field(
        sa_column=Column(LargeBinary, ForeignKey("signal.signal_id", ondelete="CASCADE"), primary_key=True)
    )
