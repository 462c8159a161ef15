# SPDX-License-Identifier: EUPL-1.2
"""Whether a condition of a rule holds: proven, disproven or unknown.

What is missing, malformed, or vouched for by the wrong party is unknown, and the unknown never permits.
"""

import calendar
from datetime import date

from broker.decide.model import FactState, Reason, Request
from sluis.errors import Defect
from sluis.policy.catalog import Catalog
from sluis.policy.rules import (
    Condition,
    DeliveryIs,
    FactProven,
    NotOlder,
    Operation,
    ProvisionListed,
    SameParty,
)
from sluis.policy.schema import read_date


def state_of(condition: Condition, request: Request, today: date, catalog: Catalog) -> FactState:
    """Evaluate one condition."""
    match condition:
        case ProvisionListed():
            return _listed(condition, request)
        case FactProven():
            return _fact(condition, request, catalog)
        case NotOlder():
            return _recent(condition, request, today)
        case SameParty():
            return _truth(request.sender.oin == request.recipient.oin)
        case DeliveryIs():
            return _truth(request.operation is not Operation.PUSH or request.delivery == condition.delivery)
    raise Defect("defect", "a condition of a sort that the engine does not know")


def unmet(condition: Condition, state: FactState) -> Reason:
    """The reason that a condition of a permit gives when it is not proven. It holds no value of a claim."""
    params: dict[str, str] = {"state": state.value}
    match condition:
        case NotOlder():
            params |= {"claim": condition.claim, "years": str(condition.not_older_than_years)}
        case ProvisionListed():
            params |= {"claim": condition.claim}
        case FactProven():
            params |= {"fact": condition.fact}
    return Reason(condition.otherwise, params)


def _truth(value: bool) -> FactState:
    return FactState.PROVEN if value else FactState.DISPROVEN


def _listed(condition: ProvisionListed, request: Request) -> FactState:
    value = request.claims.get(condition.claim)
    return FactState.UNKNOWN if value is None else _truth(value in condition.one_of)


def _fact(condition: FactProven, request: Request, catalog: Catalog) -> FactState:
    fact = request.facts.get(condition.fact)
    spec = catalog.facts[condition.fact]
    if fact is None or fact.source != spec.source:
        return FactState.UNKNOWN
    if fact.asserter is None or fact.asserter.role != spec.owner_role:
        return FactState.UNKNOWN
    return fact.state


def _recent(condition: NotOlder, request: Request, today: date) -> FactState:
    try:
        claimed = read_date(request.claims.get(condition.claim, ""))
        last_day = _years_later(claimed, condition.not_older_than_years)
    except ValueError:
        return FactState.UNKNOWN
    if claimed > today:
        return FactState.UNKNOWN  # what has not happened yet proves nothing
    return _truth(today <= last_day)


def _years_later(day: date, years: int) -> date:
    """The last day of a period of years.

    Regulation (EEC, Euratom) 1182/71, article 3(2)(c): where the last month lacks the day, its last day.
    """
    year = day.year + years
    return date(year, day.month, min(day.day, calendar.monthrange(year, day.month)[1]))
