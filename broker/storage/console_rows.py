# SPDX-License-Identifier: EUPL-1.2
"""Sessions, tokens, readings and views of the console on SQLite and PostgreSQL: see `console_port.py`."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Executable, delete, insert, select, update

from broker.storage.console_port import ConsoleLink, ConsoleRead, ConsoleSession, ConsoleView
from broker.storage.engines import Engines, session
from broker.storage.queries import MAX_INTEGER, TABLES


class ConsoleRows:
    """The `ConsoleStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def add_link(self, row: ConsoleLink, now_ms: int) -> None:
        """Keep a token; tokens that expired are removed on the way."""
        table = TABLES["console_link"]
        self._write(delete(table).where(table.c.expires_at_ms <= now_ms), insert(table).values(**asdict(row)))

    def take_link(self, token_hash: bytes, purpose: str, now_ms: int) -> bytes | None:
        """Give what a token stands for and end it, in one step."""
        table = TABLES["console_link"]
        statement = (
            delete(table)
            .where(table.c.token_hash == token_hash, table.c.purpose == purpose)
            .where(table.c.expires_at_ms > now_ms)
            .returning(table.c.content)
        )
        with session(self._engines.writer) as connection:
            content = connection.execute(statement).scalar()
            connection.commit()
        return None if content is None else bytes(content)

    def add_session(self, row: ConsoleSession, now_ms: int) -> None:
        """Keep a session; sessions that expired are removed on the way."""
        table = TABLES["console_session"]
        self._write(delete(table).where(table.c.expires_at_ms <= now_ms), insert(table).values(**asdict(row)))

    def session(self, token_hash: bytes) -> ConsoleSession | None:
        """Give a session, expired or not."""
        table = TABLES["console_session"]
        with session(self._engines.reader) as connection:
            row = connection.execute(select(*table.c).where(table.c.token_hash == token_hash)).first()
        return None if row is None else ConsoleSession(**{**row._asdict(), "token_hash": token_hash})

    def see_session(self, token_hash: bytes, seen_at_ms: int) -> None:
        """Note that a session is in use."""
        table = TABLES["console_session"]
        self._write(update(table).where(table.c.token_hash == token_hash).values(seen_at_ms=seen_at_ms))

    def end_session(self, token_hash: bytes) -> None:
        """Sign out."""
        table = TABLES["console_session"]
        self._write(delete(table).where(table.c.token_hash == token_hash))

    def reads(self, organisation: str, before: int, limit: int) -> Sequence[ConsoleRead]:
        """Readings below a log index, newest first; of every organisation when it is empty."""
        table = TABLES["console_read"]
        query = select(*table.c).where(table.c.log_index < min(before, MAX_INTEGER))
        if organisation:
            query = query.where(table.c.organisation == organisation)
        query = query.order_by(table.c.log_index.desc()).limit(max(limit, 0))
        with session(self._engines.reader) as connection:
            return [ConsoleRead(**row._asdict()) for row in connection.execute(query)]

    def views(self, organisation: str, reference: str) -> Sequence[ConsoleView]:
        """An officer's views by name."""
        table = TABLES["console_view"]
        query = select(*table.c).where(table.c.organisation == organisation, table.c.reference == reference)
        with session(self._engines.reader) as connection:
            rows = [ConsoleView(**row._asdict()) for row in connection.execute(query)]
        return sorted(rows, key=lambda row: row.name)

    def put_view(self, row: ConsoleView) -> None:
        """Keep a view; one of the same name is replaced."""
        self._write(
            self._view(row.organisation, row.reference, row.name),
            insert(TABLES["console_view"]).values(**asdict(row)),
        )

    def drop_view(self, organisation: str, reference: str, name: str) -> None:
        """Forget a view, if it is there."""
        self._write(self._view(organisation, reference, name))

    def _view(self, organisation: str, reference: str, name: str) -> Executable:
        table = TABLES["console_view"]
        return delete(table).where(
            table.c.organisation == organisation, table.c.reference == reference, table.c.name == name
        )

    def _write(self, *statements: Executable) -> None:
        with session(self._engines.writer, "console_session") as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
