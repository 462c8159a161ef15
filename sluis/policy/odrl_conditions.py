# SPDX-License-Identifier: EUPL-1.2
"""The conditions of a rule as ODRL 2.2 constraints: one left operand, one operator, one right operand.

{claim: provision, one_of: [...]}        sluis:claims/provision isAnyOf ...
{claim: d, not_older_than_years: 2}      sluis:ages/d lteq P2Y
{claim: d, not_passed: "true"}           sluis:claims/d gteq odrl:policyUsage (the moment itself)
{claim: d, working_days_passed: 10}      sluis:workingDaysSince/d gteq 10
{fact: f}, {without_fact: f}             sluis:facts/f eq, neq sluis:proven
{same_party: "true"}                     odrl:recipient eq sluis:sender
{delivery: on_match}                     odrl:deliveryChannel eq sluis:deliveries/on_match
{partnership: [lsi]}                     sluis:partnership isAnyOf ...
{counter: c, at_most: 50}                sluis:counters/c lteq 50
{subjects_at_most: 1}                    sluis:subjects lteq 1
"""

from typing import TypeAlias

from sluis.errors import Defect
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
from sluis.policy.iris import TERMS

Json: TypeAlias = dict[str, object]

# The left operands of the profile; those with a slash stand for one term for each word behind it.
OPERANDS = {
    "role": "The role of a party in the catalogue.",
    "sector": "Whether a party is public or private.",
    "recipientSector": "Whether the recipient is public or private.",
    "kind": "The kind of a signal.",
    "field": "A field of a signal.",
    "category": "The data category of a field.",
    "claims/": "What the sender states under this name in the signed header.",
    "ages/": "The time since the day that the sender states under this name.",
    "workingDaysSince/": "The working days since the day that the sender states under this name.",
    "facts/": "A fact, proven by the source that the catalogue names.",
    "partnership": "A partnership of which sender and recipient are both members on the day itself.",
    "counters/": "How many subjects passed today under this counter, this request included.",
    "subjects": "How many subjects a request is about.",
}


def constraint(left: str, operator: str, right: object) -> Json:
    """A constraint."""
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def constraint_of(condition: Condition) -> Json:
    """A condition as a constraint, with its Dutch sentence and the reason when it does not hold."""
    return _bare(condition) | {
        "dct:description": {"@value": condition.dutch, "@language": "nl"},
        "sluis:reason": condition.otherwise,
    }


def term(name: str) -> str:
    """A term of the profile, in full."""
    return TERMS + name


def iri(text: str) -> Json:
    """A name as a value: not text, but the thing itself."""
    return {"@id": text}


def _bare(condition: Condition) -> Json:
    proven = iri(term("proven"))
    match condition:
        case ClaimListed():
            return constraint(f"sluis:claims/{condition.claim}", "isAnyOf", sorted(condition.one_of))
        case NotOlder():
            period = {"@value": f"P{condition.not_older_than_years}Y", "@type": "xsd:duration"}
            return constraint(f"sluis:ages/{condition.claim}", "lteq", period)
        case NotPassed():
            return constraint(f"sluis:claims/{condition.claim}", "gteq", iri("odrl:policyUsage"))
        case WorkingDaysPassed():
            left = f"sluis:workingDaysSince/{condition.claim}"
            return constraint(left, "gteq", condition.working_days_passed)
        case FactProven():
            return constraint(f"sluis:facts/{condition.fact}", "eq", proven)
        case FactMissing():
            # In full, because the published JSON-LD context spells `neq` as odrl:neg.
            return constraint(f"sluis:facts/{condition.without_fact}", "odrl:neq", proven)
        case SameParty():
            return constraint("recipient", "eq", iri(term("sender")))
        case DeliveryIs():
            return constraint("deliveryChannel", "eq", iri(term(f"deliveries/{condition.delivery}")))
        case InPartnership():
            named = [iri(term(f"partnerships/{name}")) for name in sorted(condition.partnership)]
            return constraint("sluis:partnership", "isAnyOf", named)
        case CountedAtMost():
            return constraint(f"sluis:counters/{condition.counter}", "lteq", condition.at_most)
        case SubjectsAtMost():
            return constraint("sluis:subjects", "lteq", condition.subjects_at_most)
    raise Defect("defect", "a condition of a sort that ODRL export does not know")
