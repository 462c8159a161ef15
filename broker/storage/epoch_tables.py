# SPDX-License-Identifier: EUPL-1.2
"""The tables of epochs, of destroyed keys and of admitted cards.

`EPOCH_DATA` names the tables that hold pseudonyms of an epoch; a test insists that every table with a column
`epoch` is either there or in `NO_EPOCH_DATA`.
"""

from typing import ClassVar, Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, Text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable

# A row with a pseudonym of an epoch keeps that epoch's keys alive.
EPOCH_DATA: Final = ("deposit_alias", "hold_subject", "signal")
# Keys, their end, and registers, which go with their epoch.
NO_EPOCH_DATA: Final = ("domain_key", "key_destruction", "register_snapshot")


class EpochTable(BrokerTable, table=True):
    """An epoch of pseudonyms, as its entries in the log tell."""

    __tablename__: ClassVar[str] = "epoch"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    begins_at_ms: int = Field(sa_column=Column(BIG, nullable=False))
    announced_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))
    compromised_at_ms: int | None = Field(default=None, sa_column=Column(BIG))
    questions_stopped: bool = Field(sa_column=Column(Boolean, nullable=False))
    changed_index: int | None = Field(default=None, sa_column=Column(BIG))
    retired_index: int | None = Field(default=None, sa_column=Column(BIG))


class KeyDestructionTable(BrokerTable, table=True):
    """An evaluator's signed statement that its seed of an epoch is gone."""

    __tablename__: ClassVar[str] = "key_destruction"
    evaluator: str = Field(sa_column=Column(Text, primary_key=True))
    epoch: str = Field(sa_column=Column(Text, primary_key=True))
    statement: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    signature: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    log_index: int = Field(sa_column=Column(BIG, ForeignKey("log_entry.log_index"), nullable=False))


class PartyCardTable(BrokerTable, table=True):
    """Every card that was admitted, by the entry that says so; `party` has the newest."""

    __tablename__: ClassVar[str] = "party_card"
    __table_args__ = (Index("party_card_oin_log_index_idx", "oin", "log_index"),)
    log_index: int = Field(
        sa_column=Column(BIG, ForeignKey("log_entry.log_index"), primary_key=True, autoincrement=False)
    )
    oin: str = Field(sa_column=Column(Text, nullable=False))
    card: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    revoked_index: int | None = Field(default=None, sa_column=Column(BIG))
