# SPDX-License-Identifier: EUPL-1.2
"""The read statements, built once per store.

A set of keys (`:among`) is one array on PostgreSQL, and an IN-list in portions on SQLite: see `each_among`.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import fields
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Dialect, Row, Select, any_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from broker.storage.bulk import is_postgres
from broker.storage.epoch_tables import METADATA
from broker.storage.faults import storage_errors
from broker.storage.port import Delivery, FirstAnswer, StoredSignal

MAX_INTEGER = (1 << 63) - 1
_PORTION = 900  # a SQLite may be built for no more than 999 parameters

TABLES = METADATA.tables
SIGNAL_COLUMNS = tuple(field.name for field in fields(StoredSignal))
FIRST_ANSWER_COLUMNS = tuple(field.name for field in fields(FirstAnswer))
DELIVERY_COLUMNS = tuple(field.name for field in fields(Delivery))

Among: TypeAlias = Callable[[ColumnElement[Any]], ColumnElement[bool]]
Rows: TypeAlias = Select[Any]


def _equal(table: str, *names: str) -> list[ColumnElement[bool]]:
    columns = TABLES[table].c
    return [columns[name] == bindparam(f"a_{name}") for name in names]


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
            select(note.note).where(note.size >= bindparam("size")).order_by(note.size).limit(1)
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
        self.known_signals: Rows = select(signal.signal_id).where(among(signal.signal_id))
        self.deposits: Rows = (
            select(*(signal[name] for name in SIGNAL_COLUMNS))
            .where(*_equal("signal", "recipient", "agreement", "kind", "epoch"), among(signal.pseudonym))
            # Word for word the index's condition: a bound parameter would hide it from the planner.
            .where(text("signal.delivery = 'on_match'"), signal.expires_at_ms > bindparam("now"))
        )
        self.deliveries: Rows = select(*(delivery[name] for name in DELIVERY_COLUMNS)).where(
            among(delivery.log_index)
        )
        views: Rows = (
            select(delivery.log_index, signal.envelope, signal.redaction, entry.entry, entry.leaf_hash)
            .join_from(TABLES["delivery"], TABLES["signal"], delivery.signal_id == signal.signal_id)
            .join(TABLES["log_entry"], entry.log_index == delivery.log_index)
        )
        self.views_at: Rows = views.where(among(delivery.log_index))
        self.mailbox: Rows = (
            views.where(*_equal("delivery", "recipient"), delivery.log_index > bindparam("after"))
            .where(text("delivery.acknowledged_index IS NULL"), signal.expires_at_ms > bindparam("now"))
            .order_by(delivery.log_index)
            .limit(bindparam("limit"))
        )
        self.snapshots: Rows = select(register.snapshot_id, register.owner).where(
            *_equal("register_snapshot", "agreement", "register", "recipient", "epoch"), text("active")
        )
        self.periods: Rows = select(period.pseudonym, period.valid_from, period.valid_until).where(
            *_equal("register_entry", "snapshot_id"), among(period.pseudonym)
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


class Queries:
    """Every select of the store, in the form its engine likes best."""

    def __init__(self, dialect: Dialect) -> None:
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

    def each_among(
        self, connection: Connection, query: Rows, keys: Collection[Any], **values: Any
    ) -> Iterator[Row[Any]]:
        """Yield the rows of `query` for a set of keys of any size, in no order."""
        unique = list(dict.fromkeys(keys))
        size = len(unique) if self._one_array else _PORTION
        for start in range(0, len(unique), max(size, 1)):
            portion = unique[start : start + size]
            with storage_errors():
                rows = connection.execute(query, {"among": portion, **values}).all()
            yield from rows


def storable(indexes: Collection[int]) -> list[int]:
    """Leave out numbers that no log can have, so that a caller's u64 does not reach the database."""
    return [index for index in indexes if 0 <= index <= MAX_INTEGER]
