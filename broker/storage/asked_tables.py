# SPDX-License-Identifier: EUPL-1.2
"""The table of what was asked on each day; follows from the log, like the other tables of the projection."""

from typing import ClassVar

from sqlalchemy import Column, Integer, Text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable


class ExchangeAskedTable(BrokerTable, table=True):
    """Questions of a participant in a domain on a day (20261125), answered ones only."""

    __tablename__: ClassVar[str] = "exchange_asked"
    bucket: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    participant: str = Field(sa_column=Column(Text, primary_key=True))
    agreement: str = Field(sa_column=Column(Text, primary_key=True))
    kind: str = Field(sa_column=Column(Text, primary_key=True))
    mode: str = Field(sa_column=Column(Text, primary_key=True))
    questions: int = Field(sa_column=Column(BIG, nullable=False))
    asked: int = Field(sa_column=Column(BIG, nullable=False))
    hits: int = Field(sa_column=Column(BIG, nullable=False))
