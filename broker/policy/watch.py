# SPDX-License-Identifier: EUPL-1.2
"""Runs the engine over the domain of one bundle and notes what becomes of each permit."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations

from broker.decide.engine import unmet_conditions
from broker.decide.model import Decision, Effect
from broker.decide.slots import Compiled, Slot
from broker.policy.change.domain import Domain, Place, Sort
from broker.policy.change.outcomes import Passing
from sluis.policy.rules import WITH_FIELDS, Operation


@dataclass(slots=True)
class Seen:
    """What became of the permits, by the ids of rules."""

    standing: set[str] = field(default_factory=set)  # permits that stand on some day that was run
    met: set[str] = field(default_factory=set)  # permits whose conditions were all proven in some state
    applied: set[str] = field(default_factory=set)  # permits under which something passed
    released: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # by permit
    # prohibitions that withheld a field of a permit whose conditions were met; without a field: the whole
    against: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    together: set[tuple[str, str]] = field(default_factory=set)  # permits that contributed to one release
    unsure: set[str] = field(default_factory=set)  # permits of places where not every state was run
    inexact: dict[Sort, None] = field(default_factory=dict)


def watch(domain: Domain, today: date) -> Seen:
    """Run every state of every place that is not past."""
    seen = Seen()
    known: dict[object, bool] = {}
    for place in domain.places():
        slot = place.slots[0]
        if slot is None or (place.span.last is not None and place.span.last < today):
            continue
        ids = frozenset(rule.ref.id for _, rule in place.rules())
        key = ids, domain.likeness(place)
        if key not in known:
            known[key] = _watch_place(domain, place, slot, seen)
        if not known[key]:
            seen.inexact[place.sort] = None
            seen.unsure |= {rule.ref.id for rule in slot.permits}
    return seen


def _watch_place(domain: Domain, place: Place, slot: Slot, seen: Seen) -> bool:
    states = domain.states(place)
    passing = Passing(domain, place, 0)
    seen.standing |= {rule.ref.id for rule in slot.permits}
    with_fields = Operation(place.sort.operation) in WITH_FIELDS
    for state in states.states:
        request = domain.request(place, state, 0, passing.fields)
        met = [rule for rule in slot.permits if not unmet_conditions(rule, request, place.span.day)]
        if met:
            seen.met |= {rule.ref.id for rule in met}
            _note(passing.decide(state), met, seen, with_fields=with_fields)
    return states.exact


def _note(decision: Decision, met: list[Compiled], seen: Seen, *, with_fields: bool) -> None:
    passed = decision.effect is Effect.PERMIT
    released = set(decision.released)
    contributed = [rule for rule in met if passed and (rule.fields & released or not with_fields)]
    for rule in contributed:
        seen.applied.add(rule.ref.id)
        seen.released[rule.ref.id] |= rule.fields & released
    for one, other in combinations(sorted(rule.ref.id for rule in contributed), 2):
        seen.together.add((one, other))
    for rule in met:
        for item in decision.withheld:
            if item.rule_id and item.name in rule.fields:
                seen.against[rule.ref.id, item.name].add(item.rule_id)
        if not passed:
            seen.against[rule.ref.id, ""] |= {ref.id for ref in decision.rules} - {r.ref.id for r in met}
