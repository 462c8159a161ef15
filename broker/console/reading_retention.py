# SPDX-License-Identifier: EUPL-1.2
"""Until when data are kept, what was destroyed and what is held, as one officer may read it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from broker.retention.holds import held_by
from broker.retention.overdue import Overdue, overdue
from broker.storage.port import Store
from broker.storage.projected import Sight
from broker.storage.retention_port import LegalHold, RetainedSignal
from sluis.envelope import KeptField
from sluis.followup import Act, FollowUp
from sluis.v1 import envelope_pb2
from sluis.wire import envelope_from_wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """A destroyed signal with the entry that is the record of it.

    `asked`: who received it was asked to destroy its copy; `answer` is the code of what it did, empty while it is due.
    """

    signal: RetainedSignal
    record: Mapping[str, Any]
    asked: bool = False
    answer: str = ""

    @property
    def exchange(self) -> str:
        """The signal's id."""
        return str(UUID(bytes=self.signal.signal_id))

    @property
    def log_index(self) -> int:
        """Where the record stands."""
        return self.signal.destroyed_index or 0


class RetentionReader:
    """Retention under one sight."""

    def __init__(self, store: Store, sight: Sight) -> None:
        self._store = store
        self._party = sight.organisation or ""

    def signal(self, exchange: str) -> RetainedSignal | None:
        """The signal of an exchange; None for a refusal, which was never kept, and for what is not hers."""
        signal = self._store.retention.signal(UUID(exchange).bytes)
        return signal if signal is not None and self._is_hers(signal) else None

    def bared(self, signal: RetainedSignal) -> tuple[int, datetime] | None:
        """The entry and moment at which all that was sealed in a signal was taken out; None while some of it is there.

        That is when it was taken back, unless a hold kept it whole.
        """
        found = self._store.retention.taken_back(signal.signal_id)
        if found is None or not found[1] or not self._is_hers(signal):
            return None
        log_index, kept = found
        envelope = envelope_from_wire(envelope_pb2.Envelope.FromString(kept))
        row = self._store.log_row(log_index)
        if row is None or any(isinstance(one, KeptField) for one in envelope.fields):
            return None
        return log_index, datetime.fromisoformat(json.loads(row.entry)["time"])

    def record(self, signal: RetainedSignal) -> Destroyed | None:
        """The record of a signal's destruction."""
        if signal.destroyed_index is None or not self._is_hers(signal):
            return None
        row = self._store.log_row(signal.destroyed_index)
        if row is None:
            return None
        asked, answer = self._answered(signal.signal_id)
        return Destroyed(signal=signal, record=json.loads(row.entry), asked=asked, answer=answer)

    def _answered(self, signal_id: bytes) -> tuple[bool, str]:
        """Whether the recipient was asked to do away with its copy, and what it answered last."""
        said = [FollowUp.decode(row.statement) for row in self._store.follow_ups.about(signal_id)]
        asked = {item.follow_up_id for item in said if item.act in (Act.DESTROY, Act.RECALL)}
        answers = [item.codes["done"] for item in said if item.act is Act.FULFIL and item.refers_to in asked]
        return bool(asked), answers[-1] if answers else ""

    def destroyed(self, before: int, limit: int) -> list[Destroyed]:
        """What was destroyed, newest first."""
        found = self._store.retention.destroyed(self._party, before, limit)
        return [record for signal in found if (record := self.record(signal)) is not None]

    def overdue(self, now: datetime) -> list[Overdue]:
        """What ended and was not destroyed."""
        return overdue(self._store, self._party, now)

    def hold_of(self, signal: RetainedSignal) -> LegalHold | None:
        """The hold that keeps a signal; both its parties may know that there is one."""
        return held_by(signal, self._store.retention.holds())

    def holds(self) -> Sequence[LegalHold]:
        """The holds in force that her organisation asked for; of the authority all."""
        return [hold for hold in self._store.retention.holds() if self.may_know(hold)]

    def entry(self, hold: LegalHold) -> dict[str, Any]:
        """The entry that put a hold in force."""
        row = self._store.log_row(hold.set_index)
        entry: dict[str, Any] = json.loads(row.entry) if row else {}
        return entry

    def may_know(self, hold: LegalHold) -> bool:
        """Whether she may know why a hold is there."""
        return self._party in ("", hold.organisation)

    def _is_hers(self, signal: RetainedSignal) -> bool:
        return self._party in ("", signal.sender, signal.recipient)
