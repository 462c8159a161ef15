# SPDX-License-Identifier: EUPL-1.2
"""The read statements, built once per store.

A set of keys (`:among`) is one array on PostgreSQL, and an IN-list in portions on SQLite: see `each_among`.
"""

from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Dialect, Select, any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from broker.storage.all_tables import METADATA
from broker.storage.bulk import is_postgres
from broker.storage.faults import storage_errors
from broker.storage.port import Delivery, FirstAnswer, StoredSignal

MAX_INTEGER = (1 << 63) - 1
_PORTION = 900  # a SQLite may be built for no more than 999 parameters

TABLES = METADATA.tables
SIGNAL_COLUMNS = tuple(field.name for field in fields(StoredSignal))
FIRST_ANSWER_COLUMNS = tuple(field.name for field in fields(FirstAnswer))
DELIVERY_COLUMNS = tuple(field.name for field in fields(Delivery) if field.name != "ends_at_ms")

Among: TypeAlias = Callable[[ColumnElement[Any]], ColumnElement[bool]]
Rows: TypeAlias = Select[Any]


def _equal(table: str, *names: str) -> list[ColumnElement[bool]]:
    columns = TABLES[table].c
    return [columns[name] == bindparam(f"a_{name}") for name in names]


def lying(signal: Any) -> tuple[ColumnElement[bool], ...]:
    """That a deposit is neither withdrawn nor destroyed, and that its retention has not ended by `:now`.

    Written so that no planner takes the index of what is to be destroyed for it, while the table is small.
    """
    return (
        signal.withdrawn_index.is_(None),
        func.coalesce(signal.destroyed_index, -1) < 0,
        signal.retain_until_ms + 0 > bindparam("now"),
    )


class LogQueries:
    """Reads of the log."""

    def __init__(self) -> None:
        head, entry = TABLES["log_head"].c, TABLES["log_entry"].c
        tile, note = TABLES["log_tile"].c, TABLES["checkpoint"].c
        current: Rows = select(head.size, head.nodes, head.last_time_ms)
        self.head = current
        self.lock_head = current.with_for_update()
        between = (entry.log_index >= bindparam("start"), entry.log_index < bindparam("end"))
        self.entries: Rows = (
            select(entry.log_index, entry.entry, entry.leaf_hash)
            .where(*between)
            .order_by(entry.log_index)
            .limit(bindparam("limit"))
        )
        self.leaf_hashes: Rows = (
            select(entry.log_index, entry.leaf_hash).where(*between).order_by(entry.log_index)
        )
        self.tile_roots: Rows = (
            select(tile.tile_index, tile.root)
            .where(tile.level == bindparam("level"))
            .where(tile.tile_index >= bindparam("start"), tile.tile_index < bindparam("end"))
            .order_by(tile.tile_index)
        )
        self.tile: Rows = select(tile.hashes).where(
            tile.level == bindparam("level"), tile.tile_index == bindparam("index")
        )
        self.newest_checkpoint: Rows = select(note.note).order_by(note.size.desc()).limit(1)
        self.checkpoints: Rows = (
            select(note.size, note.note, note.signed_at_ms)
            .where(note.size < bindparam("before"))
            .order_by(note.size.desc())
            .limit(bindparam("limit"))
        )
        self.covering_checkpoint: Rows = (
            select(note.note)
            .where(note.size >= bindparam("size"))
            .order_by(note.size)
            .limit(bindparam("limit"))
        )


class DirectoryQueries:
    """Reads of parties, stops and published keys."""

    def __init__(self, among: Among) -> None:
        party, stop, key = (TABLES[name].c for name in ("party", "stop", "domain_key"))
        self.parties: Rows = select(*party).where(among(party.oin))
        self.party_page: Rows = (
            select(*party).where(party.oin > bindparam("after")).order_by(party.oin).limit(bindparam("limit"))
        )
        self.party_page_of_role: Rows = self.party_page.where(*_equal("party", "role"))
        self.stops: Rows = select(stop.scope, stop.target)
        self.domain_keys: Rows = (
            select(*key).where(*_equal("domain_key", "agreement", "recipient")).order_by(key.log_index)
        )
        self.every_domain_key: Rows = select(*key).order_by(key.log_index, key.evaluator)
        self.domain_key: Rows = self.domain_keys.where(*_equal("domain_key", "epoch", "evaluator"))


