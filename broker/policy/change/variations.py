# SPDX-License-Identifier: EUPL-1.2
"""For every thing that conditions ask about, the few answers between which some rule distinguishes.

    a claim        missing, each value that a list names, another value
    a dated claim  missing, the day on each side of every limit of age, today and its neighbours
    a fact         missing, proven or disproven by each register and owner; stated by one or two persons
    parties        the named organisations and others, the same or two, each partnership, none
    volume         one subject, one more than each limit; each counter unknown, at and over each limit
    delivery       either way, or none

Candidates are generous; those that no condition tells apart become one, for a permit cares only whether a
condition is proven, and a prohibition whether it is disproven.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product
from typing import TypeAlias

from broker.decide.engine import unknown_words
from broker.decide.model import Fact, FactState, Party, Request
from broker.decide.slots import Compiled
from broker.decide.working_days import working_days_between
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import ClaimSpec
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    CountedAtMost,
    DeliveryIs,
    FactMissing,
    FactProven,
    InPartnership,
    NotOlder,
    SameParty,
    SubjectsAtMost,
    WorkingDaysPassed,
)
from sluis.policy.facts import RegisterFact, StatedFact

# Organisations that no catalogue names.
SENDER, RECIPIENT = "00000009900000000001", "00000009900000000002"
_LONG_AGO = 500_000  # days; a statement cannot be older and still lie in the calendar
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A statement by a person of the sender, so many days before the request."""

    person: str
    function: str
    reason: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """Some answers; what is not there is missing. Without `parties`: two that no catalogue names."""

    claims: Mapping[str, str] = field(default_factory=dict)
    stated: Mapping[str, tuple[Stated, ...]] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    subjects: int | None = None
    delivery: str | None = None
    parties: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the questions are asked of: rules with the number of their bundle, roles, a day."""

    bundles: tuple[Bundle, ...]
    known: tuple[bool, ...]  # whether the sort of request is known in each bundle
    rules: tuple[tuple[int, Compiled], ...]
    roles: tuple[str, str]
    day: date
    realise: Callable[[int, Variation], Request]


Topic: TypeAlias = tuple[str, str]
# What the conditions of permits say (proven?) and those of prohibitions (not disproven?), by rule and condition.
Signature: TypeAlias = tuple[bool, ...]
Answers: TypeAlias = list[tuple[Variation, Signature]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about, by which conditions (rule, bundle, condition, check), and the answers that differ."""

    topic: Topic
    asked: tuple[tuple[int, Compiled, int], ...]  # bundle, rule, index of the condition
    answers: Answers


def topic_of(condition: Condition) -> Topic:
    """The thing that a condition asks about; conditions on different things hold independently."""
    match condition:
        case FactProven():
            return "fact", condition.fact
        case FactMissing():
            return "fact", condition.without_fact
        case SameParty() | InPartnership():
            return "parties", ""
        case DeliveryIs():
            return "delivery", ""
        case CountedAtMost() | SubjectsAtMost():
            return "volume", ""
        case _:
            return "claim", condition.claim


def merged(variations: Sequence[Variation]) -> Variation:
    """All answers in one state."""
    whole = Variation(claims={}, stated={}, facts={}, counters={})
    subjects, delivery, parties = whole.subjects, whole.delivery, whole.parties
    claims: dict[str, str] = {}
    stated: dict[str, tuple[Stated, ...]] = {}
    facts: dict[str, Fact] = {}
    counters: dict[str, int] = {}
    for item in variations:
        claims |= item.claims
        stated |= item.stated
        facts |= item.facts
        counters |= item.counters
        subjects = item.subjects if subjects is None else subjects
        delivery = item.delivery if delivery is None else delivery
        parties = item.parties if parties is None else parties
    return Variation(
        claims=claims,
        stated=stated,
        facts=facts,
        counters=counters,
        subjects=subjects,
        delivery=delivery,
        parties=parties,
    )


