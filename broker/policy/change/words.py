# SPDX-License-Identifier: EUPL-1.2
"""Rules and their parts in Dutch and English, from the labels of the catalogues."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sluis.policy import dutch
from sluis.policy.bundle import Bundle
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    CountedAtMost,
    DeliveryIs,
    FactMissing,
    FactProven,
    InPartnership,
    NotOlder,
    NotPassed,
    SameParty,
    SubjectsAtMost,
    WorkingDaysPassed,
)
from sluis.policy.rules import Rule, RuleEffect
from sluis.policy.schema import Labelled


@dataclass(frozen=True, slots=True, order=True)
class Text:
    """The same words in both languages."""

    dutch: str
    english: str

    def __add__(self, other: "Text") -> "Text":
        return Text(self.dutch + other.dutch, self.english + other.english)


def same(text: str) -> Text:
    """Words that are equal in both languages, such as a citation."""
    return Text(text, text)


ARROW = same(" -> ")
OPERATIONS = {
    "push": Text("toezenden", "push"),
    "question": Text("vragen", "question"),
    "watch": Text("attenderen", "watch"),
    "release": Text("vrijgeven", "release"),
    "register": Text("register laden", "register"),
    "ask": Text("vraag over een signaal", "ask about a signal"),
    "answer": Text("antwoord over een signaal", "answer about a signal"),
}
STATUSES = {
    "in-force": Text("van kracht", "in force"),
    "assumed": Text("aangenomen", "assumed"),
    "draft": Text("concept", "draft"),
}
SECTORS = {
    "public": Text("publieke partijen", "public parties"),
    "private": Text("private partijen", "private parties"),
}
CATEGORIES = {
    "organisation": Text("organisatiegegevens", "organisation data"),
    "personal": Text("persoonsgegevens", "personal data"),
    "bsn": Text("burgerservicenummers", "citizen service numbers"),
    "special": Text("bijzondere persoonsgegevens", "special categories of data"),
    "criminal": Text("strafrechtelijke gegevens", "criminal data"),
    "address": Text("adresgegevens", "addresses"),
    "meta": Text("gegevens over het bericht", "data on the message"),
}
DUTIES = {
    "retention": Text("bewaartermijn", "retention"),
    "retention_after_loss": Text(
        "bewaartermijn na verlies van het certificaat", "retention after loss of the certificate"
    ),
    "handling": Text("behandelcode", "handling code"),
    "notice": Text("kennisgeving aan de betrokkene", "notice to the subject"),
    "notice_within": Text("termijn van de kennisgeving", "term of the notice"),
    "feedback_within": Text("termijn van de terugmelding", "term of the feedback"),
    "delay_grounds": Text(
        "gronden voor uitstel van de kennisgeving (UAVG)", "grounds to put off the notice (UAVG)"
    ),
}
_NOTICES = {
    "may-inform": Text("mag", "may"),
    "must-inform": Text("moet", "must"),
    "must-not-inform": Text("mag niet", "must not"),
}
_UNITS = {
    "Y": (Text("jaar", "year"), Text("jaar", "years")),
    "M": (Text("maand", "month"), Text("maanden", "months")),
    "D": (Text("dag", "day"), Text("dagen", "days")),
}


def duty_value(name: str, value: str) -> Text:
    """A duty as it is said: `P2Y` is 2 years."""
    if not value:
        return Text("geen", "none")
    if name == "notice":
        return _NOTICES[value]
    period = re.fullmatch(r"P(\d+)([YMD])", value)
    if period is None:
        return same(value)
    return same(f"{period[1]} ") + _UNITS[period[2]][period[1] != "1"]


def joined(texts: Iterable[Text]) -> Text:
    """A list with commas."""
    items = list(texts)
    return Text(", ".join(item.dutch for item in items), ", ".join(item.english for item in items))


class Words:
    """The labels of some bundles; the first that knows a word says how it is called."""

    def __init__(self, *bundles: Bundle) -> None:
        self._catalogs = [bundle.catalog for bundle in bundles]

    def role(self, name: str) -> Text:
        """A sort of participant."""
        return self._label("roles", name)

    def kind(self, name: str) -> Text:
        """A kind of signal."""
        return self._label("kinds", name)

    def purpose(self, name: str) -> Text:
        """A purpose."""
        return self._label("purposes", name)

    def field(self, name: str) -> Text:
        """A field."""
        return self._label("fields", name)

    def claim(self, name: str) -> Text:
        """A claim."""
        return self._label("claims", name)

    def fact(self, name: str) -> Text:
        """A fact."""
        return self._label("facts", name)

    def partnership(self, name: str) -> Text:
        """A partnership."""
        return self._label("partnerships", name)

    def word(self, sort: str, name: str) -> Text:
        """A word of any sort of the catalogue."""
        return self._label(sort, name)

    def parties(self, roles: Collection[str], sectors: Collection[str]) -> Text:
        """One side of a rule; a prohibition that names nobody holds for all."""
        if roles:
            return joined(map(self.role, sorted(roles)))
        if sectors:
            return joined(SECTORS[name] for name in sorted(sectors))
        return Text("iedereen", "anyone")

    def flow(self, rule: Rule) -> Text:
        """Who sends what to whom, what for, and from when."""
        sides = (
            self.parties(rule.sender_roles, rule.sender_sectors)
            + ARROW
            + self.parties(rule.recipient_roles, rule.recipient_sectors)
        )
        parts = [sides, joined(OPERATIONS[name] for name in sorted(rule.operations))]
        parts += [joined(map(self.kind, sorted(rule.kinds)))] * bool(rule.kinds)
        parts += [joined(map(self.purpose, sorted(rule.purposes)))] * bool(rule.purposes)
        until = f" until {rule.valid_until}" if rule.valid_until else ""
        days = Text(dutch.days(rule.valid_from, rule.valid_until), f"from {rule.valid_from}{until}")
        return Text(
            "; ".join(part.dutch for part in [*parts, days]),
            "; ".join(part.english for part in [*parts, days]),
        )

    def condition(self, condition: Condition) -> Text:
        """A condition: in Dutch as the rule says it, in English as the engine asks it."""
        return Text(condition.dutch.rstrip("."), self._asks(condition))

    def subject(self, rule: Rule) -> Text:
        """What a new or dropped rule is called."""
        if rule.effect is RuleEffect.PERMIT:
            return Text("toestemming", "permit")
        return Text("verbod", "prohibition")

    def _asks(self, condition: Condition) -> str:
        match condition:
            case ClaimListed():
                return (
                    f"{self.claim(condition.claim).english} is one of {', '.join(sorted(condition.one_of))}"
                )
            case NotOlder():
                years = duty_value("", f"P{condition.not_older_than_years}Y").english
                return f"{self.claim(condition.claim).english} is at most {years} ago"
            case NotPassed():
                return f"{self.claim(condition.claim).english} has not passed"
            case WorkingDaysPassed():
                name = self.claim(condition.claim).english
                return f"{condition.working_days_passed} working days have passed since {name}"
            case FactProven():
                return f"proven: {self.fact(condition.fact).english}"
            case FactMissing():
                return f"not proven: {self.fact(condition.without_fact).english}"
            case SameParty():
                return "sender and recipient are one party"
            case DeliveryIs():
                return f"delivery {condition.delivery}"
            case InPartnership():
                names = joined(map(self.partnership, sorted(condition.partnership))).english
                return f"both are members of the partnership: {names}"
            case CountedAtMost():
                return f"at most {condition.at_most}: {self.fact(condition.counter).english}"
            case SubjectsAtMost():
                return f"at most {condition.subjects_at_most} subjects in one request"

    def _label(self, sort: str, name: str) -> Text:
        for catalog in self._catalogs:
            entries: Mapping[str, object] = getattr(catalog, sort)
            if isinstance(entry := entries.get(name), Labelled):
                return Text(entry.dutch, entry.english)
        return same(name)
