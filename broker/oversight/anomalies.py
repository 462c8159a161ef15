# SPDX-License-Identifier: EUPL-1.2
"""What stands out in a flow: who sends whom which sort of signal.

A day's *usual band* is the median and the quartiles of the same weekday in the eight weeks before; with fewer
than four such days there is no band, and nothing is said. An anomaly is a reason to look, never a verdict.

volume      more exchanges than usual       refusals    more refusals than usual
resent      refused for one purpose, and passed that day or the next for one that the flow had not used before
hours       a statement by an officer came in at night or in a weekend
look-ups    questions that look like trying out numbers (fishing.py)

That many senders send about one subject cannot be found here: the log does not tell who a signal is about.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, timedelta
from statistics import quantiles

from broker.storage.projected import DENIED, ZONE, Cell

WEEKS = 8
ENOUGH_WEEKS = 4
LEAST = 5  # below so many on a day, nothing is called much
LEAST_ASKED = 50
HITS_PERCENT = 2
FROM_HOUR, UNTIL_HOUR = 7, 20  # Amsterdam
WEEKEND = (5, 6)

_WEEK = timedelta(weeks=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """Who sends whom which sort of signal."""

    sender: str
    recipient: str
    kind: str


@dataclass(frozen=True, slots=True)
class Band:
    """The quartiles and the median of the days that a day is held against."""

    low: float
    median: float
    high: float

    def is_exceeded(self, count: int) -> bool:
        """Whether a count is far above: beyond the upper fence (1.5 times the spread) and twice the median."""
        fence = self.high + 1.5 * (self.high - self.low)
        return count >= LEAST and count > fence and count > 2 * self.median


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something to look at; what a kind does not need is left at its default."""

    kind: str
    flow: Flow
    day: date
    count: int
    band: Band | None = None
    purpose: str = ""
    before: str = ""  # the purpose that was refused
    asked: int = 0
    at: datetime | None = None
    log_index: int | None = None

    @property
    def key(self) -> str:
        """What tells it from others: a later count of the same day is the same anomaly."""
        words = (self.kind, *astuple(self.flow), self.day, self.purpose, self.before, self.log_index)
        return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A flow day by day: all exchanges, and those refused."""

    total: Mapping[date, int]
    denied: Mapping[date, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """An exchange that rested on a statement of an officer."""

    flow: Flow
    at: datetime
    log_index: int


def flow_of(cell: Cell) -> Flow:
    """The flow of a cell."""
    return Flow(cell.shape.sender, cell.shape.recipient, cell.shape.kind)


def counted(cells: Iterable[Cell]) -> Mapping[Flow, Counted]:
    """Count each flow by day."""
    total: dict[Flow, Counter[date]] = defaultdict(Counter)
    denied: dict[Flow, Counter[date]] = defaultdict(Counter)
    for cell in cells:
        flow = flow_of(cell)
        total[flow][cell.day] += cell.entries
        if cell.shape.result == DENIED:
            denied[flow][cell.day] += cell.entries
    return {flow: Counted(total=total[flow], denied=denied[flow]) for flow in sorted(total)}


def usual(counts: Mapping[date, int], day: date, since: date) -> Band | None:
    """The usual band of a day; the record tells of the days from `since` on, and a day without counts is zero."""
    before = [day - week * _WEEK for week in range(1, WEEKS + 1)]
    history = [counts.get(earlier, 0) for earlier in before if earlier >= since]
    if len(history) < ENOUGH_WEEKS:
        return None
    low, median, high = quantiles(history, n=4, method="inclusive")
    return Band(low, median, high)


def above_usual(
    kind: str, flow: Flow, counts: Mapping[date, int], days: Iterable[date], since: date
) -> list[Anomaly]:
    """The days on which there was far more than usual; `kind` is `volume` or `refusals`."""
    found = []
    for day in days:
        band, count = usual(counts, day, since), counts.get(day, 0)
        if band is not None and band.is_exceeded(count):
            found.append(Anomaly(kind=kind, flow=flow, day=day, count=count, band=band))
    return found


def resent(cells: Iterable[Cell], days: Iterable[date], since: date) -> list[Anomaly]:
    """Refused for one purpose, and passed on that day or the next for a purpose new to the flow."""
    refused: Counter[tuple[Flow, date, str]] = Counter()
    passed: dict[Flow, dict[str, Counter[date]]] = defaultdict(lambda: defaultdict(Counter))
    for cell in cells:
        flow, purpose = flow_of(cell), cell.shape.purpose
        if cell.shape.result == DENIED:
            refused[flow, cell.day, purpose] += cell.entries
        else:
            passed[flow][purpose][cell.day] += cell.entries
    wanted, found = set(days), []
    for (flow, day, before), _ in sorted(refused.items()):
        for purpose, counts in sorted(passed[flow].items()):
            count = counts[day] + counts[day + _DAY]
            known = any(day - WEEKS * _WEEK <= earlier < day for earlier in counts)
            seen_long = since <= day - ENOUGH_WEEKS * _WEEK
            if day in wanted and purpose != before and count and not known and seen_long:
                found.append(
                    Anomaly(kind="resent", flow=flow, day=day, count=count, before=before, purpose=purpose)
                )
    return found


def is_out_of_hours(at: datetime) -> bool:
    """Whether a moment is at night or in a weekend, in Amsterdam."""
    local = at.astimezone(ZONE)
    return local.weekday() in WEEKEND or not FROM_HOUR <= local.hour < UNTIL_HOUR


def out_of_hours(statements: Iterable[Stated]) -> list[Anomaly]:
    """The statements that came in out of hours."""
    return [
        Anomaly(
            kind="hours",
            flow=one.flow,
            day=one.at.astimezone(ZONE).date(),
            count=1,
            at=one.at,
            log_index=one.log_index,
        )
        for one in statements
        if is_out_of_hours(one.at)
    ]


def anomalies(
    cells: Sequence[Cell],
    days: Sequence[date],
    since: date,
    statements: Iterable[Stated] = (),
    look_ups: Iterable[Anomaly] = (),
) -> list[Anomaly]:
    """Everything that stands out on some days, newest first; `look_ups` come from `fishing.py`."""
    found = [*resent(cells, days, since), *out_of_hours(statements), *look_ups]
    for flow, counts in counted(cells).items():
        found += above_usual("volume", flow, counts.total, days, since)
        found += above_usual("refusals", flow, counts.denied, days, since)
    return sorted(found, key=lambda one: (-one.day.toordinal(), one.kind, one.flow))
