# SPDX-License-Identifier: EUPL-1.2
"""What of a rule bears on what passes, as text: without titles, articles, reasons, and the order of words.

Two rules of equal content decide alike, also when they stand in two bundles: what the catalogue says of the
facts, claims, partnerships and categories that a rule names is part of its content.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from broker.decide.slots import Compiled
from sluis.canonical import canonical_json
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog, ClaimSpec, Partnership
from sluis.policy.conditions import (
    ClaimListed,
    Condition,
    FactMissing,
    FactProven,
    InPartnership,
    NotOlder,
    NotPassed,
    WorkingDaysPassed,
)
from sluis.policy.facts import CounterFact, FactSpec, RegisterFact, StatedFact
from sluis.policy.schema import Entry

_WORDS = {"dutch", "english", "otherwise", "source", "title"}


def content(rule: Compiled, bundle: Bundle) -> str:
    """The content of a rule of a bundle."""
    key = ("content", id(rule))
    found: str | None = bundle.memo.get(key)
    if found is None:
        parts = {
            "effect": rule.rule.effect,
            "fields": rule.fields & bundle.fields.keys(),
            "whole": not rule.rule.withholds_fields,
            "conditions": sorted(_text(condition_content(item, bundle.catalog)) for item, _ in rule.checks),
            "obligations": rule.obligations,
        }
        found = bundle.memo[key] = _text(parts)
    return found


def condition_content(condition: Condition, catalog: Catalog) -> Mapping[str, object]:
    """What a condition asks, with what the catalogue says of the word that it names."""
    spec: object = None
    match condition:
        case FactProven():
            spec = fact_content(catalog.facts.get(condition.fact))
        case FactMissing():
            spec = fact_content(catalog.facts.get(condition.without_fact))
        case InPartnership():
            spec = {
                name: partnership_content(catalog.partnerships.get(name)) for name in condition.partnership
            }
        case ClaimListed() | NotOlder() | NotPassed() | WorkingDaysPassed():
            spec = claim_content(catalog.claims.get(condition.claim))
    return {"asks": condition, "of": spec}


def fact_content(fact: FactSpec | None) -> object:
    """What decides when a fact counts as proven."""
    if isinstance(fact, RegisterFact):
        return [fact.source, fact.owner_role]
    if isinstance(fact, StatedFact):
        return [fact.functions, frozenset(fact.reasons), fact.valid_days, fact.persons]
    return [fact.per, fact.window] if isinstance(fact, CounterFact) else None


def claim_content(claim: ClaimSpec | None) -> object:
    """What decides whether a claim is well-formed."""
    return claim and [claim.type, claim.pattern, claim.values and sorted(claim.values)]


def partnership_content(partnership: Partnership | None) -> object:
    """What decides who belongs to a partnership, and when."""
    return partnership and [
        partnership.valid_from,
        partnership.valid_until,
        partnership.roles,
        partnership.oins,
    ]


def _text(value: object) -> str:
    return canonical_json(_plain(value)).decode()


def _plain(value: object) -> object:
    if isinstance(value, Entry):
        return {name: _plain(part) for name, part in value if name not in _WORDS}
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(str(_plain(part)) for part in value)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, StrEnum | date):
        return str(value)
    return value
