# SPDX-License-Identifier: EUPL-1.2
"""The finite domain of one or more bundles: every exchange that any of them could decide otherwise.

    place   a sort of request (agreement, operation, roles, kind, purpose) on a span of days without a turn
    state   for every thing that conditions ask about at that place, one of the few answers that differ

A state becomes a real request, told in the words of each bundle: its sectors, its categories, its claims;
a claim that no rule of the place asks about is left out.
A participant has one role, so one organisation stands on both sides only between equal roles. Where a place
has more than MOST_STATES states, only those around each permit are taken, two answers varied at a time, and
`States.exact` says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import combinations, pairwise, product
from math import prod
from typing import TypeAlias

from broker.decide.model import Party, Request
from broker.decide.slots import Compiled, Slot, slot_of
from broker.policy.change.contents import content
from broker.policy.change.variations import (
    RECIPIENT,
    SENDER,
    Question,
    Scene,
    Stated,
    Variation,
    merged,
    questions,
)
from sluis.policy.bundle import Bundle
from sluis.policy.conditions import InPartnership
from sluis.policy.facts import Statement
from sluis.policy.rules import WITH_FIELDS, Operation

MOST_STATES = 20_000
# No exchange is decided on other days, and terms counted from these do not leave the calendar.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(9000, 1, 1)


@dataclass(frozen=True, slots=True, order=True)
class Sort:
    """What requests of one sort have in common."""

    agreement: str
    operation: str
    sender: str
    recipient: str
    kind: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Span:
    """Days on which the same rules stand; without `last`, from then on."""

    first: date
    last: date | None = None

    @property
    def day(self) -> date:
        """The day to decide on."""
        return max(self.first, FIRST_DAY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """A sort of request on a span of days, with what stands there in each bundle (None: a word is unknown)."""

    sort: Sort
    span: Span
    slots: tuple[Slot | None, ...]

    def rules(self) -> Iterator[tuple[int, Compiled]]:
        """The rules that could make a difference to what passes, each with the number of its bundle."""
        for number, slot in enumerate(self.slots):
            if slot is not None and slot.permits:
                listed = frozenset[str]().union(*(rule.fields for rule in slot.permits))
                yield from ((number, rule) for rule in (*slot.permits, *slot.whole))
                yield from ((number, rule) for rule in slot.partial if rule.fields & listed)


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """The states of a place; when not exact, a choice of them."""

    states: Sequence[Variation]
    exact: bool


Filter: TypeAlias = Callable[[Sort], bool]


def every(_: Sort) -> bool:
    """Take any sort of request."""
    return True


class Domain:
    """All places and states at which these bundles may decide otherwise, from each other or by state."""

    def __init__(self, *bundles: Bundle, most_states: int = MOST_STATES) -> None:
        self.bundles = bundles
        self._most = most_states

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The spans between the days on which any rule or partnership begins or has ended, from FIRST_DAY on."""
        turns = sorted({turn for bundle in self.bundles for turn in _turns(bundle)})
        spans = [Span(first, after - timedelta(days=1)) for first, after in pairwise(turns)]
        spans += [Span(turn) for turn in turns[-1:]]
        return tuple(
            span for span in spans if span.first <= LAST_DAY and (span.last is None or span.last >= FIRST_DAY)
        )

    def places(self, about: Filter = every) -> Iterator[Place]:
        """Every place where some bundle has a permit; elsewhere nothing passes in any."""
        sorts = {
            Sort(*key, purpose)
            for bundle in self.bundles
            for key, rules in bundle.permits.items()
            for rule in rules
            for purpose in rule.purposes
        }
        for sort in sorted(filter(about, sorts)):
            for span in self.spans:
                slots = tuple(_slot(sort, span, bundle) for bundle in self.bundles)
                if any(slot is not None and slot.permits for slot in slots):
                    yield Place(sort=sort, span=span, slots=slots)

    def contents(self, place: Place) -> tuple[frozenset[str] | None, ...]:
        """What stands at a place in each bundle, so far as it bears on what passes."""
        found: list[frozenset[str] | None] = [None if slot is None else frozenset() for slot in place.slots]
        for number, rule in place.rules():
            found[number] = (found[number] or frozenset()) | {content(rule, self.bundles[number])}
        return tuple(found)

    def unchanged(self, place: Place) -> bool:
        """Whether all bundles hold the same at this place, so that no state can tell them apart."""
        return len(set(self.contents(place))) == 1 and len(set(self._organisations(place.sort))) == 1

    def likeness(self, place: Place) -> object:
        """Equal for places whose states come out alike."""
        sort = place.sort
        limits = self._organisations(sort)
        asks = any(isinstance(item, InPartnership) for _, rule in place.rules() for item, _ in rule.checks)
        named = asks or any(oins is not None for pair in limits for oins in pair)
        return (
            sort.operation in WITH_FIELDS,
            sort.operation == Operation.PUSH,
            self.contents(place),
            sort.sender == sort.recipient,
            (sort.sender, sort.recipient, place.span) if named else None,
        )

    def states(self, place: Place) -> States:
        """Every combination of answers at a place, or those around each permit when they are too many."""
        scene = Scene(
            bundles=self.bundles,
            known=tuple(slot is not None for slot in place.slots),
            rules=tuple(place.rules()),
            roles=(place.sort.sender, place.sort.recipient),
            day=place.span.day,
            realise=lambda number, state: self.request(place, state, number),
        )
        asked, exact = questions(scene)
        if prod(len(question.answers) for question in asked) <= self._most:
            chosen = product(*([variation for variation, _ in question.answers] for question in asked))
            return States(states=[merged(choice) for choice in chosen], exact=exact)
        return States(states=[merged(choice) for choice in _around(scene, asked)], exact=False)

    def request(
        self, place: Place, state: Variation, number: int, fields: Sequence[str] | None = None
    ) -> Request:
        """A state as a lenient request in the words of a bundle; without `fields`: any one."""
        bundle, sort = self.bundles[number], place.sort
        names = list(bundle.fields)[:1] if fields is None else fields
        sender, recipient = state.parties or (SENDER, RECIPIENT)
        claims = dict(state.claims)
        for name, statements in state.stated.items():
            claims[name] = ",".join(str(_said(item, sender, place.span.day)) for item in statements)
        return Request(
            operation=Operation(sort.operation),
            sender=Party(oin=sender, role=sort.sender, sector=bundle.sector_of(sort.sender)),
            recipient=Party(oin=recipient, role=sort.recipient, sector=bundle.sector_of(sort.recipient)),
            agreement=sort.agreement,
            kind=sort.kind,
            purpose=sort.purpose,
            fields=tuple(
                (name, bundle.fields[name].category.value) for name in names if sort.operation in WITH_FIELDS
            ),
            at=_noon(place.span.day),
            claims={name: value for name, value in claims.items() if name in bundle.catalog.assertions},
            facts=state.facts,
            counters=state.counters,
            subjects=1 if state.subjects is None else state.subjects,
            delivery="mailbox" if state.delivery is None else state.delivery,
        )

    def _organisations(self, sort: Sort) -> tuple[tuple[frozenset[str] | None, ...], ...]:
        """Which organisations may stand on each side, by bundle."""
        return tuple(
            tuple(
                role.oins if (role := bundle.catalog.roles.get(name)) else frozenset()
                for name in (sort.sender, sort.recipient)
            )
            for bundle in self.bundles
        )


