# SPDX-License-Identifier: EUPL-1.2
"""Which exchanges an officer looks at: everything that is risky, and a draw from the rest.

always      severity 4; a notice that is put off; a private recipient, in the first three months of a rule with it
otherwise   60 exchanges of each rule in each draw, or all when there are fewer

Nobody can choose the draw. Its seed follows from the root of the log at the moment of drawing:

    seed  = SHA-256(lp("sluis/v1/sample-seed", root, organisation, first, end))
    place = SHA-256(lp("sluis/v1/sample", seed, exchange)), the lowest are drawn

so anyone with the log can draw again and must find the same. Entries are drawn from once: the next draw begins
where this one ended. An exchange has several entries and is drawn once.
"""

import calendar
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sluis.canonical import canonical_json
from sluis.encoding import lp

PER_RULE = 60
MOST_SEVERE = 4
START_MONTHS = 3
REFUSALS_ABOVE = 10  # of one reason, from one sender to one recipient, in one draw


class Ground(StrEnum):
    """Why something is looked at."""

    SEVERITY = "severity"
    DELAYED = "delayed-notice"
    PRIVATE_START = "private-start"
    RANDOM = "random"
    REFUSALS = "refusals"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A released exchange that may be drawn."""

    exchange: str
    log_index: int
    rule: str
    recipient: str
    day: date
    private_recipient: bool = False
    delayed: bool = False
    severity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """An exchange that was drawn, and why."""

    candidate: Candidate
    ground: Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Refusals of one reason between two parties; `log_index` is the first of them."""

    sender: str
    recipient: str
    reason: str
    count: int
    log_index: int


def seed_of(root: bytes, organisation: str, first: int, end: int) -> bytes:
    """The seed of a draw from the entries first <= index < end, under the root of the log when it is drawn."""
    return hashlib.sha256(
        lp("sluis/v1/sample-seed", root, organisation.encode(), str(first).encode(), str(end).encode())
    ).digest()


def draw(
    candidates: Iterable[Candidate],
    seed: bytes,
    first_use: Mapping[tuple[str, str], date],
    per_rule: int = PER_RULE,
) -> tuple[Sampled, ...]:
    """Draw, in the order of the log. `first_use`: when a rule first released to a recipient."""
    once: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda item: (item.log_index, item.exchange)):
        once.setdefault(candidate.exchange, candidate)
    drawn: list[Sampled] = []
    rest: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in once.values():
        ground = always(candidate, first_use)
        if ground is None:
            rest[candidate.rule].append(candidate)
        else:
            drawn.append(Sampled(candidate=candidate, ground=ground))
    for found in rest.values():
        found.sort(
            key=lambda item: hashlib.sha256(lp("sluis/v1/sample", seed, item.exchange.encode())).digest()
        )
        drawn += [Sampled(candidate=item, ground=Ground.RANDOM) for item in found[:per_rule]]
    return tuple(sorted(drawn, key=lambda item: item.candidate.log_index))


def always(candidate: Candidate, first_use: Mapping[tuple[str, str], date]) -> Ground | None:
    """Why an exchange is looked at whatever the draw; None when it takes its chance."""
    if candidate.severity is not None and candidate.severity >= MOST_SEVERE:
        return Ground.SEVERITY
    if candidate.delayed:
        return Ground.DELAYED
    if candidate.private_recipient:
        start = first_use.get((candidate.rule, candidate.recipient), candidate.day)
        if candidate.day < months_later(start, START_MONTHS):
            return Ground.PRIVATE_START
    return None


def refusals_above(
    refused: Iterable[tuple[str, str, str, int]], threshold: int = REFUSALS_ABOVE
) -> tuple[Refusals, ...]:
    """Which (sender, recipient, reason) was refused more often than the threshold; items end with an index."""
    counts: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], int] = {}
    for sender, recipient, reason, index in refused:
        key = (sender, recipient, reason)
        counts[key] += 1
        first[key] = min(index, first.get(key, index))
    return tuple(
        Refusals(sender=key[0], recipient=key[1], reason=key[2], count=count, log_index=first[key])
        for key, count in sorted(counts.items())
        if count > threshold
    )


def digest_of(sample: Iterable[Sampled]) -> str:
    """SHA-256 over what was drawn, for the log: [[index, ground], ...] as canonical JSON."""
    pairs = [[item.candidate.log_index, item.ground.value] for item in sample]
    return hashlib.sha256(canonical_json(pairs)).hexdigest()


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