def questions(scene: Scene) -> tuple[list[Question], bool]:
    """Every question of a scene with its answers, and whether these are surely all."""
    asked: dict[Topic, list[tuple[int, Compiled, int]]] = {("parties", ""): []}
    for number, rule in scene.rules:
        for index, (condition, _) in enumerate(rule.checks):
            asked.setdefault(topic_of(condition), []).append((number, rule, index))
    exact = True
    found = []
    for topic, places in sorted(asked.items(), key=lambda item: item[0]):
        conditions = [rule.checks[index][0] for _, rule, index in places]
        candidates, complete = _candidates(topic, conditions, scene)
        exact = exact and complete
        answers = _distinct(topic, candidates, places, scene)
        found.append(Question(topic=topic, asked=tuple(places), answers=answers))
    return found, exact


def _distinct(
    topic: Topic, candidates: Sequence[Variation], asked: Sequence[tuple[int, Compiled, int]], scene: Scene
) -> Answers:
    """One candidate for each signature; none that every bundle refuses as unknown."""
    answers: dict[tuple[Signature, Signature], Variation] = {}
    for candidate in candidates:
        requests = [
            scene.realise(number, candidate) if known else None for number, known in enumerate(scene.known)
        ]
        refused = tuple(
            request is None or _refuses(topic, request, bundle)
            for request, bundle in zip(requests, scene.bundles, strict=True)
        )
        signature = []
        for number, rule, index in asked:
            request = requests[number]
            state = rule.checks[index][1](request, scene.day) if request else FactState.UNKNOWN
            signature.append(
                state is FactState.PROVEN if rule.obligations else state is not FactState.DISPROVEN
            )
        if not all(refused):
            answers.setdefault((tuple(signature), refused), candidate)
    return [(variation, signature) for (signature, _), variation in answers.items()]


def _refuses(topic: Topic, request: Request, bundle: Bundle) -> bool:
    """Whether the answer is unknown to the catalogue: a party, or a value that does not fit its claim."""
    codes = {reason.code for reason in unknown_words(request, bundle)}
    return "UNKNOWN_PARTY" in codes if topic[0] == "parties" else "CLAIM_MALFORMED" in codes


def _candidates(
    topic: Topic, conditions: Sequence[Condition], scene: Scene
) -> tuple[Sequence[Variation], bool]:
    sort, name = topic
    match sort:
        case "parties":
            return list(_parties(conditions, scene)), True
        case "delivery":
            return [Variation(delivery=way) for way in ("mailbox", "on_match", "")], True
        case "volume":
            return list(_volumes(conditions)), True
        case "fact":
            return list(_facts(name, scene)), True
        case _:
            return _claims(name, conditions, scene)


def _parties(conditions: Sequence[Condition], scene: Scene) -> Iterator[Variation]:
    named = {name for item in conditions if isinstance(item, InPartnership) for name in item.partnership}
    claimed: list[Mapping[str, str]] = [{}]
    if named:
        claimed += [{"partnership": name} for name in [*sorted(named), _another_partnership(scene)]]
    senders, recipients = (
        _organisations(role, named, fresh, scene)
        for role, fresh in zip(scene.roles, (SENDER, RECIPIENT), strict=True)
    )
    same_role = scene.roles[0] == scene.roles[1]
    for sender, recipient, claims in product(senders, recipients, claimed):
        if sender != recipient or same_role:
            yield Variation(parties=(sender, recipient), claims=claims)
    if same_role and SENDER in senders:
        for claims in claimed:
            yield Variation(parties=(SENDER, SENDER), claims=claims)


def _organisations(role: str, partnerships: set[str], fresh: str, scene: Scene) -> list[str]:
    """Those that a catalogue names for this role or in these partnerships, and another."""
    found = {fresh}
    for bundle in scene.bundles:
        if known := bundle.catalog.roles.get(role):
            found |= known.oins or set()
        for name in partnerships & bundle.catalog.partnerships.keys():
            found |= bundle.catalog.partnerships[name].oins or set()
    return [fresh, *sorted(found - {fresh})]


def _another_partnership(scene: Scene) -> str:
    known = {name for bundle in scene.bundles for name in bundle.catalog.partnerships}
    return next(name for number in range(len(known) + 1) if (name := f"other-{number}") not in known)


