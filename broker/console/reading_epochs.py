# SPDX-License-Identifier: EUPL-1.2
"""Epochs of pseudonyms with the entries of the log that tell of each."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.storage.epoch_port import DestructionRow, EpochRow
from broker.storage.port import Store
from sluis.epochs import Epoch, EpochCalendar, EpochState
from sluis.pseudonyms import EVALUATORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An entry that tells of an epoch; `reason` is the operator's, `by` the evaluator whose statement it is."""

    log_index: int
    at: datetime | None  # none: the log has no such entry
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLife:
    """An epoch from its announcement to its end. `keeping`: evaluators that have not said that their key is gone."""

    epoch: Epoch
    state: EpochState
    ends_at_ms: int | None
    announced: Told
    closed: Told | None = None
    retired: Told | None = None
    destroyed: Sequence[Told] = ()
    keeping: Sequence[str] = ()


class EpochReader:
    """Reads them; `now_ms` is Unix milliseconds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def calendar(self) -> EpochCalendar:
        """The epochs in their order."""
        return EpochCalendar(row.epoch for row in self._store.epochs.all())

    def all(self, now_ms: int) -> list[EpochLife]:
        """Every epoch, the last to begin first."""
        rows = {row.name: row for row in self._store.epochs.all()}
        destroyed: dict[str, list[DestructionRow]] = defaultdict(list)
        for row in self._store.epochs.destructions():
            destroyed[row.epoch].append(row)
        published: dict[str, set[str]] = defaultdict(set)
        for key in self._store.every_domain_key():
            published[key.epoch].add(key.evaluator)
        calendar = self.calendar()
        return [
            self._life(calendar, rows[epoch.name], destroyed[epoch.name], published[epoch.name], now_ms)
            for epoch in reversed(calendar.epochs)
        ]

    def unfinished(self, now_ms: int) -> list[EpochLife]:
        """Those of which nothing is left, but whose keys not every evaluator has destroyed; mostly there are none."""
        gone = Counter(row.epoch for row in self._store.epochs.destructions())
        ended = [row.name for row in self._store.epochs.all() if row.retired_index is not None]
        if all(gone[name] >= EVALUATORS for name in ended):
            return []
        return [life for life in self.all(now_ms) if life.retired and life.keeping]

    def _life(
        self,
        calendar: EpochCalendar,
        row: EpochRow,
        destroyed: Sequence[DestructionRow],
        published: set[str],
        now_ms: int,
    ) -> EpochLife:
        gone = {one.evaluator for one in destroyed}
        return EpochLife(
            epoch=row.epoch,
            state=calendar.state(row.epoch, now_ms),
            ends_at_ms=calendar.ends_at_ms(row.epoch),
            announced=self._told(row.announced_index),
            closed=self._told(row.changed_index) if row.changed_index is not None else None,
            retired=self._told(row.retired_index) if row.retired_index is not None else None,
            destroyed=[
                self._told(one.log_index, one.evaluator)
                for one in sorted(destroyed, key=lambda one: one.log_index)
            ],
            keeping=sorted(published - gone),
        )

    def _told(self, log_index: int, by: str = "") -> Told:
        row = self._store.log_row(log_index)
        content: dict[str, Any] = json.loads(row.entry) if row else {}
        at = datetime.fromisoformat(content["time"]) if row else None
        return Told(log_index=log_index, at=at, reason=content.get("reason", ""), by=by)
