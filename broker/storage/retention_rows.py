# SPDX-License-Identifier: EUPL-1.2
"""Retention on SQLite and PostgreSQL: see `retention_port.py`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy import literal as value

from broker.storage.alias_steps import drop_aliases
from broker.storage.bulk import is_postgres
from broker.storage.engines import Engines, session
from broker.storage.faults import storage_errors
from broker.storage.queries import MAX_INTEGER, TABLES, Queries, Rows
from broker.storage.retention_port import (
    Cursor,
    EndedLink,
    HeldRegister,
    HoldSubject,
    LegalHold,
    RetainedSignal,
)
from broker.storage.writes import Step

_SIGNAL, _SALT, _ENTRY = TABLES["signal"], TABLES["entry_salt"], TABLES["log_entry"]
_HOLD, _SUBJECT, _CLOCK = TABLES["legal_hold"], TABLES["hold_subject"], TABLES["retention_clock"]
_FOLLOW_UP = TABLES["follow_up"]
_SNAPSHOT, _REGISTER = TABLES["register_snapshot"], TABLES["register_entry"]
_RETAINED: Rows = select(*(_SIGNAL.c[field.name] for field in fields(RetainedSignal)))
_REWRITTEN = ("signal", "deposit_alias", "entry_salt", "first_answer", "register_entry", "hold_subject")
_PAGE = 1_000
_HOLD_COLUMNS = tuple(field.name for field in fields(LegalHold) if field.name != "subjects")
_WAITING = text("signal.destroyed_index IS NULL")  # word for word the index's condition
_GONE = text("signal.destroyed_index IS NOT NULL")


def _retained(row: Row[Any]) -> RetainedSignal:
    return RetainedSignal(**row._asdict())


def _of_party(party: str) -> Any:
    return or_(_SIGNAL.c.sender == party, _SIGNAL.c.recipient == party) if party else text("1 = 1")


def read_holds(connection: Connection) -> list[LegalHold]:
    """Give the holds in force, in the order of the log."""
    query = (
        select(*(_HOLD.c[name] for name in _HOLD_COLUMNS))
        .where(text("legal_hold.lifted_index IS NULL"))
        .order_by(_HOLD.c.set_index)
    )
    with storage_errors():
        rows = connection.execute(query).all()
        found = [LegalHold(**row._asdict()) for row in rows]
        return [replace(hold, subjects=_subjects(connection, hold.hold_id)) for hold in found]


def _subjects(connection: Connection, hold_id: str) -> frozenset[HoldSubject]:
    columns = (_SUBJECT.c[field.name] for field in fields(HoldSubject))
    rows = connection.execute(select(*columns).where(_SUBJECT.c.hold_id == hold_id))
    return frozenset(HoldSubject(**row._asdict()) for row in rows)


class RetentionWrites:
    """The `RetentionTransaction` of the port; `steps` are written when the transaction commits."""

    def __init__(self, connection: Connection, queries: Queries, steps: list[Step]) -> None:
        self._connection = connection
        self._queries = queries
        self._steps = steps

    # reads

    def signals_due(self, now_ms: int, after: Cursor, limit: int) -> Sequence[RetainedSignal]:
        """Signals that ended and are still there."""
        end, key = _SIGNAL.c.retain_until_ms, _SIGNAL.c.signal_id
        query = (
            _RETAINED.where(
                _WAITING, end <= now_ms, tuple_(end, key) > tuple_(value(after[0]), value(after[1]))
            )
            .order_by(end, key)
            .limit(limit)
        )
        return [_retained(row) for row in self._all(query)]

    def links_of(self, signal: RetainedSignal) -> Sequence[int]:
        """The entries whose salts or answers go with a signal: its push, what was decided on it later, a correction."""
        later = select(_SALT.c.log_index).where(_SALT.c.signal_id == signal.signal_id)
        corrected = select(_FOLLOW_UP.c.log_index).where(
            _FOLLOW_UP.c.signal_id == signal.signal_id, _FOLLOW_UP.c.replacement.is_not(None)
        )
        found = (row.log_index for query in (later, corrected) for row in self._all(query))
        return sorted({signal.pushed_index, *found})

    def links_due(self, now_ms: int, after: tuple[int, int], limit: int) -> Sequence[EndedLink]:
        """Entries whose own link ended."""
        end, key = _SALT.c.ends_at_ms, _SALT.c.log_index
        query = (
            select(key, end, _ENTRY.c.entry)
            .join_from(_SALT, _ENTRY, _ENTRY.c.log_index == key)
            .where(text("entry_salt.ends_at_ms IS NOT NULL"), end <= now_ms)
            .where(tuple_(end, key) > tuple_(value(after[0]), value(after[1])))
            .order_by(end, key)
            .limit(limit)
        )
        return [EndedLink(**row._asdict()) for row in self._all(query)]

    def signals(self, signal_ids: Collection[bytes]) -> Sequence[RetainedSignal]:
        """Give signals by id, in the order of the log."""
        query = _RETAINED.where(self._queries.among(_SIGNAL.c.signal_id))
        rows = self._queries.each_among(self._connection, query, signal_ids)
        return sorted((_retained(row) for row in rows), key=lambda row: (row.pushed_index, row.signal_id))

    def is_active(self, snapshot_id: bytes) -> bool:
        """Whether a register is in force."""
        query = select(_SNAPSHOT.c.active).where(_SNAPSHOT.c.snapshot_id == snapshot_id)
        return any(row.active for row in self._all(query))

    def has_content(self, snapshot_id: bytes) -> bool:
        """Whether a register still holds anything."""
        query = select(_REGISTER.c.snapshot_id).where(_REGISTER.c.snapshot_id == snapshot_id).limit(1)
        return bool(self._all(query))

    def holds(self) -> Sequence[LegalHold]:
        """The holds in force."""
        return read_holds(self._connection)

    def hold(self, hold_id: str) -> LegalHold | None:
        """A hold, also one that was lifted."""
        query = select(*(_HOLD.c[name] for name in _HOLD_COLUMNS)).where(_HOLD.c.hold_id == hold_id)
        rows = self._all(query)
        return LegalHold(**rows[0]._asdict()) if rows else None

    def _all(self, query: Rows) -> Sequence[Row[Any]]:
        with storage_errors():
            return self._connection.execute(query).all()

    # writes, kept until commit

    def empty_signals(self, rows: Sequence[tuple[bytes, int]]) -> None:
        """Destroy what signals hold."""
        empty = {"envelope": b"", "redaction": b"", "pseudonym": b""}
        for signal_id, index in rows:
            statement = update(_SIGNAL).where(_SIGNAL.c.signal_id == signal_id)
            self._steps.append(Step("signal", statement, {**empty, "destroyed_index": index}))
        self._steps.append(drop_aliases([signal_id for signal_id, _ in rows]))

    def drop_links(self, log_indexes: Collection[int]) -> None:
        """Destroy salts, inputs and first answers of entries."""
        for table in (_SALT, TABLES["first_answer"]):
            for log_index in log_indexes:
                statement = delete(table).where(table.c.log_index == log_index)
                self._steps.append(Step(table.name, statement, {}))

    def drop_register(self, snapshot_id: bytes) -> None:
        """Destroy what a register holds."""
        entries = delete(_REGISTER).where(_REGISTER.c.snapshot_id == snapshot_id)
        self._steps.append(Step("register_entry", entries, {}))
        self.lapse_register(snapshot_id)

    def lapse_register(self, snapshot_id: bytes) -> None:
        """Take a register out of force."""
        ended = update(_SNAPSHOT).where(_SNAPSHOT.c.snapshot_id == snapshot_id)
        self._steps.append(Step("register_snapshot", ended, {"active": False}))

    def limit_signal(self, signal_id: bytes, until_ms: int, term: str, after_loss: str) -> None:
        """Let a signal end earlier; each column keeps an end that is sooner already."""
        mine = _SIGNAL.c.signal_id == signal_id
        base = update(_SIGNAL).where(mine, _SIGNAL.c.term_until_ms > until_ms)
        end = update(_SIGNAL).where(mine, _SIGNAL.c.retain_until_ms > until_ms)
        loss = update(_SIGNAL).where(mine, _SIGNAL.c.after_loss != after_loss)
        self._steps.append(Step("signal", loss, {"after_loss": after_loss}))
        self._steps.append(Step("signal", base, {"term_until_ms": until_ms, "term": term}))
        self._steps.append(Step("signal", end, {"retain_until_ms": until_ms}))

    def set_loss(self, signal_id: bytes, lost_at_ms: int | None, retain_until_ms: int) -> None:
        """Note since when a register no longer holds the subject, and the end that follows."""
        statement = update(_SIGNAL).where(_SIGNAL.c.signal_id == signal_id)
        values = {"lost_at_ms": lost_at_ms, "retain_until_ms": retain_until_ms}
        self._steps.append(Step("signal", statement, values))

    def add_hold(self, row: LegalHold) -> None:
        """Keep a hold with its subjects; at commit Conflict `wrong-state` for one that was there before."""
        members = {name: getattr(row, name) for name in _HOLD_COLUMNS}
        self._steps.append(Step("legal_hold", insert(_HOLD), members))
        for subject in sorted(row.subjects, key=lambda item: (item.agreement, item.recipient, item.epoch)):
            members = {"hold_id": row.hold_id, **asdict(subject)}
            self._steps.append(Step("hold_subject", insert(_SUBJECT), members))

    def lift_hold(self, hold_id: str, lifted_index: int) -> None:
        """End a hold; its subjects go."""
        lifted = update(_HOLD).where(_HOLD.c.hold_id == hold_id)
        self._steps.append(Step("hold_subject", delete(_SUBJECT).where(_SUBJECT.c.hold_id == hold_id), {}))
        self._steps.append(Step("legal_hold", lifted, {"lifted_index": lifted_index}))


class RetentionRows:
    """The `RetentionStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def signal(self, signal_id: bytes) -> RetainedSignal | None:
        """A signal, also a destroyed one."""
        rows = self._all(_RETAINED.where(_SIGNAL.c.signal_id == signal_id))
        return _retained(rows[0]) if rows else None

    def taken_back(self, signal_id: bytes) -> tuple[int, bytes] | None:
        """The entry by which a signal was taken back, and the envelope that is kept of it since."""
        query: Rows = select(_SIGNAL.c.withdrawn_index, _SIGNAL.c.envelope).where(
            _SIGNAL.c.signal_id == signal_id, _SIGNAL.c.withdrawn_index.is_not(None)
        )
        rows = self._all(query)
        return (rows[0].withdrawn_index, bytes(rows[0].envelope)) if rows else None

    def watched(self, after: bytes, limit: int) -> Sequence[bytes]:
        """Signals above an id that end sooner when their subject leaves a register, in order."""
        key = _SIGNAL.c.signal_id
        query = (
            select(key).where(_WAITING, _SIGNAL.c.after_loss != "", key > after).order_by(key).limit(limit)
        )
        return [bytes(row.signal_id) for row in self._all(query)]

    def overdue(self, party: str, before_ms: int, limit: int) -> Sequence[RetainedSignal]:
        """Signals that should have gone before a moment, first ended first."""
        end = _SIGNAL.c.retain_until_ms
        query = _RETAINED.where(_WAITING, end < before_ms, _of_party(party))
        return [_retained(row) for row in self._all(query.order_by(end, _SIGNAL.c.signal_id).limit(limit))]

    def destroyed(self, party: str, before: int, limit: int) -> Sequence[RetainedSignal]:
        """Signals destroyed by entries below `before`, newest first."""
        index = _SIGNAL.c.destroyed_index
        query = _RETAINED.where(_GONE, index < min(before, MAX_INTEGER), _of_party(party))
        return [_retained(row) for row in self._all(query.order_by(index.desc()).limit(max(limit, 0)))]

    def bare(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Entries without a salt; a page at a time."""
        index = _ENTRY.c.log_index
        page = (
            select(index, _ENTRY.c.entry)
            .join_from(_ENTRY, _SALT, _SALT.c.log_index == index, isouter=True)
            .where(_SALT.c.log_index.is_(None), index >= bindparam("start"), index < bindparam("end"))
            .order_by(index)
            .limit(_PAGE)
        )
        start, end = max(start, 0), min(end, MAX_INTEGER)
        while start < end:
            with session(self._engines.reader) as connection:
                rows = connection.execute(page, {"start": start, "end": end}).all()
            for row in rows:
                yield row.log_index, bytes(row.entry)
            if len(rows) < _PAGE:
                return
            start = rows[-1].log_index + 1

    def holds(self) -> Sequence[LegalHold]:
        """The holds in force."""
        with session(self._engines.reader) as connection:
            return read_holds(connection)

    def registers(self) -> Sequence[HeldRegister]:
        """The registers in force, and those that still hold something, oldest first."""
        index = _SNAPSHOT.c.log_index
        content = exists().where(_REGISTER.c.snapshot_id == _SNAPSHOT.c.snapshot_id)
        query = (
            select(_SNAPSHOT.c.snapshot_id, index, _ENTRY.c.entry)
            .join_from(_SNAPSHOT, _ENTRY, and_(_ENTRY.c.log_index == index))
            .where(or_(text("active"), content))
            .order_by(index)
        )
        return [HeldRegister(**row._asdict()) for row in self._all(query)]

    def abandoned(self) -> frozenset[bytes]:
        """Snapshots of which entries were loaded that are in no register."""
        known = select(_SNAPSHOT.c.snapshot_id).where(_SNAPSHOT.c.snapshot_id == _REGISTER.c.snapshot_id)
        query = select(_REGISTER.c.snapshot_id).where(~known.exists()).distinct()
        return frozenset(bytes(row.snapshot_id) for row in self._all(query))

    def swept_at_ms(self) -> int | None:
        """Until when destruction went on with a clock that could be believed."""
        rows = self._all(select(_CLOCK.c.swept_at_ms))
        return int(rows[0].swept_at_ms) if rows else None

    def set_swept(self, time_ms: int) -> None:
        """Note that it went on until now."""
        with session(self._engines.writer, "retention_clock") as connection:
            changed = connection.execute(update(_CLOCK).values(swept_at_ms=time_ms)).rowcount
            if not changed:
                connection.execute(insert(_CLOCK).values(clock_id=1, swept_at_ms=time_ms))
            connection.commit()

    def scrub(self) -> bool:
        """Copy SQLite's write-ahead log into the file and cut it to nothing; on PostgreSQL there is nothing to do."""
        if is_postgres(self._engines.dialect):
            return True
        return self._engines.truncate_log()

    def rewrite(self) -> None:
        """Write what is left anew: PostgreSQL leaves old rows in its files until their place is used again."""
        self._engines.rewrite(_REWRITTEN)
        self.scrub()

    def _all(self, query: Rows) -> Sequence[Row[Any]]:
        with session(self._engines.reader) as connection:
            return connection.execute(query).all()