class ExchangeQueries:
    """Reads of signals, deliveries, first answers and registers."""

    def __init__(self, among: Among) -> None:
        answer, signal, delivery = TABLES["first_answer"].c, TABLES["signal"].c, TABLES["delivery"].c
        entry, register, period = (
            TABLES[name].c for name in ("log_entry", "register_snapshot", "register_entry")
        )
        self.first_answers: Rows = select(*(answer[name] for name in FIRST_ANSWER_COLUMNS)).where(
            *_equal("first_answer", "oin"), among(answer.key)
        )
        still_kept = (signal.withdrawn_index.is_(None), signal.destroyed_index.is_(None))
        self.known_signals: Rows = select(signal.signal_id).where(among(signal.signal_id))
        self.deposits: Rows = (
            select(*(signal[name] for name in SIGNAL_COLUMNS))
            .where(*_equal("signal", "recipient", "agreement", "kind", "epoch"), among(signal.pseudonym))
            # Word for word the index's condition: a bound parameter would hide it from the planner.
            .where(text("signal.delivery = 'on_match'"), *lying(signal))
        )
        self.deliveries: Rows = (
            select(*(delivery[name] for name in DELIVERY_COLUMNS), signal.retain_until_ms.label("ends_at_ms"))
            .join_from(TABLES["delivery"], TABLES["signal"], delivery.signal_id == signal.signal_id)
            .where(among(delivery.log_index))
        )
        views: Rows = (
            select(delivery.log_index, signal.envelope, signal.redaction, entry.entry, entry.leaf_hash)
            .join_from(TABLES["delivery"], TABLES["signal"], delivery.signal_id == signal.signal_id)
            .join(TABLES["log_entry"], entry.log_index == delivery.log_index)
        )
        views = views.where(*still_kept)
        self.views_at: Rows = views.where(among(delivery.log_index))
        self.mailbox: Rows = (
            views.where(*_equal("delivery", "recipient"), delivery.log_index > bindparam("after"))
            .where(text("delivery.acknowledged_index IS NULL"), signal.retain_until_ms > bindparam("now"))
            .order_by(delivery.log_index)
            .limit(bindparam("limit"))
        )
        self.snapshots: Rows = select(register.snapshot_id, register.owner).where(
            *_equal("register_snapshot", "agreement", "register", "recipient", "epoch"), text("active")
        )
        self.periods: Rows = select(period.pseudonym, period.valid_from, period.valid_until).where(
            *_equal("register_entry", "snapshot_id"), among(period.pseudonym)
        )
        held = (period.valid_from <= bindparam("day")) & (
            (period.valid_until == "") | (period.valid_until >= bindparam("day"))
        )
        self.register_size: Rows = select(func.count(period.pseudonym.distinct())).where(
            *_equal("register_entry", "snapshot_id"), held
        )
        last_day = select(func.max(period.valid_until)).where(period.snapshot_id == register.snapshot_id)
        self.active_snapshots: Rows = (
            select(
                *(register[name] for name in ("agreement", "register", "epoch", "entry_count", "log_index")),
                func.coalesce(last_day.scalar_subquery(), "").label("last_day"),
            )
            .where(
                register.owner == bindparam("owner"), register.recipient == bindparam("owner"), text("active")
            )
            .order_by(register.log_index)
        )
        self.loaded: Rows = select(func.count()).where(*_equal("register_entry", "snapshot_id"))


