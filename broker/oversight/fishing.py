# SPDX-License-Identifier: EUPL-1.2
"""Questions that look like trying out numbers. The broker sees no numbers; what it sees is how many, and how many hit.

A participant is held against itself: the days on which it asked before, half a year back, in the same domain and in
the same way. And against the registers: how many subjects they hold in its domain, of whom alone a signal can be.

look-ups-rate     hits far below what its own rate would bring
look-ups-volume   far more asked than on its last days, beyond the registers, and the extra ones hardly hit
look-ups-growth   the same against the first days of that half year, for who grows slowly
look-ups          no history yet: many asked, beyond the registers, and next to none found

Who grows honestly asks about more that hit like the others, or about what the registers hold; that is not told.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import TypeAlias

from broker.oversight.anomalies import HITS_PERCENT, LEAST_ASKED, Anomaly, Flow
from broker.storage.asked_port import AskedCount, AskedKey, AskedMode

HISTORY = timedelta(days=182)
OLD = timedelta(days=56)
ENOUGH_DAYS = 4
LAST_DAYS = 8
TELLING = 20.0  # so many hits must have been expected before their absence tells something
FEWER = 5.0  # so many times fewer than expected
MORE, GROWN = 3.0, 4.0  # so many times as many asked
BEYOND = 1.5  # so many times what registers hold

Asked: TypeAlias = tuple[AskedKey, AskedCount]


@dataclass(frozen=True, slots=True)
class _Usual:
    """What some earlier days say: how many were asked on one, and of how many one hit."""

    asked: float
    rate: float

    @classmethod
    def of(cls, days: Sequence[AskedCount]) -> "_Usual | None":
        if len(days) < ENOUGH_DAYS:
            return None
        asked = sum(day.asked for day in days)
        rate = sum(day.hits for day in days) / asked if asked else 0.0
        return cls(asked=median(day.asked for day in days[-LAST_DAYS:]), rate=rate)

    def is_left_by(self, count: AskedCount, times: float) -> bool:
        """Whether far more were asked, and what was asked in addition does not hit like the rest."""
        extra = (count.asked - self.asked) * self.rate
        found = count.hits - self.asked * self.rate
        return count.asked > times * self.asked and (extra < TELLING or found * FEWER < extra)


def fishing(
    asked: Iterable[Asked], days: Collection[date], registered: Mapping[tuple[str, str], int]
) -> list[Anomaly]:
    """What looks like trying out numbers on some days. `asked` reaches back over `HISTORY` before them."""
    series: dict[tuple[str, str, str, AskedMode], dict[date, AskedCount]] = defaultdict(dict)
    for key, count in asked:
        if key.mode is not AskedMode.DIGEST and count.asked:
            series[key.participant, key.agreement, key.kind, key.mode][key.day] = count
    found = []
    for (participant, agreement, kind, _), counts in sorted(series.items()):
        most = BEYOND * registered.get((participant, agreement), 0)
        for day in sorted(counts.keys() & set(days)):
            if sort := _sort(counts, day, within=counts[day].asked <= most):
                flow, count = Flow(participant, participant, kind), counts[day]
                found.append(Anomaly(kind=sort, flow=flow, day=day, count=count.hits, asked=count.asked))
    return found


def _sort(counts: Mapping[date, AskedCount], day: date, *, within: bool) -> str:
    """The sort of what stands out; empty when nothing does. `within`: registers hold about as many."""
    count = counts[day]
    before = [(at, counts[at]) for at in sorted(counts) if day - HISTORY <= at < day]
    usual = _Usual.of([one for _, one in before])
    if count.asked < LEAST_ASKED:
        return ""
    if usual is None:
        few = 100 * count.hits < HITS_PERCENT * count.asked
        return "look-ups" if few and not within else ""
    expected = count.asked * usual.rate
    if expected >= TELLING and count.hits * FEWER < expected:
        return "look-ups-rate"
    if within:
        return ""
    if usual.is_left_by(count, MORE):
        return "look-ups-volume"
    old = _Usual.of([one for at, one in before if at < day - OLD][:LAST_DAYS])
    return "look-ups-growth" if old is not None and old.is_left_by(count, GROWN) else ""
