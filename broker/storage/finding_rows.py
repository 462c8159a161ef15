# SPDX-License-Identifier: EUPL-1.2
"""Findings on SQLite and PostgreSQL: see `finding_port.py`."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, select

from broker.storage.engines import Engines, session
from broker.storage.faults import storage_errors
from broker.storage.finding_port import DrawRow, FindingRow
from broker.storage.queries import MAX_INTEGER, TABLES, Queries


class FindingRows:
    """The `FindingStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def one(self, organisation: str, finding_id: str) -> FindingRow | None:
        """Give a finding of an organisation."""
        with session(self._engines.reader) as connection:
            return read_finding(connection, organisation, finding_id)

    def page(self, organisation: str, state: str, before: int, limit: int) -> Sequence[FindingRow]:
        """Findings below a log index, newest exchange first; of every state when it is empty."""
        table = TABLES["finding"]
        query = select(*table.c).where(table.c.organisation == organisation)
        query = query.where(table.c.log_index < min(before, MAX_INTEGER))
        if state:
            query = query.where(table.c.state == state)
        query = query.order_by(table.c.log_index.desc(), table.c.finding_id).limit(max(limit, 0))
        with session(self._engines.reader) as connection:
            return [FindingRow(**row._asdict()) for row in connection.execute(query)]

    def about(self, organisation: str, subjects: Collection[str]) -> dict[str, str]:
        """The ids of findings by what they are about, of those that there are."""
        table = TABLES["finding"]
        query = select(table.c.subject, table.c.finding_id).where(
            table.c.organisation == organisation, table.c.subject.in_(list(subjects))
        )
        with session(self._engines.reader) as connection:
            return {row.subject: row.finding_id for row in connection.execute(query)}

    def counts(self, organisation: str) -> dict[str, int]:
        """How many are in each state."""
        table = TABLES["finding"]
        query = (
            select(table.c.state, func.count().label("n"))
            .where(table.c.organisation == organisation)
            .group_by(table.c.state)
        )
        with session(self._engines.reader) as connection:
            return {row.state: int(row.n) for row in connection.execute(query)}

    def draws(self, organisation: str) -> Sequence[DrawRow]:
        """Every draw, oldest first."""
        with session(self._engines.reader) as connection:
            return read_draws(connection, organisation)


def read_finding(connection: Connection, organisation: str, finding_id: str) -> FindingRow | None:
    """Give a finding of an organisation."""
    table = TABLES["finding"]
    query = select(*table.c).where(table.c.organisation == organisation, table.c.finding_id == finding_id)
    with storage_errors():
        row = connection.execute(query).first()
    return FindingRow(**row._asdict()) if row else None


def read_draws(connection: Connection, organisation: str) -> list[DrawRow]:
    """Give every draw of an organisation, oldest first."""
    table = TABLES["finding_draw"]
    query = select(*table.c).where(table.c.organisation == organisation).order_by(table.c.first_index)
    with storage_errors():
        return [DrawRow(**row._asdict()) for row in connection.execute(query)]


def known_subjects(
    connection: Connection, queries: Queries, organisation: str, subjects: Collection[str]
) -> frozenset[str]:
    """Give the subjects of which the organisation has a finding."""
    table = TABLES["finding"]
    query = select(table.c.subject).where(
        table.c.organisation == organisation, queries.among(table.c.subject)
    )
    return frozenset(row.subject for row in queries.each_among(connection, query, subjects))
