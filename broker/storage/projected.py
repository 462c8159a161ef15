# SPDX-License-Identifier: EUPL-1.2
"""The exchanges of the log as the console reads them: rows, counts, and who may see which.

What an exchange looks like from outside (parties, agreement, result, rule, ...) is a `Shape`; there are a few
thousand shapes for any number of exchanges. A row is an index, a time and a shape; the cube counts shapes by
day in Amsterdam. So a facet is counted over shapes, never over rows.

Every reading takes a `Sight` first: an organisation sees the exchanges in which it sends or receives.
A signal's confirmation decides nothing: it shows in `exchange` and as `acknowledged`, and is counted nowhere. Nor
is a follow-up without a decision: it shows in `exchange`, between the parties of its signal. What is not about an
exchange at all, and is wanted for the year's numbers (`NOTED`), shows in `noted` alone.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Protocol
from zoneinfo import ZoneInfo

from broker.storage.asked_port import AskedCount, AskedKey
from sluis.canonical import canonical_json
from sluis.errors import InvalidInput

ZONE = ZoneInfo("Europe/Amsterdam")
ACKNOWLEDGE = "signal.acknowledge"
FOLLOW_UP = "followup."  # how their operations begin
ENDS = ("signal.destroy", "retention.shorten", "retention.restore")  # what is told of a signal's end
NOTED = ("subject.find", "card.revoke", "epoch.compromise", "party.stop", "stop.set")
RELEASED, PARTLY, DENIED = "released", "partly", "denied"
DELAYABLE = "must-inform-delayable"
YEARS = (2000, 2999)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What entries of exchanges have in common. Empty: not said in the entry.

    `result` is `released`, `partly` (some fields withheld) or `denied`; `rule` and `reason` are the first, the
    most decisive; `acknowledged` is `yes` or `no` for what was delivered. `notice` says whether the recipient of what
    passed tells the data subject (`sluis.policy.rules.Notice`), or `DELAYABLE` where the rules name a ground to wait.
    """

    operation: str
    sender: str
    recipient: str
    agreement: str
    kind: str
    purpose: str
    result: str
    rule: str
    reason: str
    policy: str
    delivery: str
    outcome: str
    acknowledged: str
    notice: str = ""
    articles: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether something was decided; a confirmation and most follow-ups only tell what happened."""
        return bool(self.result)

    @cached_property
    def content(self) -> str:
        """All of it as canonical JSON, as it is stored."""
        members = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        return canonical_json(members).decode("utf-8")

    @cached_property
    def shape_id(self) -> int:
        """A number of 63 bits that follows from the content, so that a rebuild gives the same."""
        return int.from_bytes(hashlib.sha256(self.content.encode("utf-8")).digest()[:8], "big") >> 1

    @classmethod
    def parse(cls, content: str) -> "Shape":
        """Read what `content` wrote."""
        members = json.loads(content)
        lists = {name: tuple(value) for name, value in members.items() if isinstance(value, list)}
        shape = cls(**{**members, **lists})
        shape.__dict__["content"] = content  # so that it is not worked out again
        return shape

    def values(self, facet: str) -> tuple[str, ...]:
        """The values under a facet of `FACETS`; none when the entry does not say."""
        found = getattr(self, FACETS[facet])
        return found if isinstance(found, tuple) else ((found,) if found else ())


# The facets by their name in an address, and where a shape has them.
FACETS: Mapping[str, str] = MappingProxyType(
    {
        **{
            name: name
            for name in ("operation", "sender", "recipient", "agreement", "kind", "purpose", "result")
        },
        **{name: name for name in ("rule", "reason")},
        "article": "articles",
        "category": "categories",
        **{name: name for name in ("policy", "delivery", "outcome", "acknowledged", "notice")},
    }
)


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose exchanges may be seen: one organisation's, or everybody's (`Sight.everything()`)."""

    organisation: str | None

    def __post_init__(self) -> None:
        if self.organisation == "":
            raise InvalidInput("malformed-request", "an organisation has an OIN", where="organisation")

    @classmethod
    def everything(cls) -> "Sight":
        """For the supervisory authority alone."""
        return cls(None)

    def covers(self, shape: Shape) -> bool:
        """Whether an exchange of this shape may be seen."""
        return self.organisation is None or self.organisation in (shape.sender, shape.recipient)


