# SPDX-License-Identifier: EUPL-1.2
"""Exchanges drawn near a rule: mostly what it asks, at the edges of its terms, with a few things amiss.

Most are careful: they meet what their rule asks, and only sometimes not. Everything comes from the bundle, so that
any rule that loads is met by exchanges that nearly or just match it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, TypeVar

from broker.decide.model import Fact, FactState, Party, Request
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import ClaimSpec
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    CountedAtMost,
    DeliveryIs,
    InPartnership,
    NotOlder,
    NotPassed,
    SubjectsAtMost,
    WorkingDaysPassed,
)
from sluis.policy.facts import StatedFact
from sluis.policy.rules import WITH_FIELDS, Operation, Rule, Status

OINS = ("00000001000000000001", "00000001000000000002", "00000003000000000003")
Item = TypeVar("Item")


class Exchanges:
    """A source of exchanges; the same seed gives the same ones."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self._bundle = bundle
        self._random = Random(seed)
        self._careful = False  # whether the exchange in the making mostly meets what its rule asks
        self._rules = [
            (name, rule)
            for name, agreement in bundle.agreements.items()
            for rule in agreement.rules
            if rule.status is not Status.DRAFT
        ]
        self._conditions = [item for _, rule in self._rules for item in rule.conditions]
        self._asking = {
            name: [item for item in self._conditions if _asks(item, name)] for name in bundle.catalog.claims
        }
        self._agreements = [name for name, item in bundle.agreements.items() if not item.is_general]

    def draw(self, count: int) -> list[Request]:
        """So many exchanges, each near a rule."""
        found = []
        for _ in range(count):
            self._careful = self._random.random() < 0.7
            found.append(self._near(*self._random.choice(self._rules)))
        return found

    def _near(self, agreement: str, rule: Rule) -> Request:
        catalog = self._bundle.catalog
        at = self._time(rule)
        sender = self._party(self._role(rule.sender_roles, rule.sender_sectors))
        recipient = self._party(self._role(rule.recipient_roles, rule.recipient_sectors))
        if self._rarely(30):
            recipient = sender
        operation = self._mostly(rule.operations, Operation)
        own = list(rule.conditions)
        delivery = [item.delivery for item in own if isinstance(item, DeliveryIs)]
        most = [item.subjects_at_most for item in own if isinstance(item, SubjectsAtMost)]
        subjects = max(0, self._random.choice(most) + self._edge((-1, 0, 0), (1,))) if most else 1
        request = Request(
            operation=operation,
            sender=sender,
            recipient=recipient,
            agreement=self._agreement(agreement),
            kind=self._mostly(rule.kinds, catalog.kinds),
            purpose=self._mostly(rule.purposes, catalog.purposes),
            fields=self._fields(rule, operation),
            at=at,
            claims=self._claims(rule, at, sender),
            facts=self._facts(),
            counters=self._counters(own, subjects),
            subjects=subjects if not self._rarely(30) else self._random.randrange(4),
            delivery=self._mostly(delivery, ("mailbox", "on_match", "")),
            strict=self._random.random() < 0.2,
        )
        return self._amiss(request) if self._rarely(25) else request

    def _rarely(self, times: int) -> bool:
        """Once in so many times; far less often in a careful exchange."""
        return self._random.randrange(times * (10 if self._careful else 1)) == 0

    def _edge(self, right: Iterable[Item], wrong: Iterable[Item]) -> Item:
        """One of all these; only a right one in a careful exchange."""
        return self._pick(right if self._careful else [*right, *wrong])

    def _pick(self, items: Iterable[Item]) -> Item:
        return self._random.choice(list(items))

    def _mostly(self, wanted: Iterable[Item], otherwise: Iterable[Item]) -> Item:
        listed = sorted(wanted)  # type: ignore[type-var]  # words, all of them
        return self._pick(listed if listed and not self._rarely(25) else otherwise)

    def _role(self, roles: Iterable[str], sectors: Iterable[str]) -> str:
        known = self._bundle.catalog.roles
        of_sector = [name for name, role in known.items() if role.sector in frozenset(sectors)]
        return self._mostly([*roles] or of_sector, known)

    def _party(self, role: str) -> Party:
        catalog = self._bundle.catalog
        spec = catalog.roles[role]
        members = [
            oin
            for item in catalog.partnerships.values()
            if role in item.roles
            for oin in sorted(item.oins or ())
        ]
        own = sorted(spec.oins) if spec.oins else [*members, *OINS]
        oin = self._pick(own) if not self._rarely(40) else self._pick(OINS)
        sector = spec.sector.value if not self._rarely(100) else self._pick(("public", "private", "other"))
        return Party(oin=oin, role=role, sector=sector)

    def _agreement(self, name: str) -> str:
        if name not in self._agreements or self._rarely(50):
            return self._pick(self._agreements)
        return name

    def _fields(self, rule: Rule, operation: Operation) -> tuple[tuple[str, str], ...]:
        known = self._bundle.catalog.fields
        if operation not in WITH_FIELDS and not self._rarely(12):
            return ()
        own = sorted(rule.fields | {name for name, spec in known.items() if spec.category in rule.categories})
        names = self._random.sample(own, min(len(own), self._random.randint(1, 4)))
        if not self._careful:
            names += self._random.sample(sorted(known), min(len(known), self._random.randint(0, 2)))
        return tuple(
            (
                name,
                known[name].category.value if not self._rarely(60) else self._pick(("bsn", "meta", "other")),
            )
            for name in dict.fromkeys(names)
        )

    def _time(self, rule: Rule) -> datetime:
        """A day at an edge of the rule, or any from 2024 to 2030; often near midnight in Amsterdam."""
        edges = [rule.valid_from, rule.valid_until or date(2030, 12, 31)]
        if self._random.random() < (0.1 if self._careful else 0.5):
            day = self._pick(edges) + timedelta(days=self._pick((-1, 0, 0, 1)))
        else:
            last = max(min(edges[1], date(2030, 12, 31)), edges[0])
            first = min(max(edges[0], date(2024, 1, 1)), last)
            day = first + timedelta(days=self._random.randint(0, (last - first).days))
        day = min(max(day, date(1997, 1, 2)), date(2090, 1, 1))
        if self._random.random() < 0.3:
            midnight = datetime.combine(day, time(0), UTC) - timedelta(hours=self._pick((1, 2)))
            return midnight + timedelta(microseconds=self._pick((-1, 0, 1)))
        return datetime.combine(day, time(self._pick((9, 12, 15)), self._random.randrange(60)), UTC)

    def _claims(self, rule: Rule, at: datetime, sender: Party) -> dict[str, str]:
        catalog = self._bundle.catalog
        found: dict[str, str] = {}
        for name, spec in catalog.claims.items():
            asked = [item for item in rule.conditions if _asks(item, name)]
            others = self._asking[name]
            if not self._rarely(10) and (asked or (others and self._random.random() < 0.5)):
                found[name] = self._claim(self._pick(asked or others), spec, at)
        for name, fact in catalog.facts.items():
            if isinstance(fact, StatedFact) and not self._rarely(8):
                found[name] = self._statements(fact, at, sender)
        return found

    def _claim(self, condition: Condition, spec: ClaimSpec, at: datetime) -> str:
        today = at.date()
        match condition:
            case ClaimListed():
                others = {
                    value
                    for item in self._conditions
                    if isinstance(item, ClaimListed) and item.claim == condition.claim
                    for value in item.one_of
                }
                return self._mostly(condition.one_of, sorted(others | set(spec.values or ())))
            case InPartnership():
                return self._mostly(condition.partnership, [*self._bundle.catalog.partnerships, "nobody"])
            case NotOlder():
                edge = _years_before(today, condition.not_older_than_years)
                near = edge + timedelta(days=self._pick((-1, 0, 1, 2, 40)))
                return self._pick(
                    (near, near, today, today + timedelta(days=1), date(9998, 5, 5))
                ).isoformat()
            case NotPassed():
                return (today + timedelta(days=self._edge((0, 0, 1, 90), (-1,)))).isoformat()
            case WorkingDaysPassed():
                back = condition.working_days_passed * 7 // 5 + self._edge((3, 4, 5, 40), (-1, 0, 1, 2))
                return (today - timedelta(days=back)).isoformat()
        raise AssertionError(condition)

    def _statements(self, fact: StatedFact, at: datetime, sender: Party) -> str:
        count = fact.persons if not self._rarely(8) else self._pick((1, 2))
        persons = self._random.sample(("a-1", "a-2", "B3"), 2)
        if self._rarely(6):
            persons[1] = persons[0]
        return ",".join(self._statement(fact, at, sender, person) for person in persons[:count])

    def _statement(self, fact: StatedFact, at: datetime, sender: Party, person: str) -> str:
        oin = sender.oin if not self._rarely(12) else self._pick(OINS)
        function = self._pick(sorted(fact.functions)) if not self._rarely(12) else "director"
        reason = self._pick(sorted(fact.reasons)) if not self._rarely(12) else "BECAUSE"
        term = timedelta(days=fact.valid_days)
        minute = timedelta(minutes=1)
        ago = self._pick(
            (timedelta(), timedelta(hours=1), term / 2, term, term - minute, term + minute, -minute)
        )
        return f"{person}@{oin};{function};{at - ago:%Y-%m-%dT%H:%M}Z;{reason}"

    def _facts(self) -> dict[str, Fact]:
        found = {}
        for name, spec in self._bundle.catalog.register_facts.items():
            role = spec.owner_role if not self._rarely(15) else self._pick(self._bundle.catalog.roles)
            asserter = None if self._rarely(25) else Party(oin=OINS[0], role=role, sector="public")
            state = self._pick((*[FactState.PROVEN] * 6, *[FactState.DISPROVEN] * 2, FactState.UNKNOWN))
            source = spec.source if not self._rarely(25) else self._pick(("sender", "register:other"))
            if not self._rarely(10):
                found[name] = Fact(state=state, source=source, asserter=asserter)
        return found

    def _counters(self, own: list[Condition], subjects: int) -> dict[str, int]:
        """At the edge of what some rule allows, of this rule if it counts; or not counted at all."""
        limits: dict[str, list[int]] = {}
        for item in (*self._conditions, *own * 20):
            if isinstance(item, CountedAtMost):
                limits.setdefault(item.counter, []).append(item.at_most)
        return {
            name: max(0, self._pick(most) - subjects + self._edge((-2, -1, 0, 0), (1,)))
            for name, most in limits.items()
            if not self._rarely(8)
        }

    def _amiss(self, request: Request) -> Request:
        """One thing that makes the request unknown, malformed, or strange."""
        claims = dict(request.claims)
        if claims:
            claims[self._pick(claims)] = self._pick(("", "2026-02-30", "?", "a@b;c;d;e", "x,y,z"))
        changes: dict[str, Any] = self._pick(
            (
                {"claims": claims},
                {"claims": {**request.claims, "never_heard_of": "1"}},
                {"kind": "NEVER_HEARD_OF"},
                {"purpose": "NEVER_HEARD_OF"},
                {"agreement": self._pick([*self._bundle.agreements, "never-heard-of"])},
                {"fields": (*request.fields, ("never_heard_of", "meta"))},
                {"sender": replace(request.sender, role="", sector="")},
                {"recipient": replace(request.recipient, role="stranger")},
                {
                    "facts": {
                        **request.facts,
                        "never_heard_of": Fact(state=FactState.PROVEN, source="", asserter=None),
                    }
                },
                {"counters": {**request.counters, "never_heard_of": 1}},
                {"fields": ()},
                {"counters": dict.fromkeys(request.counters, 2**62)},
            )
        )
        return replace(request, **changes)


def _asks(condition: Condition, claim: str) -> bool:
    if isinstance(condition, InPartnership):
        return claim == "partnership"
    return getattr(condition, "claim", None) == claim


def _years_before(day: date, years: int) -> date:
    year = max(2, day.year - years)
    return date(year, day.month, min(day.day, 28 if day.month == 2 else day.day))
