# SPDX-License-Identifier: EUPL-1.2
"""Deposits on SQLite and PostgreSQL: see `deposit_port.py`."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, TextClause, bindparam, func, select, text

from broker.storage.alias_steps import domain_values, found_by_alias
from broker.storage.bulk import is_postgres
from broker.storage.deposit_port import DepositDomain
from broker.storage.engines import Engines, session
from broker.storage.queries import MAX_INTEGER, TABLES, Queries, Rows
from broker.storage.queries import lying as lying_of

PAGE = 8_192

PORTION = 900  # a SQLite may be built for no more than 999 parameters
# The same as `present_query`. Making that anew for each portion takes SQLAlchemy longer than SQLite takes to answer.
PRESENT_ON_SQLITE = (
    "SELECT pseudonym FROM signal WHERE recipient = ? AND agreement = ? AND kind = ? AND epoch = ?"  # noqa: S608
    " AND delivery = 'on_match' AND withdrawn_index IS NULL AND coalesce(destroyed_index, -1) < 0"
    " AND retain_until_ms + 0 > ?"
    f" AND pseudonym IN ({','.join('?' * PORTION)})"
)

Condition: TypeAlias = ColumnElement[bool] | TextClause


class DepositRows:
    """The `DepositStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines, queries: Queries) -> None:
        self._engines = engines
        self._queries = queries
        signal = TABLES["signal"].c
        # Word for word the index's condition: a bound parameter would hide it from the planner.
        deposited: Condition = text("delivery = 'on_match'")
        # `+ 0` here and an empty text below keep a planner from an index that reads more than is due.
        kept: list[Condition] = list(lying_of(signal))
        rest = [signal[name] == bindparam(f"a_{name}") for name in ("agreement", "kind", "epoch")]
        lying: list[Condition] = [signal.recipient == bindparam("a_recipient"), *rest, deposited, *kept]
        newest: list[Condition] = [
            signal.recipient.concat("") == bindparam("a_recipient"),
            *(*rest, deposited, *kept, signal.pushed_index >= bindparam("since")),
        ]
        earlier = signal.pushed_index + 0 < bindparam("until")
        self.present_query: Rows = select(signal.pseudonym).where(*lying, queries.among(signal.pseudonym))
        self.alias_query: Rows = found_by_alias(queries, TABLES["deposit_alias"].c.pseudonym)
        self.count_query: Rows = select(func.count()).where(*lying)
        self.count_since_query: Rows = select(func.count()).where(*newest)
        self.ascending_query: Rows = (
            select(signal.pseudonym)
            .where(*lying, signal.pseudonym > bindparam("after"), earlier)
            .order_by(signal.pseudonym)
            .limit(PAGE)
        )
        self.added_query: Rows = select(signal.pseudonym).where(*newest, earlier)

    def present(self, domain: DepositDomain, pseudonyms: Collection[bytes], now_ms: int) -> frozenset[bytes]:
        """Those of the pseudonyms about which a signal lies."""
        values = {**domain_values(domain), "now": now_ms}
        with session(self._engines.reader) as connection:
            if is_postgres(self._engines.dialect):
                rows = self._queries.each_among(connection, self.present_query, pseudonyms, **values)
                return frozenset(bytes(row.pseudonym) for row in rows)
            found: set[bytes] = set()
            wanted = list(pseudonyms)
            for start in range(0, len(wanted), PORTION):
                portion = wanted[start : start + PORTION]
                portion += portion[-1:] * (PORTION - len(portion))
                rows = connection.exec_driver_sql(PRESENT_ON_SQLITE, (*values.values(), *portion))
                found.update(row[0] for row in rows)
            return frozenset(found)

    def present_by_alias(
        self, domain: DepositDomain, pseudonyms: Collection[bytes], now_ms: int
    ) -> frozenset[bytes]:
        """Those of the pseudonyms that are an alias of a signal that lies."""
        values = {**domain_values(domain), "now": now_ms}
        with session(self._engines.reader) as connection:
            rows = self._queries.each_among(connection, self.alias_query, pseudonyms, **values)
            return frozenset(bytes(row.pseudonym) for row in rows)

    def count(self, domain: DepositDomain, now_ms: int, since: int = 0) -> int:
        """How many signals lie that were pushed from `since` on."""
        query = self.count_since_query if since > 0 else self.count_query
        values = {
            **domain_values(domain),
            "now": now_ms,
            **({"since": min(since, MAX_INTEGER)} if since > 0 else {}),
        }
        with session(self._engines.reader) as connection:
            return int(connection.execute(query, values).scalar_one())

    def ascending(self, domain: DepositDomain, until: int, now_ms: int) -> Iterator[Sequence[bytes]]:
        """Yield pseudonyms below a log index, ascending; each page is a read of its own, so none lasts long."""
        values = {**domain_values(domain), "until": until, "now": now_ms, "after": b""}
        while page := self._pseudonyms(self.ascending_query, values):
            yield page
            if len(page) < PAGE:
                return
            values["after"] = page[-1]

    def added(self, domain: DepositDomain, since: int, until: int, now_ms: int) -> Sequence[bytes]:
        """The pseudonyms of signals pushed at since <= log index < until, ascending."""
        values = {**domain_values(domain), "since": min(since, MAX_INTEGER), "until": until, "now": now_ms}
        return sorted(set(self._pseudonyms(self.added_query, values)))

    def _pseudonyms(self, query: Rows, values: dict[str, Any]) -> list[bytes]:
        with session(self._engines.reader) as connection:
            return [bytes(one) for one in connection.execute(query, values).scalars()]
