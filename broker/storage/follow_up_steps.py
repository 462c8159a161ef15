# SPDX-License-Identifier: EUPL-1.2
"""What a transaction reads and writes of follow-ups: the `FollowUpTransaction` of the port."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter

from sqlalchemy import Connection, exists, insert, select, update

from broker.storage.alias_steps import drop_aliases
from broker.storage.faults import storage_errors
from broker.storage.follow_up_port import Duty, FollowUpDelivery, FollowUpRow, KnownSignal, Origin
from broker.storage.queries import TABLES, Queries, Rows, storable
from broker.storage.writes import Step
from sluis.errors import NotFound

_FOLLOW_UP, _WAITING, _DUTY = (TABLES[name].c for name in ("follow_up", "follow_up_delivery", "duty"))
_SIGNAL, _ENTRY, _DELIVERY = (TABLES[name].c for name in ("signal", "log_entry", "delivery"))
_KNOWN = (
    "signal_id",
    "pushed_index",
    "sender",
    "recipient",
    "agreement",
    "kind",
    "purpose",
    "delivery",
    "epoch",
    "pseudonym",
    "previous",
    "withdrawn_index",
    "destroyed_index",
    "envelope",
)
_DUTY_COLUMNS = tuple(Duty.__dataclass_fields__)
_duty_row = attrgetter(*_DUTY_COLUMNS)


class FollowUpSteps:
    """A transaction's reads and writes of follow-ups; the host gives connection, queries and steps."""

    _connection: Connection
    _queries: Queries
    _steps: list[Step]
    _duties: list[tuple[object, ...]]

    def signals(self, signal_ids: Collection[bytes]) -> Mapping[bytes, KnownSignal]:
        """Give what is known of these signals."""
        rows = self._signals_where(
            _select_signals().where(self._queries.among(_SIGNAL.signal_id)), signal_ids
        )
        return {row.signal_id: row for row in rows}

    def passed_on(self, signal_ids: Collection[bytes]) -> Sequence[KnownSignal]:
        """Give the signals that were passed on from these, oldest first."""
        rows = self._signals_where(_select_signals().where(self._queries.among(_SIGNAL.previous)), signal_ids)
        return sorted(rows, key=lambda row: (row.pushed_index, row.signal_id))

    def _signals_where(self, query: Rows, signal_ids: Collection[bytes]) -> list[KnownSignal]:
        rows = self._queries.each_among(self._connection, query, signal_ids)
        return [KnownSignal(**row._asdict()) for row in rows]

    def origins(self, signal_ids: Collection[bytes]) -> Mapping[bytes, Origin]:
        """Give for whom these signals were; one that is not stored is left out."""
        if not signal_ids:
            return {}  # as for nearly every push; to build the query takes longer than to run it
        query: Rows = select(_SIGNAL.signal_id, _SIGNAL.recipient, _SIGNAL.withdrawn_index).where(
            self._queries.among(_SIGNAL.signal_id)
        )
        rows = self._queries.each_among(self._connection, query, signal_ids)
        return {bytes(row.signal_id): Origin(row.recipient, row.withdrawn_index is not None) for row in rows}

    def follow_ups(self, follow_up_ids: Collection[bytes]) -> Mapping[bytes, FollowUpRow]:
        """Give the follow-ups with these ids."""
        query: Rows = select(*_FOLLOW_UP).where(self._queries.among(_FOLLOW_UP.follow_up_id))
        rows = self._queries.each_among(self._connection, query, follow_up_ids)
        return {bytes(row.follow_up_id): FollowUpRow(**row._asdict()) for row in rows}

    def follow_ups_about(self, signal_id: bytes) -> Sequence[FollowUpRow]:
        """Give the follow-ups about a signal, oldest first."""
        query = select(*_FOLLOW_UP).where(_FOLLOW_UP.signal_id == signal_id).order_by(_FOLLOW_UP.log_index)
        with storage_errors():
            return [FollowUpRow(**row._asdict()) for row in self._connection.execute(query)]

    def waiting(self, log_indexes: Collection[int]) -> Mapping[int, FollowUpDelivery]:
        """Give the deliveries of follow-ups at these log indexes."""
        query: Rows = select(*_WAITING).where(self._queries.among(_WAITING.log_index))
        rows = self._queries.each_among(self._connection, query, storable(log_indexes))
        return {row.log_index: FollowUpDelivery(**row._asdict()) for row in rows}

    def open_duties(self, signal_id: bytes) -> Sequence[Duty]:
        """Give what is still owed about a signal, oldest first."""
        query = (
            select(*(_DUTY[name] for name in _DUTY_COLUMNS))
            .where(_DUTY.signal_id == signal_id, _DUTY.done_index.is_(None))
            .order_by(_DUTY.duty_id)
        )
        with storage_errors():
            return [Duty(**row._asdict()) for row in self._connection.execute(query)]

    def log_entry(self, log_index: int) -> bytes:
        """Give an entry that was committed before. Raises NotFound `not-found`."""
        query = select(_ENTRY.entry).where(_ENTRY.log_index == log_index)
        with storage_errors():
            row = self._connection.execute(query).first()
        if row is None:
            raise NotFound("not-found")
        return bytes(row.entry)

    def add_follow_up(self, row: FollowUpRow) -> None:
        """Keep a follow-up; at commit Conflict `follow-up-exists` when there is one with its id."""
        self._steps.append(Step("follow_up", insert(TABLES["follow_up"]), asdict(row)))

    def add_follow_up_delivery(self, row: FollowUpDelivery) -> None:
        """Let a follow-up wait for a party."""
        self._steps.append(Step("follow_up_delivery", insert(TABLES["follow_up_delivery"]), asdict(row)))

    def acknowledge_follow_up(self, log_index: int, acknowledged_index: int) -> None:
        """Take a follow-up out of a mailbox; the first acknowledgement counts."""
        statement = (
            update(TABLES["follow_up_delivery"])
            .where(_WAITING.log_index == log_index, _WAITING.acknowledged_index.is_(None))
            .values(acknowledged_index=acknowledged_index)
        )
        self._steps.append(Step("follow_up_delivery", statement, {}))

    def add_duty(self, row: Duty) -> None:
        """Note what a party owes another."""
        self._duties.append(_duty_row(row))

    def finish_duty(self, row: Duty, done_index: int) -> None:
        """Note that a duty was done; the first time counts."""
        same = [
            _DUTY[name] == getattr(row, name)
            for name in ("log_index", "act", "debtor", "creditor", "signal_id")
        ]
        statement = (
            update(TABLES["duty"]).where(*same, _DUTY.done_index.is_(None)).values(done_index=done_index)
        )
        self._steps.append(Step("duty", statement, {}))

    def withdraw(self, signal_id: bytes, withdrawn_index: int, envelope: bytes) -> None:
        """Let a signal be delivered, released and found no more; the first withdrawal counts."""
        statement = (
            update(TABLES["signal"])
            .where(_SIGNAL.signal_id == signal_id, _SIGNAL.withdrawn_index.is_(None))
            .values(withdrawn_index=withdrawn_index, envelope=envelope)
        )
        self._steps += [Step("signal", statement, {}), drop_aliases([signal_id])]


def _select_signals() -> Rows:
    released = exists().where(_DELIVERY.signal_id == _SIGNAL.signal_id).label("released")
    query: Rows = select(*(_SIGNAL[name] for name in _KNOWN), released)
    return query
