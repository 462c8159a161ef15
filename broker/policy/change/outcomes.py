# SPDX-License-Identifier: EUPL-1.2
"""What passes at a place in a state, field by field with its duties, and what differs between two bundles.

Every field is asked for on its own where permits differ in duties: a request for several fields passes what
each of them passes alone, under the strictest of their duties. So bundles that agree on single fields agree
on every request, strict ones included.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from broker.decide.engine import decide
from broker.decide.model import Decision, Effect
from broker.decide.slots import Slot
from broker.policy.change.domain import Domain, Filter, Place, Sort, Span, every
from broker.policy.change.variations import Variation
from broker.policy.change.verdict import DutyChange, Verdict, compare_duties, together
from sluis.policy.rules import WITH_FIELDS, Operation

# The fields that pass, each with its duties; the mark stands for an exchange without fields.
WHOLE = "*"
Outcome: TypeAlias = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What comes out otherwise at a place.

    `gained` never passed before and now may; `lost` no longer passes at all; `more` and `fewer` passed before
    and still do, in more or in fewer cases (both: in other cases).
    """

    gained: frozenset[str]
    lost: frozenset[str]
    more: frozenset[str]
    fewer: frozenset[str]
    duties: frozenset[DutyChange]
    begins: bool  # nothing passed before
    ends: bool  # nothing passes now

    @property
    def verdict(self) -> Verdict:
        """Which way it goes."""
        return together(
            [
                *[Verdict.WIDER] * bool(self.gained or self.more),
                *[Verdict.NARROWER] * bool(self.lost or self.fewer),
                *(change.verdict for change in self.duties),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowChange:
    """A difference with the sort of request and the days that it concerns."""

    sort: Sort
    span: Span
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences between two bundles, and the sorts whose states were too many to run all."""

    changes: tuple[FlowChange, ...]
    inexact: tuple[Sort, ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict on all together."""
        return together(change.difference.verdict for change in self.changes)


def compare(domain: Domain, about: Filter = every) -> Comparison:
    """Run the engine of both bundles over every state at every place where they hold different rules."""
    known: dict[object, tuple[Difference, bool]] = {}
    changes: list[FlowChange] = []
    inexact: dict[Sort, None] = {}
    for place in domain.places(about):
        if domain.unchanged(place):
            continue
        key = domain.likeness(place)
        if key not in known:
            known[key] = _differ(domain, place)
        difference, exact = known[key]
        if not exact:
            inexact[place.sort] = None
        if difference.verdict is not Verdict.SAME:
            _append(changes, FlowChange(sort=place.sort, span=place.span, difference=difference))
    return Comparison(changes=tuple(changes), inexact=tuple(inexact))


def _append(changes: list[FlowChange], change: FlowChange) -> None:
    """Add a change, or stretch the one before over its days when only these differ."""
    last = changes[-1] if changes else None
    if (
        last is not None
        and last.sort == change.sort
        and last.difference == change.difference
        and last.span.last is not None
        and (change.span.first - last.span.last).days == 1
    ):
        span = Span(last.span.first, change.span.last)
        changes[-1] = FlowChange(sort=change.sort, span=span, difference=change.difference)
    else:
        changes.append(change)


def _differ(domain: Domain, place: Place) -> tuple[Difference, bool]:
    states = domain.states(place)
    ever: tuple[set[str], set[str]] = (set(), set())
    more: set[str] = set()
    fewer: set[str] = set()
    duties: set[DutyChange] = set()
    before_of, after_of = (Passing(domain, place, number) for number in range(2))
    for state in states.states:
        before, after = before_of.outcome(state), after_of.outcome(state)
        ever[0].update(before)
        ever[1].update(after)
        more |= after.keys() - before.keys()
        fewer |= before.keys() - after.keys()
        for name in before.keys() & after.keys():
            if before[name] != after[name]:
                duties.update(compare_duties(before[name], after[name]))
    gained, lost = ever[1] - ever[0], ever[0] - ever[1]
    found = Difference(
        gained=frozenset(gained),
        lost=frozenset(lost),
        more=frozenset(more - gained),
        fewer=frozenset(fewer - lost),
        duties=frozenset(duties),
        begins=bool(ever[1] and not ever[0]),
        ends=bool(ever[0] and not ever[1]),
    )
    return found, states.exact


class Passing:
    """What passes at a place under one bundle."""

    def __init__(self, domain: Domain, place: Place, number: int) -> None:
        self._domain, self._place, self._number = domain, place, number
        slot = place.slots[number]
        self._slot = slot
        self.fields = sorted(frozenset[str]().union(*(rule.fields for rule in slot.permits)) if slot else ())
        self._one_duty = slot is not None and len({rule.obligations for rule in slot.permits}) <= 1
        self._groups = list(_groups(self.fields, slot)) if slot else []

    def decide(self, state: Variation, fields: list[str] | None = None) -> Decision:
        """The decision on a lenient request for all fields that some permit lists, or for these."""
        bundle = self._domain.bundles[self._number]
        asked = self.fields if fields is None else fields
        return decide(self._domain.request(self._place, state, self._number, asked), bundle)

    def outcome(self, state: Variation) -> Outcome:
        """Every field that passes, with the duties when it is asked for alone."""
        if self._slot is None or not self._slot.permits:
            return {}
        decision = self.decide(state)
        if decision.effect is Effect.DENY:
            return {}
        if Operation(self._place.sort.operation) not in WITH_FIELDS:
            return {WHOLE: decision.obligations}
        if self._one_duty:
            return dict.fromkeys(decision.released, decision.obligations)
        released = set(decision.released)
        found: dict[str, Mapping[str, str]] = {}
        for group in self._groups:
            if group[0] in released:
                found |= dict.fromkeys(group, self.decide(state, group[:1]).obligations)
        return found


def _groups(fields: list[str], slot: Slot) -> Iterator[list[str]]:
    """Fields that the same rules name come out alike."""
    groups: dict[tuple[bool, ...], list[str]] = {}
    for name in fields:
        named = tuple(name in rule.fields for rule in (*slot.permits, *slot.partial))
        groups.setdefault(named, []).append(name)
    yield from groups.values()
