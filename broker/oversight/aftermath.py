# SPDX-License-Identifier: EUPL-1.2
"""What came of the signals of a year: who told back, how soon and with what outcome, what was taken back or late.

All of it follows from entries of the log: `signal.push`, `signal.release`, `followup.*`, and their times. A year's
numbers do not change once it is over: only signals that reached their recipient in the year count, with what was said
of them in the year, and duties that were due in it. So feedback on the signals of December is mostly missing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from statistics import median

from broker.storage.port import Store
from broker.storage.projected import ZONE, Days, ExchangeRow, Filter, Sight, day_of
from sluis.followup import Act, FollowUp

DELIVERED = Filter({"acknowledged": ["yes", "no"]})
TAKEN_BACK = (Act.CORRECT, Act.RECTIFY, Act.RECALL)
NONE = ""  # no feedback
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A signal with feedback: when it reached its recipient, the first feedback, and what the last one says."""

    delivered_ms: int
    told_ms: int
    outcome: str
    measure: str = NONE

    @property
    def days(self) -> int:
        """Whole days from signal to feedback."""
        return (self.told_ms - self.delivered_ms) // DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The numbers of a year, before anything is hidden. Never shown as they are."""

    delivered: int
    told: Sequence[Told]
    taken_back: Mapping[str, int]  # signals, by act
    late: Mapping[str, int]  # duties, by act
    recalled: Mapping[str, int] = field(default_factory=dict)  # signals, by the reason

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Signals by their last outcome; under `NONE` those without feedback."""
        found = Counter(one.outcome for one in self.told)
        return {**found, NONE: self.delivered - len(self.told)}

    @property
    def measures(self) -> Mapping[str, int]:
        """Signals with feedback by the measure that the last one names; under `NONE` those without."""
        return {NONE: 0, **Counter(one.measure for one in self.told)}

    def median_days(self, minimum: int) -> int | None:
        """The median of the days from signal to feedback; None of fewer than `minimum` signals."""
        return round(median(one.days for one in self.told)) if len(self.told) >= minimum else None


def aftermath(store: Store, days: Days) -> Aftermath:
    """Count over all participants: for the authority alone."""
    agreements = store.exchange_index.facets(Sight.everything(), Filter(), None).counts["agreement"]
    taken_back = {act.value: _said(store, act, agreements, days) for act in TAKEN_BACK}
    recalls = taken_back[Act.RECALL].values()
    return Aftermath(
        delivered=store.exchange_index.facets(Sight.everything(), DELIVERED, days).total,
        told=_told(store, agreements, days),
        taken_back={act: len(said) for act, said in taken_back.items()},
        recalled=Counter(one[-1][1].codes["reason"] for one in recalls),
        late=store.follow_ups.count_late(*bounds(days)),
    )


def _said(
    store: Store, act: Act, agreements: Iterable[str], days: Days
) -> Mapping[bytes, list[tuple[ExchangeRow, FollowUp]]]:
    """What was said in these days, by signal, oldest first."""
    rows = [row for name in agreements for row in store.follow_ups.of_agreement(act, name, "")]
    logged = store.exchange_index.rows_at([row.log_index for row in rows])
    found: dict[bytes, list[tuple[ExchangeRow, FollowUp]]] = {}
    for row in rows:
        entry = logged.get(row.log_index)
        if entry is not None and _is_in(entry.time_ms, days):
            found.setdefault(row.signal_id, []).append((entry, FollowUp.decode(row.statement)))
    return found


def _told(store: Store, agreements: Iterable[str], days: Days) -> list[Told]:
    said = _said(store, Act.FEEDBACK, agreements, days)
    pushes = store.exchange_index.rows_at([one[0][0].previous or 0 for one in said.values()])
    found = []
    for one in said.values():
        (first, _), (_, last) = one[0], one[-1]
        delivered = _delivered(store, pushes.get(first.previous or 0))
        if delivered is not None and _is_in(delivered.time_ms, days):
            found.append(
                Told(
                    delivered_ms=delivered.time_ms,
                    told_ms=first.time_ms,
                    outcome=last.codes["outcome"],
                    measure=last.codes.get("measure", NONE),
                )
            )
    return found


def _delivered(store: Store, push: ExchangeRow | None) -> ExchangeRow | None:
    """The entry with which a signal reached its recipient: its push or, of a deposit, its release."""
    if push is None or push.shape.acknowledged:
        return push
    life = store.exchange_index.exchange(Sight.everything(), push.exchange)
    return next((row for row in life if row.shape.acknowledged), None)


def _is_in(time_ms: int, days: Days) -> bool:
    return days.first <= day_of(time_ms) <= days.last


def bounds(days: Days) -> tuple[int, int]:
    """From the first moment of the days, in Unix milliseconds, to the first one after them."""
    ends = (days.first, days.last + timedelta(days=1))
    first, end = (datetime.combine(day, time(), ZONE).timestamp() for day in ends)
    return round(first * 1000), round(end * 1000)
