# SPDX-License-Identifier: EUPL-1.2
"""The conditions of a rule as Cedar expressions: one that says proven, one that says disproven.

What is neither is unknown. A permit asks `proven`, a prohibition stands unless `disproven`. Every attribute
that may be absent is asked for with `has` first; Cedar's validator refuses an expression that forgets to.
No sum here can overflow, whatever the numbers of the request: an error would make Cedar skip the policy.

    day               2026-07-01 is the number 20260701; two years later is 20000 more
    at                microseconds since 1970-01-01T00:00Z
    statements        first, second: at most two, as in the claim
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sluis.errors import Defect
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
from sluis.policy.facts import RegisterFact, StatedFact

NEVER = "false"
LAST_DAY = 99991231
DAY_IN_MICROSECONDS = 86_400_000_000
_RESERVED = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has"})


@dataclass(frozen=True, slots=True)
class Expression:
    """When a condition is proven, and when it is disproven; the two never hold together."""

    proven: str
    disproven: str


def condition_expression(condition: Condition, catalog: Catalog) -> Expression:
    """Write a condition in Cedar. Raises Defect for a sort that the export does not know."""
    match condition:
        case ClaimListed():
            return _listed(condition, catalog)
        case NotOlder():
            return _not_older(condition)
        case NotPassed():
            return _compared(_claimed(condition.claim), f"context.today <= {_claim(condition.claim)}")
        case WorkingDaysPassed():
            return _working_days(condition)
        case FactProven():
            return _fact(condition.fact, catalog)
        case FactMissing():
            found = _fact(condition.without_fact, catalog)
            return Expression(proven=found.disproven, disproven=found.proven)
        case SameParty():
            return _decided("context.sender.oin == context.recipient.oin")
        case DeliveryIs():
            delivery = quoted(condition.delivery)
            return _decided(f'!(action == Action::"push") || context.delivery == {delivery}')
        case InPartnership():
            return _partnership(condition, catalog)
        case CountedAtMost():
            counter = attribute("context.counters", condition.counter)
            return _compared(
                present("context.counters", condition.counter),
                f"{counter} <= {condition.at_most} - context.subjects",
            )
        case SubjectsAtMost():
            return _decided(f"context.subjects <= {condition.subjects_at_most}")
    raise Defect("defect", "a condition of a sort that the export does not know")


def quoted(text: str) -> str:
    """A string literal."""
    return '"' + "".join(_escaped(letter) for letter in text) + '"'


def entity(sort: str, name: str) -> str:
    """An entity, such as `Role::"labour-inspectorate"`."""
    return f"{sort}::{quoted(name)}"


def one_of(expression: str, literals: Iterable[str]) -> str:
    """Whether the expression is one of the literals; never when there are none."""
    listed = sorted(literals)
    if len(listed) == 1:
        return f"{expression} == {listed[0]}"
    return f"[{', '.join(listed)}].contains({expression})" if listed else NEVER


def attribute(record: str, name: str) -> str:
    """An attribute of a record; a name that Cedar reserves is quoted."""
    return f"{record}[{quoted(name)}]" if name in _RESERVED else f"{record}.{name}"


def present(record: str, name: str) -> str:
    """Whether the record has the attribute."""
    return f"{record} has {key(name)}"


def key(name: str) -> str:
    """The name of an attribute where it is declared."""
    return quoted(name) if name in _RESERVED else name


def day_number(day: date) -> int:
    """A day as the number that shows it: 20260701."""
    return day.year * 10_000 + day.month * 100 + day.day


def choice_type(claim: str) -> str:
    """The enumerated type of a claim that is a choice."""
    return f"Claim_{claim}"


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\u{{{ord(letter):x}}}"


def _decided(test: str) -> Expression:
    """A condition that is never unknown."""
    return Expression(proven=f"({test})", disproven=f"!({test})")


def _compared(known: str, test: str) -> Expression:
    """A condition that is unknown unless `known`."""
    return Expression(proven=f"({known} && {test})", disproven=f"({known} && !({test}))")


def _claim(name: str) -> str:
    return attribute("context.claims", name)


def _claimed(name: str) -> str:
    return present("context.claims", name)


def _listed(condition: ClaimListed, catalog: Catalog) -> Expression:
    spec = catalog.claims[condition.claim]
    values = [
        entity(choice_type(condition.claim), value) if spec.type == "choice" else quoted(value)
        for value in condition.one_of
    ]
    return _compared(_claimed(condition.claim), f"({one_of(_claim(condition.claim), values)})")


def _not_older(condition: NotOlder) -> Expression:
    """Today and the claimed day exist, so the shorter month needs no care: no day 29 follows 28 February 2026."""
    claim = _claim(condition.claim)
    years = condition.not_older_than_years * 10_000
    known = f"{_claimed(condition.claim)} && {claim} <= context.today && {claim} <= {LAST_DAY - years}"
    return _compared(known, f"context.today - {years} <= {claim}")


def _working_days(condition: WorkingDaysPassed) -> Expression:
    name = condition.claim
    known = f"{_claimed(name)} && {_claim(name)} <= context.today && {present('context.working_days', name)}"
    return _compared(known, f"{attribute('context.working_days', name)} >= {condition.working_days_passed}")


def _fact(name: str, catalog: Catalog) -> Expression:
    spec = catalog.facts[name]
    if isinstance(spec, RegisterFact):
        return _registered(name, spec)
    if isinstance(spec, StatedFact):
        return Expression(proven=_stated(name, spec), disproven=NEVER)
    raise Defect("defect", "a counter is no fact")


def _registered(name: str, spec: RegisterFact) -> Expression:
    fact = attribute("context.facts", name)
    vouched = (
        f"{present('context.facts', name)} && {fact}.source == {quoted(spec.source)}"
        f" && {fact} has asserter_role && {fact}.asserter_role == {quoted(spec.owner_role)}"
    )
    return Expression(
        proven=f'({vouched} && {fact}.state == State::"proven")',
        disproven=f'({vouched} && {fact}.state == State::"disproven")',
    )


def _stated(name: str, spec: StatedFact) -> str:
    stated = attribute("context.statements", name)
    has, second = present("context.statements", name), f"{stated} has second"
    one, other = _counts(f"{stated}.first", spec), _counts(f"{stated}.second", spec)
    if spec.persons == 1:
        return f"({has} && ({one} || ({second} && {other})))"
    different = f"{stated}.first.person != {stated}.second.person"
    return f"({has} && {second} && {one} && {other} && {different})"


def _counts(statement: str, spec: StatedFact) -> str:
    """Whether a statement counts: of the sender, by a right function, for a right reason, not future, not old."""
    return (
        f"({statement}.organisation == context.sender.oin"
        f" && ({one_of(f'{statement}.function', map(quoted, spec.functions))})"
        f" && ({one_of(f'{statement}.reason', map(quoted, spec.reasons))})"
        f" && {statement}.at <= context.at"
        f" && context.at - {spec.valid_days * DAY_IN_MICROSECONDS} <= {statement}.at)"
    )


def _partnership(condition: InPartnership, catalog: Catalog) -> Expression:
    found = [
        _both_members(name, catalog.partnerships[name])
        for name in sorted(condition.partnership)
        if name in catalog.partnerships
    ]
    return _compared(_claimed("partnership"), f"({' || '.join(found) or NEVER})")


def _both_members(name: str, partnership: Partnership) -> str:
    steps = [
        f"context.claims.partnership == {quoted(name)}",
        f"{day_number(partnership.valid_from)} <= context.today",
    ]
    if partnership.valid_until is not None:
        steps.append(f"context.today <= {day_number(partnership.valid_until)}")
    roles = [entity("Role", role) for role in partnership.roles]
    for role, oin in (
        ("principal", "context.sender.oin"),
        ("context.recipient.role", "context.recipient.oin"),
    ):
        steps.append(f"({one_of(role, roles)})")
        if partnership.oins is not None:
            steps.append(f"({one_of(oin, map(quoted, partnership.oins))})")
    return f"({' && '.join(steps)})"
