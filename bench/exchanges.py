# SPDX-License-Identifier: EUPL-1.2
"""Exchanges to decide, made from the rules themselves: what each permit permits, and each way to be refused.

permit        all conditions of a permit met, up to ten of its fields
partial       the same, with two fields that it does not list
strict        the same, all or nothing
unmet         one condition not met
no-rule       sender and recipient change places
not-in-force  a day before any rule
prohibited    what a prohibition is about
unknown-word  a field that is not in the catalogue
category      a field declared as of another category
malformed     a claim in another form than the catalogue prescribes
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from broker.decide.model import Fact, FactState, Party, Request
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    CountedAtMost,
    DeliveryIs,
    FactProven,
    InPartnership,
    NotOlder,
    NotPassed,
    WorkingDaysPassed,
)
from sluis.policy.facts import RegisterFact, Statement
from sluis.policy.rules import WITH_FIELDS, Rule, RuleEffect, Status

# How often each sort occurs, of twenty.
MIX = {
    "permit": 8,
    "partial": 3,
    "unmet": 2,
    "strict": 1,
    "no-rule": 1,
    "not-in-force": 1,
    "prohibited": 1,
    "unknown-word": 1,
    "category": 1,
    "malformed": 1,
}
FIELDS = 10
LATEST = date(2026, 11, 24)
LONG_AGO = datetime(2001, 1, 1, 12, tzinfo=UTC)


def exchanges(bundle: Bundle, count: int, seed: int = 1) -> list[Request]:
    """Make requests, in the proportions of `MIX`, over all rules in turn."""
    rng = Random(seed)
    deciding = [
        (agreement.id, rule)
        for agreement in bundle.agreements.values()
        for rule in agreement.rules
        if rule.status is not Status.DRAFT
    ]
    permits = [item for item in deciding if item[1].effect is RuleEffect.PERMIT]
    against = [item for item in deciding if item[1].effect is RuleEffect.PROHIBIT] or permits
    rng.shuffle(permits)
    rng.shuffle(against)
    sorts = [sort for sort, times in MIX.items() for _ in range(times)]
    made = []
    for number in range(count):
        agreement, rule = permits[number % len(permits)]
        sort = rng.choice(sorts)
        request = _Exchange(bundle, agreement, rule, rng).request()
        if sort == "prohibited":
            request = _prohibited(bundle, against[number % len(against)][1], request, rng)
        made.append(_spoiled(sort, request, bundle, rng))
    return made


class _Exchange:
    """An exchange that meets all conditions of a permit, as far as they do not contradict each other."""

    def __init__(self, bundle: Bundle, agreement: str, rule: Rule, rng: Random) -> None:
        self._catalog = bundle.catalog
        self._rule = rule
        self._day = _day_of(rule)
        pick = lambda words: rng.choice(sorted(words))  # noqa: E731  three times in the next lines
        sender, recipient = pick(rule.sender_roles), pick(rule.recipient_roles)
        names = rng.sample(sorted(rule.fields), min(FIELDS, len(rule.fields)))
        self._request: dict[str, Any] = {
            "operation": pick(rule.operations),
            "agreement": agreement,
            "sender": party(self._catalog, sender),
            "recipient": party(self._catalog, recipient),
            "kind": pick(rule.kinds),
            "purpose": pick(rule.purposes),
            "fields": tuple((name, self._catalog.fields[name].category.value) for name in names),
            "at": datetime.combine(self._day, time(10, 30), UTC),
            "claims": {},
            "facts": {},
            "counters": {},
            "delivery": "mailbox",
        }

    def request(self) -> Request:
        """The request with all claims, facts and counters that the permit asks for."""
        for condition in self._rule.conditions:
            self._meet(condition)
        return Request(**self._request)

    def _meet(self, condition: Condition) -> None:
        claims = self._request["claims"]
        match condition:
            case ClaimListed():
                claims[condition.claim] = min(condition.one_of)
            case NotOlder():
                claims[condition.claim] = (self._day - timedelta(days=40)).isoformat()
            case NotPassed():
                claims[condition.claim] = (self._day + timedelta(days=40)).isoformat()
            case WorkingDaysPassed():
                back = timedelta(days=2 * condition.working_days_passed + 10)
                claims[condition.claim] = (self._day - back).isoformat()
            case FactProven():
                self._prove(condition.fact)
            case DeliveryIs():
                self._request["delivery"] = condition.delivery
            case InPartnership():
                claims["partnership"] = min(condition.partnership)
            case CountedAtMost():
                self._request["counters"][condition.counter] = 0

    def _prove(self, name: str) -> None:
        spec = self._catalog.facts[name]
        if isinstance(spec, RegisterFact):
            owner = party(self._catalog, spec.owner_role)
            self._request["facts"][name] = Fact(state=FactState.PROVEN, source=spec.source, asserter=owner)
            return
        self._request["claims"][name] = ",".join(
            str(
                Statement(
                    person=f"p-{number}",
                    organisation=self._request["sender"].oin,
                    function=min(spec.functions),  # type: ignore[union-attr]  # lint: no counter stands here
                    at=self._request["at"] - timedelta(hours=1),
                    reason=min(spec.reasons),  # type: ignore[union-attr]  # likewise
                )
            )
            for number in range(spec.persons)  # type: ignore[union-attr]  # likewise
        )


def party(catalog: Catalog, role: str) -> Party:
    """A party of a role, with an OIN that the role may have."""
    known = catalog.roles[role]
    oin = min(known.oins) if known.oins else f"{sorted(catalog.roles).index(role) + 1:020}"
    return Party(oin=oin, role=role, sector=known.sector.value)


def _day_of(rule: Rule) -> date:
    last = min(rule.valid_until or LATEST, LATEST)
    return max(rule.valid_from, last)


def _spoiled(sort: str, request: Request, bundle: Bundle, rng: Random) -> Request:
    """The request, spoiled in the way that its sort says."""
    carries = request.operation in WITH_FIELDS
    match sort:
        case "partial" | "strict" if carries:
            return replace(
                request, fields=_with_others(request, bundle.catalog, rng), strict=sort == "strict"
            )
        case "unmet":
            return _without_one(request, rng)
        case "no-rule":
            return replace(request, sender=request.recipient, recipient=request.sender)
        case "not-in-force":
            return replace(request, at=LONG_AGO)
        case "unknown-word":
            return replace(request, fields=(*request.fields, ("no_such_field", "organisation")))
        case "category" if carries:
            name, declared = request.fields[-1]
            other = "personal" if declared != "personal" else "organisation"
            return replace(request, fields=(*request.fields[:-1], (name, other)))
        case "malformed" if request.claims:
            return replace(request, claims={**request.claims, min(request.claims): "?"})
    return request


def _with_others(request: Request, catalog: Catalog, rng: Random) -> tuple[tuple[str, str], ...]:
    present = dict(request.fields)
    others = rng.sample(sorted(catalog.fields.keys() - present.keys()), 2)
    extra = tuple((name, catalog.fields[name].category.value) for name in others)
    return (*request.fields[: FIELDS - 2], *extra)


def _without_one(request: Request, rng: Random) -> Request:
    known: Mapping[str, object] = {**request.claims, **request.facts}
    if not known:
        return replace(request, delivery="", subjects=1_000)
    lost = rng.choice(sorted(known))
    return replace(
        request,
        claims={name: value for name, value in request.claims.items() if name != lost},
        facts={name: fact for name, fact in request.facts.items() if name != lost},
    )


def _prohibited(bundle: Bundle, rule: Rule, request: Request, rng: Random) -> Request:
    """The request turned into what a prohibition is about, as far as it says."""
    catalog = bundle.catalog
    named = [
        name
        for name, spec in catalog.fields.items()
        if name in rule.fields or spec.category in rule.categories
    ]
    present = dict(request.fields)
    extra = tuple((name, catalog.fields[name].category.value) for name in named if name not in present)
    changed: dict[str, Any] = {"fields": (*request.fields, *extra[:2])}
    for key, role in (("sender", rule.sender_roles), ("recipient", rule.recipient_roles)):
        if role:
            changed[key] = party(catalog, rng.choice(sorted(role)))
    if rule.kinds:
        changed["kind"] = min(rule.kinds)
    if rule.valid_until and request.at.date() > rule.valid_until:
        changed["at"] = datetime.combine(rule.valid_until, time(10, 30), UTC)
    return replace(request, **changed)