@dataclass(frozen=True, slots=True)
class Filter:
    """Chosen values by facet: any of those within a facet, and all facets together.

    Raises InvalidInput `malformed-request` for a facet that is not there.
    """

    chosen: Mapping[str, Collection[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if strange := self.chosen.keys() - FACETS.keys():
            raise InvalidInput("malformed-request", "there is no such facet", where=min(strange))


EVERY = Filter()


@dataclass(frozen=True, slots=True)
class Days:
    """A range of days in Amsterdam, both inclusive. Raises InvalidInput `date-order`, `malformed-request`."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidInput("date-order", where="days")
        if not YEARS[0] <= self.first.year <= self.last.year <= YEARS[1]:
            raise InvalidInput("malformed-request", "the days are out of reach", where="days")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRow:
    """An entry of an exchange. `exchange` is the signal's id, `previous` the entry before it."""

    log_index: int
    time_ms: int
    exchange: str
    previous: int | None
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """How many were released whole, released in part, and denied."""

    released: int = 0
    partly: int = 0
    denied: int = 0

    @property
    def total(self) -> int:
        """All together."""
        return self.released + self.partly + self.denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """`total` under the whole choice; by facet and value, the counts under the choice in the *other* facets.

    Values stand with the most frequent first; a chosen value is there also when it counts nothing.
    """

    total: int
    counts: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the histogram: one day, or one month of a long range."""

    first: date
    last: date
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A choice in a range of days: its newest rows, its facets, and its results over time."""

    rows: Sequence[ExchangeRow]
    facets: Facets
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How many exchanges of one shape there were on one day."""

    day: date
    shape: Shape
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the follower writes for the entries `start` to `end`, in one transaction."""

    start: int
    end: int
    rows: Sequence[ExchangeRow]
    acknowledged: Mapping[int, Shape]  # earlier rows that were delivered, and their shape from now on
    shapes: Mapping[int, tuple[int, Shape]]  # by id, with the entry where each was first seen
    counts: Mapping[tuple[int, int], int]  # by bucket and shape id; below zero where an earlier row moved
    days: Mapping[int, int]  # by day bucket, the first entry of the day
    asked: Mapping[AskedKey, AskedCount] = field(default_factory=dict)


class ExchangeIndex(Protocol):
    """The projection of the log, written by one follower and read by any thread."""

    def position(self) -> int:
        """The first entry that was not taken in yet."""
        ...

    def write(self, batch: Batch) -> bool:
        """Take a batch in; False, and nothing done, when another follower was there first."""
        ...

    def clear(self) -> None:
        """Forget everything, so that the follower begins again at the first entry."""
        ...

    def rows_at(self, log_indexes: Collection[int]) -> Mapping[int, ExchangeRow]:
        """Rows by index, for the follower; whatever their shape."""
        ...

    def exchanges(
        self, sight: Sight, chosen: Filter, days: Days | None, before_index: int | None, limit: int
    ) -> Sequence[ExchangeRow]:
        """The newest rows below `before_index`, newest first."""
        ...

    def facets(self, sight: Sight, chosen: Filter, days: Days | None) -> Facets: ...
    def survey(
        self, sight: Sight, chosen: Filter, days: Days, before_index: int | None, limit: int
    ) -> Survey:
        """What `exchanges`, `facets` and `days` say, as of the same moment, so that the figures add up."""
        ...

    def matrix(
        self, sight: Sight, days: Days | None, chosen: Filter = EVERY
    ) -> Mapping[tuple[str, str], Results]:
        """Who sent how much to whom, by (sender, recipient)."""
        ...

    def days(self, sight: Sight, days: Days, chosen: Filter = EVERY) -> Sequence[Column]:
        """The results over time, with empty columns; by month when the range is over a hundred days."""
        ...

    def cells(self, sight: Sight, days: Days, chosen: Filter = EVERY) -> Sequence[Cell]:
        """How often each shape occurred on each day. Raises InvalidInput for over a hundred days."""
        ...

    def exchange(self, sight: Sight, exchange: str) -> Sequence[ExchangeRow]:
        """All entries of one exchange, oldest first; none when it is not there or not to be seen."""
        ...

    def at(self, sight: Sight, log_index: int) -> ExchangeRow | None:
        """The row of one entry, when it is of an exchange."""
        ...

    def noted(self, sight: Sight, operations: Collection[str], days: Days) -> Sequence[ExchangeRow]:
        """Every row of some operations, oldest first, whether or not it decided something."""
        ...


def day_of(time_ms: int) -> date:
    """The day in Amsterdam of a time in Unix milliseconds."""
    return datetime.fromtimestamp(time_ms // 1000, ZONE).date()


def day_bucket(day: date) -> int:
    """The number of a day in the cube: 20261125."""
    return day.year * 10_000 + day.month * 100 + day.day


def month_bucket(day: date) -> int:
    """The number of a whole month in the cube: 202611."""
    return day.year * 100 + day.month


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
