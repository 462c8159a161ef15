# SPDX-License-Identifier: EUPL-1.2
"""What is counted of the exchanges that an officer may see, from the index of exchanges."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from broker.oversight.anomalies import WEEKS, Anomaly, Flow, Stated, is_out_of_hours
from broker.oversight.fishing import HISTORY, fishing
from broker.storage.port import Store
from broker.storage.projected import ZONE, Cell, Column, Days, Filter, Results, Sight

PUSH = "signal.push"
PUSHES = Filter({"operation": [PUSH]})
NEWEST = 200
_STATED = ("officer", "sender")  # how the source of a fact that somebody states begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Statements among the newest rows, and whether those reach back over all the days."""

    statements: Sequence[Stated]
    complete: bool


class Counts:
    """Counts within one sight."""

    def __init__(self, store: Store, sight: Sight) -> None:
        self._store = store
        self._index = store.exchange_index
        self._sight = sight

    def matrix(self, days: Days) -> Mapping[tuple[str, str], Results]:
        """Who sent how many signals to whom."""
        return self._index.matrix(self._sight, days, PUSHES)

    def results(self, days: Days) -> Sequence[Column]:
        """Released, partly withheld and denied by day."""
        return self._index.days(self._sight, days)

    def unconfirmed(self, days: Days) -> Results:
        """What was delivered in these days and was not confirmed until now."""
        found = self._index.matrix(self._sight, days, Filter({"acknowledged": ["no"]}))
        return Results(
            released=sum(one.released for one in found.values()),
            partly=sum(one.partly for one in found.values()),
            denied=sum(one.denied for one in found.values()),
        )

    def pushes(self, days: Days) -> Sequence[Cell]:
        """Signals by day and shape."""
        return self._index.cells(self._sight, days, PUSHES)

    def behind(self) -> int:
        """How many entries of the log the index has still to take in."""
        return max(0, self._store.head().tree.size - self._index.position())

    def position(self) -> int:
        """How many entries of the log the index has taken up."""
        return self._index.position()

    def since(self) -> date | None:
        """The day of the log's first entry."""
        row = self._store.log_row(0)
        if row is None:
            return None
        return datetime.fromisoformat(json.loads(row.entry)["time"]).astimezone(ZONE).date()

    def sample(self, days: Days) -> Sample:
        """Look into the newest signals that came in out of hours."""
        pushes = self._index.exchanges(self._sight, PUSHES, days, None, NEWEST)
        statements = []
        for row in pushes:
            at = datetime.fromtimestamp(row.time_ms / 1000, ZONE)
            if is_out_of_hours(at) and self._rests_on_a_statement(row.log_index):
                flow = Flow(row.shape.sender, row.shape.recipient, row.shape.kind)
                statements.append(Stated(flow=flow, at=at, log_index=row.log_index))
        return Sample(statements=statements, complete=len(pushes) < NEWEST)

    def look_ups(self, days: Collection[date]) -> list[Anomaly]:
        """Questions on these days that look like trying out numbers."""
        participant = self._sight.organisation
        asked = self._store.asked.days(participant, min(days) - HISTORY, max(days))
        return fishing(asked, days, self._store.asked.registered(participant))

    def _rests_on_a_statement(self, log_index: int) -> bool:
        facts = self._content(log_index).get("facts", [])
        return any(fact["state"] == "proven" and fact["source"].startswith(_STATED) for fact in facts)

    def _content(self, log_index: int) -> Mapping[str, Any]:
        row = self._store.log_row(log_index)
        return dict(json.loads(row.entry)) if row else {}


def last_days(today: date, number: int) -> Days:
    """So many days up to and with today."""
    return Days(today - timedelta(days=number - 1), today)


def window(today: date, shown: int) -> Days:
    """The days that are shown, and the weeks before that say what is usual."""
    return last_days(today, shown + 7 * WEEKS)
