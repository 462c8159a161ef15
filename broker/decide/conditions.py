# SPDX-License-Identifier: EUPL-1.2
"""Whether a condition of a rule holds: proven, disproven or unknown.

What is missing, malformed, or vouched for by the wrong party is unknown, and the unknown never permits.
A condition is compiled once, to a pure function of the request and the day in Amsterdam.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from broker.decide.model import FactState, Reason, Request
from broker.decide.working_days import working_days_between
from sluis.errors import Defect, InvalidInput
from sluis.policy.catalog import Catalog, Partnership
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
from sluis.policy.facts import RegisterFact, StatedFact, parse_statements
from sluis.policy.rules import Operation
from sluis.policy.schema import read_date

Check: TypeAlias = Callable[[Request, date], FactState]

# A member of an enumeration is looked up slowly; these are asked for in every condition.
PROVEN, DISPROVEN, UNKNOWN = FactState.PROVEN, FactState.DISPROVEN, FactState.UNKNOWN

_OPPOSITE = {PROVEN: DISPROVEN, DISPROVEN: PROVEN, UNKNOWN: UNKNOWN}


def compile_condition(condition: Condition, catalog: Catalog) -> Check:
    """Make the function that evaluates a condition. Raises Defect for a sort that the engine does not know."""
    match condition:
        case ClaimListed():
            return partial(_listed, condition)
        case NotOlder():
            return partial(_recent, condition)
        case NotPassed():
            return partial(_not_passed, condition)
        case WorkingDaysPassed():
            return partial(_working_days, condition)
        case FactProven():
            return _compile_fact(condition.fact, catalog)
        case FactMissing():
            proven = _compile_fact(condition.without_fact, catalog)
            return lambda request, today: _OPPOSITE[proven(request, today)]
        case SameParty():
            return lambda request, today: _truth(request.sender.oin == request.recipient.oin)
        case DeliveryIs():
            return partial(_delivered, condition)
        case InPartnership():
            return partial(_in_partnership, condition, catalog.partnerships)
        case CountedAtMost():
            return partial(_counted, condition)
        case SubjectsAtMost():
            most = condition.subjects_at_most
            return lambda request, today: _truth(request.subjects <= most)
    raise Defect("defect", "a condition of a sort that the engine does not know")


def unmet(condition: Condition, state: FactState) -> Reason:
    """The reason that a condition of a permit gives when it is not proven. It holds no value of a claim."""
    params: dict[str, str] = {"state": state.value}
    match condition:
        case NotOlder():
            params |= {"claim": condition.claim, "years": str(condition.not_older_than_years)}
        case WorkingDaysPassed():
            params |= {"claim": condition.claim, "days": str(condition.working_days_passed)}
        case ClaimListed() | NotPassed():
            params |= {"claim": condition.claim}
        case FactProven():
            params |= {"fact": condition.fact}
        case InPartnership():
            params |= {"partnerships": ",".join(sorted(condition.partnership))}
        case CountedAtMost():
            params |= {"counter": condition.counter, "most": str(condition.at_most)}
        case SubjectsAtMost():
            params |= {"most": str(condition.subjects_at_most)}
    return Reason(condition.otherwise, MappingProxyType(params))


def _truth(value: bool) -> FactState:
    return PROVEN if value else DISPROVEN


def _listed(condition: ClaimListed, request: Request, today: date) -> FactState:
    value = request.claims.get(condition.claim)
    return UNKNOWN if value is None else _truth(value in condition.one_of)


def _compile_fact(name: str, catalog: Catalog) -> Check:
    spec = catalog.facts[name]
    if isinstance(spec, RegisterFact):
        return partial(_registered, name, spec)
    if isinstance(spec, StatedFact):
        return partial(_stated, name, spec)
    raise Defect("defect", "a counter is no fact")


def _registered(name: str, spec: RegisterFact, request: Request, today: date) -> FactState:
    fact = request.facts.get(name)
    if fact is None or fact.source != spec.source:
        return UNKNOWN
    if fact.asserter is None or fact.asserter.role != spec.owner_role:
        return UNKNOWN
    return fact.state


def _stated(name: str, spec: StatedFact, request: Request, today: date) -> FactState:
    """Proven by enough different persons of the sender; what does not count proves nothing, nor the contrary."""
    text = request.claims.get(name)
    if text is None:
        return UNKNOWN
    try:
        statements = parse_statements(text)
    except InvalidInput:
        return UNKNOWN
    persons = {
        statement.person
        for statement in statements
        if statement.organisation == request.sender.oin
        and statement.function in spec.functions
        and statement.reason in spec.reasons
        and timedelta() <= request.at - statement.at <= timedelta(days=spec.valid_days)
    }
    return PROVEN if len(persons) >= spec.persons else UNKNOWN


def _claimed_day(claim: str, request: Request) -> date | None:
    text = request.claims.get(claim)
    if text is None:
        return None
    try:
        return read_date(text)
    except ValueError:
        return None


def _recent(condition: NotOlder, request: Request, today: date) -> FactState:
    claimed = _claimed_day(condition.claim, request)
    if claimed is None or claimed > today:
        return UNKNOWN  # what has not happened yet proves nothing
    try:
        return _truth(today <= _years_later(claimed, condition.not_older_than_years))
    except ValueError:  # the term ends after the year 9999
        return UNKNOWN


def _not_passed(condition: NotPassed, request: Request, today: date) -> FactState:
    claimed = _claimed_day(condition.claim, request)
    return UNKNOWN if claimed is None else _truth(today <= claimed)


def _working_days(condition: WorkingDaysPassed, request: Request, today: date) -> FactState:
    claimed = _claimed_day(condition.claim, request)
    if claimed is None or claimed > today:
        return UNKNOWN
    return _truth(working_days_between(claimed, today) >= condition.working_days_passed)


def _in_partnership(
    condition: InPartnership, known: Mapping[str, Partnership], request: Request, today: date
) -> FactState:
    claimed = request.claims.get("partnership")
    if claimed is None:
        return UNKNOWN
    partnership = known.get(claimed)
    if partnership is None or claimed not in condition.partnership:
        return DISPROVEN
    stands = partnership.valid_from <= today and (
        partnership.valid_until is None or today <= partnership.valid_until
    )
    return _truth(
        stands
        and all(
            partnership.has_member(party.oin, party.role) for party in (request.sender, request.recipient)
        )
    )


def _delivered(condition: DeliveryIs, request: Request, today: date) -> FactState:
    return _truth(request.operation is not Operation.PUSH or request.delivery == condition.delivery)


def _counted(condition: CountedAtMost, request: Request, today: date) -> FactState:
    before = request.counters.get(condition.counter)
    return UNKNOWN if before is None else _truth(before + request.subjects <= condition.at_most)


def _years_later(day: date, years: int) -> date:
    """The last day of a period of years. Raises ValueError after the year 9999.

    Regulation (EEC, Euratom) 1182/71, article 3(2)(c): where the last month lacks the day, its last day.
    """
    year = day.year + years
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)  # only 29 February can be lacking; no year after 9999 exists
