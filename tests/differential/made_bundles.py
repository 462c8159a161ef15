# SPDX-License-Identifier: EUPL-1.2
"""Bundles with few words and many rules, so that permits and prohibitions overlap in every way.

They are made as models, past the checks of loading: the engine and Cedar must agree on those rules too.
"""

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

from sluis.policy.bundle import Bundle
from sluis.policy.catalog import (
    Catalog,
    Category,
    ClaimSpec,
    FieldSpec,
    Kind,
    Partnership,
    Purpose,
    Role,
    Sector,
)
from sluis.policy.conditions import (
    ClaimListed,
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
from sluis.policy.facts import CounterFact, RegisterFact, StatedFact
from sluis.policy.rules import Agreement, LegalBasis, Obligations, Operation, Rule, RuleEffect, Status
from tests.differential.exchanges import OINS
from tests.unit.decide_samples import BUNDLE

LABEL = {"dutch": "woord", "english": "word"}
SPOKEN = {"dutch": "Een voorwaarde.", "otherwise": "NO_CERTIFICATE"}
BASIS = LegalBasis(
    gdpr="6(1)(e)",
    law="WML",
    article="18p",
    juriconnect="jci1.3:c:BWBR0002638&artikel=18p",
    explanation="Zo.",
)
DUTIES = Obligations.model_validate({"retention": "P1Y", "handling": "H1", "notice": "may-inform"})
CONDITIONS = (
    ClaimListed, NotOlder, NotPassed, WorkingDaysPassed, FactProven, FactMissing, SameParty, DeliveryIs, InPartnership,
    CountedAtMost, SubjectsAtMost,
)  # fmt: skip
STATED = {"functions": ["officer", "lawyer"], "reasons": {"NEEDED": LABEL, "URGENT": LABEL}}


def catalogue() -> Catalog:
    """Four roles, six fields, and of everything that a condition may ask for at least one."""
    roles = {
        "inspectorate": _role("public", OINS[:2]),
        "municipality": _role("public"),
        "foundation": _role("private"),
        "certifier": _role("private", OINS[2:]),
    }
    categories = (Category.ORGANISATION, Category.PERSONAL, Category.BSN, Category.SPECIAL, Category.CRIMINAL)
    text: dict[str, Any] = {"type": "date"}
    stated: dict[str, dict[str, Any]] = {
        "gate": {"source": "officer", "valid_days": "7"},
        "four_eyes": {"source": "officer", "valid_days": "1", "persons": "2"},
        "has": {"source": "sender", "valid_days": "30"},  # a word that Cedar reserves
    }
    return replace(
        BUNDLE.catalog,
        roles=roles,
        partnerships={
            "team": _partnership(roles=["inspectorate", "municipality"], valid_from="2024-01-01"),
            "few": _partnership(
                roles=[*roles], oins=[*OINS[:2]], valid_from="2025-06-01", valid_until="2027-05-31"
            ),
            "none": _partnership(roles=[*roles], oins=[], valid_from="2020-01-01"),
        },
        fields={
            name: FieldSpec.model_validate({"category": category, "value": text, **LABEL})
            for name, category in zip(
                ("firm", "person", "number", "health", "offence"), categories, strict=True
            )
        }
        | {"in": FieldSpec.model_validate({"category": "meta", "value": text, **LABEL})},
        kinds={name: Kind.model_validate({"subject": "kvk", **LABEL}) for name in ("FINE", "ANSWER")},
        purposes={name: Purpose(**LABEL) for name in ("SUPERVISION", "CERTIFICATION")},
        facts={
            "certified": _register("certificates", "foundation"),
            "employer": _register("employers", "municipality"),
            **{name: StatedFact.model_validate({**STATED, **LABEL, **spec}) for name, spec in stated.items()},
            "today_all": _counter("sender"),
            "today_pair": _counter("sender-and-recipient"),
        },
        claims=(claims := _claims()),
        assertions={
            **claims,
            **{name: StatedFact.model_validate({**STATED, **LABEL, **spec}) for name, spec in stated.items()},
        },
    )


def _role(sector: str, oins: tuple[str, ...] | None = None) -> Role:
    return Role.model_validate({"sector": sector, "oins": [*oins] if oins else None, **LABEL})


def _partnership(**values: Any) -> Partnership:
    return Partnership.model_validate({**LABEL, "source": "een besluit", **values})


def _register(register: str, owner: str) -> RegisterFact:
    return RegisterFact.model_validate(
        {"source": "register", "register": register, "owner_role": owner, "domain": "recipient", **LABEL}
    )


def _counter(per: str) -> CounterFact:
    return CounterFact.model_validate({"source": "counter", "per": per, "window": "day", **LABEL})


def _claims() -> dict[str, ClaimSpec]:
    specs: dict[str, dict[str, Any]] = {
        "provision": {"type": "provision", "pattern": "(WML|Wav) [0-9a-z]{1,4}"},
        "severity": {"type": "choice", "values": ["light", "grave", 'say "so"\\\n']},
        "decided_on": {"type": "date"},
        "keep_until": {"type": "date"},
        "if": {"type": "date"},
        "partnership": {"type": "partnership"},
    }
    return {
        name: ClaimSpec.model_validate({"asserted_by": "sender", **LABEL, **spec})
        for name, spec in specs.items()
    }


class Bundles:
    """A source of bundles; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._catalog = catalogue()

    def draw(self) -> Bundle:
        """Two agreements and one for all; every rule may have any condition."""
        agreements = {
            name: self._agreement(
                name, general=name == "00-general", permits=permits, prohibitions=prohibitions
            )
            for name, permits, prohibitions in (("00-general", 0, 6), ("one", 12, 6), ("two", 6, 3))
        }
        return replace(BUNDLE, catalog=self._catalog).with_agreements(agreements)

    def _agreement(self, name: str, *, general: bool, permits: int, prohibitions: int) -> Agreement:
        rules = [self.permit(f"{name}-permit-{number}") for number in range(permits)]
        rules += [self.prohibition(f"{name}-prohibition-{number}") for number in range(prohibitions)]
        self._random.shuffle(rules)
        return Agreement(
            id=name,
            title="Afspraak",
            explanation="Gemaakt.",
            applies_to="every-agreement" if general else "this-agreement",
            rules=tuple(rules),
        )

    def _some(self, words: Any, least: int, most: int) -> frozenset[Any]:
        listed = sorted(words)
        return frozenset(self._random.sample(listed, self._random.randint(least, min(most, len(listed)))))

    def _common(self, conditions: int) -> dict[str, Any]:
        begin = self._random.choice((date(2024, 1, 1), date(2026, 7, 1), date(2027, 1, 1)))
        until = self._random.choice((None, None, begin + timedelta(days=self._random.choice((0, 180, 900)))))
        return {
            "title": 'Een regel met "aanhalingstekens" en \\ daarin',
            "status": self._random.choice((*[Status.ASSUMED] * 9, Status.DRAFT)),
            "valid_from": begin.isoformat(),
            "valid_until": until and until.isoformat(),
            "conditions": tuple(self._condition() for _ in range(conditions)),
            "legal_basis": (BASIS,),
            "explanation": "Gemaakt.",
        }

    def permit(self, identifier: str) -> Rule:
        """A permit of whatever parties, fields and conditions."""
        catalog = self._catalog
        quiet = self._random.randrange(5) == 0
        operations = (
            (Operation.QUESTION, Operation.REGISTER) if quiet else (Operation.PUSH, Operation.RELEASE)
        )
        return self._rule(
            id=identifier,
            effect=RuleEffect.PERMIT,
            operations=self._some(operations, 1, 2),
            sender_roles=self._some(catalog.roles, 1, 3),
            recipient_roles=self._some(catalog.roles, 1, 3),
            kinds=self._some(catalog.kinds, 1, 2),
            purposes=self._some(catalog.purposes, 1, 2),
            fields=frozenset() if quiet else self._some(catalog.fields, 2, 6),
            obligations=DUTIES,
            **self._common(self._random.choice((0, 1, 1, 2, 2, 3))),
        )

    def prohibition(self, identifier: str) -> Rule:
        """A prohibition of some fields, or of the whole."""
        catalog = self._catalog
        whole = self._random.randrange(4) == 0
        fields = frozenset() if whole else self._some(catalog.fields, 0, 2)
        return self._rule(
            id=identifier,
            effect=RuleEffect.PROHIBIT,
            operations=self._some(Operation, 1, 4),
            sender_roles=self._some(catalog.roles, 0, 2),
            sender_sectors=self._some(Sector, 0, 1),
            recipient_roles=self._some(catalog.roles, 0, 2),
            recipient_sectors=self._some(Sector, 0, 1),
            kinds=self._some(catalog.kinds, 0, 2),
            purposes=self._some(catalog.purposes, 0, 2),
            fields=fields,
            categories=frozenset() if whole else self._some(Category, int(not fields), 2),
            code="WRONG_CHANNEL",
            **self._common(self._random.choice((2, 3)) if whole else self._random.choice((0, 1, 1, 2))),
        )

    def _rule(self, **values: Any) -> Rule:
        """As a file would say it: words in lists."""
        return Rule.model_validate(
            {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}
        )

    def _condition(self) -> dict[str, Any]:
        choose = self._random.choice
        values: dict[str, Any] = {
            "ClaimListed": choose(
                (
                    {
                        "claim": "provision",
                        "one_of": choose((["WML 7"], ["WML 7", "Wav 2"], ["Wav 2a", "Wav 15"])),
                    },
                    {
                        "claim": "severity",
                        "one_of": choose((["light"], ["grave", 'say "so"\\\n'], ["light", "grave"])),
                    },
                )
            ),
            "NotOlder": {
                "claim": choose(("decided_on", "if")),
                "not_older_than_years": choose(("1", "2", "5", "8000")),
            },
            "NotPassed": {"claim": choose(("keep_until", "if")), "not_passed": "true"},
            "WorkingDaysPassed": {
                "claim": choose(("decided_on", "if")),
                "working_days_passed": choose(("1", "10", "25")),
            },
            "FactProven": {"fact": choose(("certified", "employer", "gate", "four_eyes", "has"))},
            "FactMissing": {"without_fact": choose(("certified", "employer", "gate", "four_eyes"))},
            "SameParty": {"same_party": "true"},
            "DeliveryIs": {"delivery": choose(("mailbox", "on_match"))},
            "InPartnership": {"partnership": choose((["team"], ["few"], ["team", "few"], ["none", "few"]))},
            "CountedAtMost": {
                "counter": choose(("today_all", "today_pair")),
                "at_most": choose(("1", "5", "50")),
            },
            "SubjectsAtMost": {"subjects_at_most": choose(("1", "3"))},
        }
        return {**SPOKEN, **values[choose(CONDITIONS).__name__]}
