# SPDX-License-Identifier: EUPL-1.2
"""Follow-ups and duties on SQLite and PostgreSQL: see `follow_up_port.py`."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, func, or_, select

from broker.storage.engines import Engines, session
from broker.storage.follow_up_port import Duty, FollowUpRow, FollowUpView
from broker.storage.queries import MAX_INTEGER, TABLES
from sluis.merkle import Hash

_FOLLOW_UP, _WAITING, _DUTY = (TABLES[name].c for name in ("follow_up", "follow_up_delivery", "duty"))
_SIGNAL, _ENTRY, _ROW = (TABLES[name].c for name in ("signal", "log_entry", "exchange_row"))
MAX_CHAIN = 100


class FollowUpRows:
    """The `FollowUpStore` of the port; any thread may call it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def mailbox(self, recipient: str, after: int, limit: int) -> Sequence[FollowUpView]:
        """What was not acknowledged, with log_index > after, oldest first."""
        if after >= MAX_INTEGER or limit <= 0:
            return []
        query = (
            select(
                _WAITING.log_index,
                _WAITING.signal_id,
                _FOLLOW_UP.signal_id.label("about"),
                _FOLLOW_UP.statement,
                _FOLLOW_UP.signature,
                _ENTRY.entry,
                _ENTRY.leaf_hash,
            )
            .join_from(
                TABLES["follow_up_delivery"],
                TABLES["follow_up"],
                _FOLLOW_UP.follow_up_id == _WAITING.follow_up_id,
            )
            .join(TABLES["log_entry"], _ENTRY.log_index == _WAITING.log_index)
            .where(_WAITING.recipient == recipient, _WAITING.acknowledged_index.is_(None))
            .where(_WAITING.log_index > max(after, -1))
            .order_by(_WAITING.log_index)
            .limit(limit)
        )
        with session(self._engines.reader) as connection:
            return [FollowUpView(**row._asdict()) for row in connection.execute(query)]

    def chain(self, signal_id: bytes, until: bytes) -> Sequence[tuple[int, bytes, Hash]]:
        """The pushes from which a signal was passed on, the nearest first, up to `until`."""
        found: list[tuple[int, bytes, Hash]] = []
        with session(self._engines.reader) as connection:
            while signal_id != until and len(found) < MAX_CHAIN:
                before = select(_SIGNAL.previous).where(_SIGNAL.signal_id == signal_id).scalar_subquery()
                query = (
                    select(_SIGNAL.signal_id, _ENTRY.log_index, _ENTRY.entry, _ENTRY.leaf_hash)
                    .join_from(
                        TABLES["signal"], TABLES["log_entry"], _ENTRY.log_index == _SIGNAL.pushed_index
                    )
                    .where(_SIGNAL.signal_id == before)
                )
                row = connection.execute(query).first()
                if row is None:
                    break
                signal_id = bytes(row.signal_id)
                found.append((row.log_index, bytes(row.entry), Hash(bytes(row.leaf_hash))))
        return found

    def duties(
        self, party: str, *, due_before: int | None, after: tuple[int, int], limit: int
    ) -> Sequence[tuple[int, Duty]]:
        """Open duties of or towards a party, soonest first, with their numbers."""
        due_at, number = after
        query = select(*_DUTY).where(_DUTY.done_index.is_(None))
        if party:
            query = query.where(or_(_DUTY.debtor == party, _DUTY.creditor == party))
        if due_before is not None:
            query = query.where(_DUTY.due_at_ms < due_before)
        query = (
            query.where(
                or_(_DUTY.due_at_ms > due_at, and_(_DUTY.due_at_ms == due_at, _DUTY.duty_id > number))
            )
            .order_by(_DUTY.due_at_ms, _DUTY.duty_id)
            .limit(max(limit, 0))
        )
        with session(self._engines.reader) as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        return [(row.pop("duty_id"), Duty(**row)) for row in rows]

    def owed_about(self, signal_id: bytes, party: str) -> Sequence[Duty]:
        """Open duties about a signal, or of holders further on whom a follow-up about it asked."""
        with session(self._engines.reader) as connection:
            query = select(_FOLLOW_UP.follow_up_id).where(_FOLLOW_UP.signal_id == signal_id)
            asked = connection.execute(query).scalars().all()
            copies = [signal_id, *(_further(connection, signal_id) if asked else ())]
            duties = select(*_DUTY).where(
                _DUTY.signal_id.in_(copies),
                _DUTY.done_index.is_(None),
                or_(_DUTY.signal_id == signal_id, _DUTY.follow_up_id.in_(asked)),
            )
            if party:
                duties = duties.where(or_(_DUTY.debtor == party, _DUTY.creditor == party))
            rows = connection.execute(duties.order_by(_DUTY.due_at_ms, _DUTY.duty_id))
            found = [dict(row._mapping) for row in rows]
        return [Duty(**{name: row[name] for name in Duty.__dataclass_fields__}) for row in found]

    def count_overdue(self, party: str, now_ms: int) -> Mapping[str, int]:
        """How many duties of or towards a party are past their date, by act."""
        query = select(_DUTY.act, func.count().label("n")).where(
            _DUTY.done_index.is_(None), _DUTY.due_at_ms < now_ms
        )
        if party:
            query = query.where(or_(_DUTY.debtor == party, _DUTY.creditor == party))
        with session(self._engines.reader) as connection:
            return {row.act: int(row.n) for row in connection.execute(query.group_by(_DUTY.act))}

    def count_late(self, first_ms: int, end_ms: int) -> Mapping[str, int]:
        """How many duties were due in a time and not done when they were due, by act."""
        late = or_(_DUTY.done_index.is_(None), _ROW.time_ms > _DUTY.due_at_ms)
        query = (
            select(_DUTY.act, func.count().label("n"))
            .join_from(
                TABLES["duty"], TABLES["exchange_row"], _ROW.log_index == _DUTY.done_index, isouter=True
            )
            .where(_DUTY.due_at_ms >= first_ms, _DUTY.due_at_ms < end_ms, late)
            .group_by(_DUTY.act)
        )
        with session(self._engines.reader) as connection:
            return {row.act: int(row.n) for row in connection.execute(query)}

    def about(self, signal_id: bytes) -> Sequence[FollowUpRow]:
        """Every follow-up about a signal, oldest first."""
        query = select(*_FOLLOW_UP).where(_FOLLOW_UP.signal_id == signal_id).order_by(_FOLLOW_UP.log_index)
        with session(self._engines.reader) as connection:
            return [FollowUpRow(**row._asdict()) for row in connection.execute(query)]

    def of_agreement(self, act: str, agreement: str, party: str) -> Sequence[FollowUpRow]:
        """Every follow-up of an act about signals that a party sent or received, oldest first."""
        query = (
            select(*_FOLLOW_UP)
            .join_from(TABLES["follow_up"], TABLES["signal"], _SIGNAL.signal_id == _FOLLOW_UP.signal_id)
            .where(_FOLLOW_UP.act == act, _SIGNAL.agreement == agreement)
        )
        if party:
            query = query.where(or_(_SIGNAL.sender == party, _SIGNAL.recipient == party))
        with session(self._engines.reader) as connection:
            rows = connection.execute(query.order_by(_FOLLOW_UP.log_index))
            return [FollowUpRow(**row._asdict()) for row in rows]


def _further(connection: Connection, signal_id: bytes) -> list[bytes]:
    """The signals that were passed on from this one, and from those."""
    found: list[bytes] = []
    last = [signal_id]
    for _ in range(MAX_CHAIN):
        last = [
            bytes(one)
            for one in connection.execute(
                select(_SIGNAL.signal_id).where(_SIGNAL.previous.in_(last))
            ).scalars()
        ]
        if not last:
            break
        found += last
    return found
