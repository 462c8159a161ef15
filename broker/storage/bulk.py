# SPDX-License-Identifier: EUPL-1.2
"""Many rows in one statement, in the way each engine is quickest at (an ORM takes ten times as long).

SQLite:      the driver's executemany over one prepared statement.
PostgreSQL:  INSERT ... SELECT FROM unnest(arrays), one array per column.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from broker.storage.faults import storage_errors


def is_postgres(dialect: Dialect) -> bool:
    """Tell PostgreSQL from SQLite."""
    return dialect.name == "postgresql"


class BulkInsert:
    """Inserts rows, as tuples of `columns`, into one table; `conflict` says what a repeated key does."""

    def __init__(self, table: Table, columns: Sequence[str], dialect: Dialect, conflict: str = "") -> None:
        self._table = table.name
        self._postgres = postgres = is_postgres(dialect)
        names = ", ".join(columns)
        if postgres:
            arrays = ", ".join(f"%b::{table.c[name].type.compile(dialect)}[]" for name in columns)
            self._sql = f"INSERT INTO {self._table} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608
        else:
            marks = ", ".join("?" * len(columns))
            self._sql = f"INSERT INTO {self._table} ({names}) VALUES ({marks})"  # noqa: S608
        self._sql = f"{self._sql} {conflict}".rstrip()

    def __call__(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert the rows. Raises Conflict or Defect when a key is there already, Unavailable."""
        if not rows:
            return
        with storage_errors(self._table):
            _execute(connection, self._sql, rows, self._postgres)


class BulkAcknowledge:
    """Marks deliveries as acknowledged, once; rows are (acknowledged_index, log_index)."""

    def __init__(self, dialect: Dialect) -> None:
        self._postgres = postgres = is_postgres(dialect)
        self._sql = (
            "UPDATE delivery SET acknowledged_index = v.acknowledged"
            " FROM unnest(%b::bigint[], %b::bigint[]) AS v(acknowledged, at)"
            " WHERE log_index = v.at AND acknowledged_index IS NULL"
            if postgres
            else "UPDATE delivery SET acknowledged_index = ?"
            " WHERE log_index = ? AND acknowledged_index IS NULL"
        )

    def __call__(self, connection: Connection, rows: Sequence[tuple[int, int]]) -> None:
        """Write the acknowledgements. Raises Unavailable."""
        if rows:
            with storage_errors("delivery"):
                _execute(connection, self._sql, rows, self._postgres)


def _execute(connection: Connection, sql: str, rows: Sequence[tuple[Any, ...]], postgres: bool) -> None:
    if postgres:
        connection.exec_driver_sql(sql, tuple(list(column) for column in zip(*rows, strict=True)))
    else:
        # Past SQLAlchemy, which takes several times as long as SQLite itself for the few rows of a small batch.
        driver: Any = connection.connection.driver_connection
        driver.executemany(sql, rows)