def _turns(bundle: Bundle) -> Iterator[date]:
    yield from bundle.turns
    for partnership in bundle.catalog.partnerships.values():
        yield partnership.valid_from
        if partnership.valid_until is not None and partnership.valid_until < date.max:
            yield partnership.valid_until + timedelta(days=1)


def _slot(sort: Sort, span: Span, bundle: Bundle) -> Slot | None:
    catalog = bundle.catalog
    agreement = bundle.agreements.get(sort.agreement)
    if (
        agreement is None
        or agreement.is_general
        or not {sort.sender, sort.recipient} <= catalog.roles.keys()
        or sort.kind not in catalog.kinds
        or sort.purpose not in catalog.purposes
    ):
        return None
    request = Request(
        operation=Operation(sort.operation),
        sender=Party(oin=SENDER, role=sort.sender, sector=""),
        recipient=Party(oin=RECIPIENT, role=sort.recipient, sector=""),
        agreement=sort.agreement,
        kind=sort.kind,
        purpose=sort.purpose,
        fields=(),
        at=_noon(span.day),
    )
    return slot_of(request, bundle, span.day)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), tzinfo=UTC)


def _said(item: Stated, organisation: str, day: date) -> Statement:
    return Statement(
        person=item.person,
        organisation=organisation,
        function=item.function,
        at=_noon(day) - timedelta(days=item.days),
        reason=item.reason,
    )


def _around(scene: Scene, asked: Sequence[Question]) -> Iterator[Sequence[Variation]]:
    """Each permit at its best, and every two answers changed from there."""
    seen: set[tuple[int, ...]] = set()
    for permit in {id(rule): rule for _, rule in scene.rules if rule.obligations}.values():
        best = [_best(question, permit) for question in asked]
        for first, second in combinations(range(len(asked)), 2):
            for one, other in product(range(len(asked[first].answers)), range(len(asked[second].answers))):
                choice = list(best)
                choice[first], choice[second] = one, other
                if tuple(choice) not in seen:
                    seen.add(tuple(choice))
                    yield [q.answers[at][0] for q, at in zip(asked, choice, strict=True)]


def _best(question: Question, permit: Compiled) -> int:
    """The answer that suits a permit best: its conditions proven, then as few prohibitions as can be."""

    def score(index: int) -> tuple[int, int]:
        proven = against = 0
        for (_, rule, _), holds in zip(question.asked, question.answers[index][1], strict=True):
            proven += holds and rule is permit
            against += holds and not rule.obligations
        return proven, -against

    return max(range(len(question.answers)), key=score)