def _volumes(conditions: Sequence[Condition]) -> Iterator[Variation]:
    """The fewest subjects between two limits leave the counters the most room: they reach all that more do."""
    most = {item.subjects_at_most for item in conditions if isinstance(item, SubjectsAtMost)}
    limits: dict[str, set[int]] = {}
    for item in conditions:
        if isinstance(item, CountedAtMost):
            limits.setdefault(item.counter, set()).add(item.at_most)
    for subjects in sorted({1, *(limit + 1 for limit in most)}):
        counts: list[list[int | None]] = []
        for ends in limits.values():
            totals = {subjects, *ends, *(end + 1 for end in ends)}
            counts.append([*sorted(total - subjects for total in totals if total >= subjects), None])
        for choice in product(*counts):
            counters = {name: n for name, n in zip(limits, choice, strict=True) if n is not None}
            yield Variation(subjects=subjects, counters=counters)


def _facts(name: str, scene: Scene) -> Iterator[Variation]:
    specs = [spec for bundle in scene.bundles if (spec := bundle.catalog.facts.get(name)) is not None]
    yield Variation()
    for source, role in {
        (spec.source, spec.owner_role): None for spec in specs if isinstance(spec, RegisterFact)
    }:
        owner = Party(oin=SENDER, role=role, sector="")
        for state in (FactState.PROVEN, FactState.DISPROVEN):
            yield Variation(facts={name: Fact(state=state, source=source, asserter=owner)})
    stated = [spec for spec in specs if isinstance(spec, StatedFact)]
    kinds: dict[tuple[bool, ...], tuple[str, str, int]] = {}
    for days in sorted({0, *(min(spec.valid_days, _LONG_AGO) for spec in stated)}):
        for function in sorted({word for spec in stated for word in spec.functions}):
            for reason in sorted({word for spec in stated for word in spec.reasons}):
                counts = tuple(
                    function in spec.functions and reason in spec.reasons and days <= spec.valid_days
                    for spec in stated
                )
                kinds.setdefault(counts, (function, reason, days))
    one = [Stated(person="a", function=f, reason=r, days=d) for f, r, d in kinds.values()]
    other = [Stated(person="b", function=f, reason=r, days=d) for f, r, d in kinds.values()]
    for item in one:
        yield Variation(stated={name: (item,)})
    for pair in product(one, other):
        yield Variation(stated={name: pair})


def _claims(name: str, conditions: Sequence[Condition], scene: Scene) -> tuple[Sequence[Variation], bool]:
    specs = [spec for bundle in scene.bundles if (spec := bundle.claims.get(name)) is not None]
    values: set[str] = {
        value for item in conditions if isinstance(item, ClaimListed) for value in item.one_of
    }
    complete = len({(spec.type, spec.pattern) for spec in specs}) <= 1
    if any(spec.type == "date" for spec in specs):
        values |= set(_days(conditions, scene.day))
    for spec in specs:
        values |= set(spec.values or ())
        if spec.type == "provision":
            another = _another_value(spec, values)
            complete = complete and another is not None
            values |= {another} if another is not None else set()
    return [Variation(), *(Variation(claims={name: value}) for value in sorted(values))], complete


def _another_value(spec: ClaimSpec, values: set[str]) -> str | None:
    """A value that fits the pattern and that no list names, found by changing one character of one that is."""
    for value in sorted(values):
        for place in reversed(range(len(value))):
            for sign in _ALPHABET:
                changed = value[:place] + sign + value[place + 1 :]
                if changed not in values and re.fullmatch(spec.pattern or "", changed, re.ASCII):
                    return changed
    return None


def _days(conditions: Sequence[Condition], today: date) -> Iterator[str]:
    """Days on both sides of every limit; signatures sort out which are which."""
    steps = {-1, 0, 1}
    for item in conditions:
        if isinstance(item, NotOlder):
            # Counted to the 28th, for every month has one: at most three days before the day itself.
            back = today.toordinal() - _years_back(today, item.not_older_than_years).toordinal()
            steps |= {back + shift for shift in range(-4, 3)}
        if isinstance(item, WorkingDaysPassed):
            back = 1
            while working_days_between(today - timedelta(days=back), today) < item.working_days_passed:
                back += 1
            steps.add(back)  # the youngest day of the band; younger ones are in steps as well
    for step in sorted(steps):
        if 1 <= today.toordinal() - step <= date.max.toordinal():
            yield (today - timedelta(days=step)).isoformat()


def _years_back(day: date, years: int) -> date:
    return date(max(day.year - years, 1), day.month, min(day.day, 28))
