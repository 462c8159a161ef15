# SPDX-License-Identifier: EUPL-1.2
"""The tables that follow the log for the console; they can be emptied and filled again (`sluis broker reindex`)."""

from typing import ClassVar

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, text
from sqlmodel import Field

from broker.storage.tables import BIG, BrokerTable


class ProjectionTable(BrokerTable, table=True):
    """The one row that says up to which entry the tables below have followed the log.

    `marked` differs when a follower that sets no marks was at work; `generation` grows when the tables were emptied.
    """

    __tablename__: ClassVar[str] = "projection"
    __table_args__ = (CheckConstraint("projection_id = 1", name="one_row"),)
    projection_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    position: int = Field(sa_column=Column(BIG, nullable=False))
    marked: int = Field(sa_column=Column(BIG, nullable=False, server_default=text("0")))
    generation: int = Field(sa_column=Column(BIG, nullable=False, server_default=text("0")))


class ExchangeShapeTable(BrokerTable, table=True):
    """What entries of exchanges have in common (`broker.storage.projected.Shape`); never changed."""

    __tablename__: ClassVar[str] = "exchange_shape"
    __table_args__ = (Index("exchange_shape_first_index_idx", "first_index"),)
    shape_id: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    first_index: int = Field(sa_column=Column(BIG, nullable=False))
    content: str = Field(sa_column=Column(Text, nullable=False))


class ExchangeRowTable(BrokerTable, table=True):
    """An entry of an exchange, by its place in the log."""

    __tablename__: ClassVar[str] = "exchange_row"
    __table_args__ = (
        Index("exchange_row_shape_id_log_index_idx", "shape_id", "log_index"),
        Index(
            "exchange_row_exchange_idx",
            "exchange",
            sqlite_where=text("exchange <> ''"),
            postgresql_where=text("exchange <> ''"),
        ),
    )
    log_index: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    time_ms: int = Field(sa_column=Column(BIG, nullable=False))
    shape_id: int = Field(sa_column=Column(BIG, nullable=False))
    exchange: str = Field(sa_column=Column(Text, nullable=False))
    previous: int | None = Field(default=None, sa_column=Column(BIG))


class ExchangeCubeTable(BrokerTable, table=True):
    """How many entries of a shape on a day (20261125), and in a month (202611)."""

    __tablename__: ClassVar[str] = "exchange_cube"
    bucket: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    shape_id: int = Field(sa_column=Column(BIG, primary_key=True, autoincrement=False))
    entries: int = Field(sa_column=Column(BIG, nullable=False))


class ExchangeDayTable(BrokerTable, table=True):
    """The first entry of each day; the log's times never go down."""

    __tablename__: ClassVar[str] = "exchange_day"
    bucket: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    first_index: int = Field(sa_column=Column(BIG, nullable=False))


class ExchangeBucketTable(BrokerTable, table=True):
    """Up to which entry the follower had come when it last changed a day or month of the cube."""

    __tablename__: ClassVar[str] = "exchange_bucket"
    bucket: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    changed: int = Field(sa_column=Column(BIG, nullable=False))
