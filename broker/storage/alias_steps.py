# SPDX-License-Identifier: EUPL-1.2
"""What a transaction reads and writes of aliases: persons without a number have several pseudonyms."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select

from broker.storage.deposit_port import Alias, DepositDomain
from broker.storage.port import StoredSignal
from broker.storage.queries import SIGNAL_COLUMNS, TABLES, Queries, Rows, lying
from broker.storage.writes import Step

ALIAS_COLUMNS = tuple(field.name for field in fields(Alias))
_ALIAS, _SIGNAL = TABLES["deposit_alias"], TABLES["signal"]
_OF_DOMAIN = tuple(field.name for field in fields(DepositDomain))


def found_by_alias(queries: Queries, *columns: ColumnElement[Any]) -> Rows:
    """Select from the deposits of a domain (`:a_...`) that lie by `:now` and have one of `:among` as an alias."""
    alias = _ALIAS.c
    query: Rows = select(*columns)
    return (
        query.join_from(_ALIAS, _SIGNAL, alias.signal_id == _SIGNAL.c.signal_id)
        .where(*(alias[name] == bindparam(f"a_{name}") for name in _OF_DOMAIN))
        .where(queries.among(alias.pseudonym), *lying(_SIGNAL.c))
    )


def domain_values(domain: DepositDomain) -> dict[str, str]:
    """The parameters of a domain, in the order of its index."""
    return {f"a_{name}": getattr(domain, name) for name in _OF_DOMAIN}


def drop_aliases(signal_ids: Collection[bytes]) -> Step:
    """Forget the aliases of signals."""
    return Step("deposit_alias", delete(_ALIAS).where(_ALIAS.c.signal_id.in_(list(signal_ids))), {})


class AliasSteps:
    """A transaction's part in aliases; the host gives connection and queries, and writes `_aliases` at commit."""

    _connection: Connection
    _queries: Queries
    _aliases: list[tuple[object, ...]]

    def deposits_by_alias(
        self, domain: DepositDomain, pseudonyms: Collection[bytes], now_ms: int
    ) -> Sequence[tuple[bytes, StoredSignal]]:
        """Unexpired deposits with one of these aliases, each with the alias; oldest first."""
        query = found_by_alias(
            self._queries, _ALIAS.c.pseudonym.label("alias"), *(_SIGNAL.c[name] for name in SIGNAL_COLUMNS)
        )
        values = {**domain_values(domain), "now": now_ms}
        found = [
            (bytes(row.alias), StoredSignal(**{name: getattr(row, name) for name in SIGNAL_COLUMNS}))
            for row in self._queries.each_among(self._connection, query, pseudonyms, **values)
        ]
        return sorted(found, key=lambda item: (item[1].pushed_index, item[1].signal_id, item[0]))

    def add_aliases(self, rows: Sequence[Alias]) -> None:
        """Let a signal of this transaction be found by these too."""
        self._aliases += [tuple(getattr(row, name) for name in ALIAS_COLUMNS) for row in rows]