class PolicyQueries:
    """Reads of bundles, activations, officers, counters, and of what was decided on."""

    def __init__(self, among: Among) -> None:
        activation, officer, counter = (
            TABLES[name].c for name in ("policy_activation", "officer", "counter")
        )
        bundle, salt, entry = (TABLES[name].c for name in ("policy_bundle", "entry_salt", "log_entry"))
        self.activations: Rows = select(*activation).order_by(activation.log_index)
        self.active: Rows = select(activation.digest).order_by(activation.log_index.desc()).limit(1)
        self.bundle: Rows = select(bundle.content).where(*_equal("policy_bundle", "digest"))
        self.officers: Rows = select(*officer).where(among(officer.officer))
        self.officer_page: Rows = (
            select(*officer)
            .where(officer.officer > bindparam("after"))
            .order_by(officer.officer)
            .limit(bindparam("limit"))
        )
        self.counted: Rows = select(counter.passed).where(
            *_equal("counter", "name", "sender", "recipient", "day")
        )
        self.decided: Rows = (
            select(entry.log_index, entry.entry, salt.salt, salt.inputs)
            .join_from(TABLES["log_entry"], TABLES["entry_salt"], entry.log_index == salt.log_index)
            .where(entry.log_index >= bindparam("start"), entry.log_index < bindparam("end"))
            .order_by(entry.log_index)
            .limit(bindparam("limit"))
        )


class _Text(NamedTuple):
    """A select as SQLite's driver takes it: its parameters in order, values of its own, and what makes a row."""

    sql: str
    parameters: Sequence[str]
    own: Mapping[str, Any]
    row: Callable[[Iterable[Any]], Any]


class Queries:
    """Every select of the store, in the form its engine likes best."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._one_array = postgres = is_postgres(dialect)

        def among(column: ColumnElement[Any]) -> ColumnElement[bool]:
            if postgres:
                return column == any_(bindparam("among", type_=ARRAY(column.type)))
            return column.in_(bindparam("among", expanding=True, type_=column.type))

        self.among = among
        self.log = LogQueries()
        self.directory = DirectoryQueries(among)
        self.exchange = ExchangeQueries(among)
        self.policy = PolicyQueries(among)
        exchange = self.exchange
        self._of_every_push = {exchange.first_answers, exchange.known_signals, exchange.periods}
        self._of_every_push.add(self.directory.parties)
        self._text = lru_cache(maxsize=256)(self._written_out)

    def each_among(
        self, connection: Connection, query: Rows, keys: Collection[Any], **values: Any
    ) -> Iterator[Any]:
        """Yield the rows of `query` for a set of keys of any size, in no order; columns by name."""
        unique = list(dict.fromkeys(keys))
        size = len(unique) if self._one_array else _PORTION
        for start in range(0, len(unique), max(size, 1)):
            portion = unique[start : start + size]
            with storage_errors():
                if self._one_array or query not in self._of_every_push:
                    rows = connection.execute(query, {"among": portion, **values}).all()
                else:
                    rows = self._read_quickly(connection, query, portion, values)
            yield from rows

    def of_every_push(self, connection: Connection, query: Rows, **values: Any) -> Sequence[Any]:
        """The rows of a query without a set of keys that every transaction asks; columns by name."""
        with storage_errors():
            if self._one_array:
                return connection.execute(query, values).all()
            return self._read_quickly(connection, query, (), values)

    def _read_quickly(
        self, connection: Connection, query: Rows, keys: Sequence[Any], values: Mapping[str, Any]
    ) -> list[Any]:
        """Read past SQLAlchemy, which takes several times as long for a few rows as SQLite itself."""
        written = self._text(query, len(keys))
        bound = {**written.own, **values, **{f"among_{number}": key for number, key in enumerate(keys, 1)}}
        driver: Any = connection.connection.driver_connection
        found = driver.execute(written.sql, [bound[name] for name in written.parameters])
        return [written.row(row) for row in found]

    def _written_out(self, query: Rows, keys: int) -> _Text:
        own = query.compile(dialect=self._dialect).params  # with None for what is given later
        listed = query.params({**own, **({"among": [None] * keys} if keys else {})})
        compiled = listed.compile(dialect=self._dialect, compile_kwargs={"render_postcompile": True})
        row = namedtuple("row", [column.name for column in query.selected_columns])  # type: ignore[misc]
        return _Text(str(compiled), compiled.positiontup or (), own, row._make)


def storable(indexes: Collection[int]) -> list[int]:
    """Leave out numbers that no log can have, so that a caller's u64 does not reach the database."""
    return [index for index in indexes if 0 <= index <= MAX_INTEGER]
