# SPDX-License-Identifier: EUPL-1.2
"""The rules that could decide a request, gathered once for all requests of one sort.

A slot is (agreement, operation, sender's role, recipient's role, kind, purpose) between two days on which any
rule begins or ends: within it the same rules stand, and only their conditions and the fields differ. Slots are
kept in the bundle's memo, all of known words and at most `MAX_SLOTS`: who tries every sort of request there is
makes the broker gather rules again, and takes no more memory.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from broker.decide.conditions import Check, compile_condition, unmet
from broker.decide.model import Decision, FactState, Reason, Request, RuleRef, Withheld
from broker.decide.obligations import strictest
from sluis.policy.bundle import Bundle
from sluis.policy.conditions import Condition, CountedAtMost
from sluis.policy.rules import Obligations, Rule, RuleEffect, Status

MAX_SLOTS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A rule, ready to be asked. `fields` of a prohibition are all fields that it withholds;
    `lacks` are the reasons that each condition gives when it is not proven; `duties` are those of a permit alone.
    """

    rule: Rule
    ref: RuleRef
    fields: frozenset[str]
    withholds: Mapping[str, Withheld]
    checks: tuple[tuple[Condition, Check], ...]
    lacks: tuple[Mapping[FactState, Reason], ...]
    code: str
    assumed: bool
    obligations: Obligations | None
    duties: Mapping[str, str]
    counters: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """What may decide a sort of request. `dormant`: no permit stands, but one is a draft or of another day."""

    permits: tuple[Compiled, ...]
    whole: tuple[Compiled, ...]
    partial: tuple[Compiled, ...]
    dormant: bool


def slot_of(request: Request, bundle: Bundle, today: date) -> Slot:
    """The slot of a request whose words are all known."""
    key = (
        request.agreement,
        request.operation,
        request.sender.role,
        request.recipient.role,
        request.kind,
        request.purpose,
        bisect_right(bundle.turns, today),
    )
    slots: dict[object, Slot] = bundle.memo.setdefault("slots", {})
    slot = slots.get(key)
    if slot is None:
        if len(slots) >= MAX_SLOTS:
            slots.clear()
        slot = slots[key] = _fill(request, bundle, today)
    return slot


def compiled(rule: Rule, bundle: Bundle) -> Compiled:
    """A rule with its conditions compiled."""
    key = ("compiled", id(rule))
    found: Compiled | None = bundle.memo.get(key)
    if found is None:
        found = bundle.memo[key] = _compile(rule, bundle)
    return found


def counters_asked(request: Request, bundle: Bundle) -> frozenset[str]:
    """The counters that deciding a request needs; none when it holds unknown words."""
    rules = bundle.permits.get(
        (
            request.agreement,
            request.operation.value,
            request.sender.role,
            request.recipient.role,
            request.kind,
        ),
        (),
    )
    return frozenset(name for rule in rules for name in compiled(rule, bundle).counters)


def counters_used(decision: Decision, bundle: Bundle) -> frozenset[str]:
    """The counters of the permits that contributed to a decision."""
    return frozenset(
        name
        for ref in decision.rules
        for name in compiled(bundle.rules[ref.id], bundle).counters
        if bundle.rules[ref.id].effect is RuleEffect.PERMIT
    )


def _compile(rule: Rule, bundle: Bundle) -> Compiled:
    catalog = bundle.catalog
    named = {name for name, spec in catalog.fields.items() if spec.category in rule.categories}
    fields = rule.fields | named
    prohibits = rule.effect is RuleEffect.PROHIBIT
    return Compiled(
        rule=rule,
        ref=RuleRef(
            id=rule.id, status=rule.status.value, basis=tuple(basis.citation for basis in rule.legal_basis)
        ),
        fields=fields,
        withholds={name: Withheld(name, rule.code or "", rule.id) for name in fields if prohibits},
        checks=tuple((item, compile_condition(item, catalog)) for item in rule.conditions),
        lacks=tuple(
            {state: unmet(item, state) for state in (FactState.UNKNOWN, FactState.DISPROVEN)}
            for item in rule.conditions
        ),
        code=rule.code or "",
        assumed=rule.status is Status.ASSUMED,
        obligations=rule.obligations,
        duties=strictest([rule.obligations]) if rule.obligations else {},
        counters=tuple(item.counter for item in rule.conditions if isinstance(item, CountedAtMost)),
    )


def _fill(request: Request, bundle: Bundle, today: date) -> Slot:
    operation = request.operation.value
    permits = bundle.permits.get(
        (request.agreement, operation, request.sender.role, request.recipient.role, request.kind), ()
    )
    standing = [rule for rule in permits if request.purpose in rule.purposes and rule.holds_on(today)]
    against = [
        rule
        for rule in bundle.prohibitions.get((request.agreement, operation, request.recipient.role), ())
        if rule.holds_on(today) and _concerns(rule, request, bundle)
    ]
    return Slot(
        permits=tuple(compiled(rule, bundle) for rule in standing),
        whole=tuple(compiled(rule, bundle) for rule in against if not rule.withholds_fields),
        partial=tuple(compiled(rule, bundle) for rule in against if rule.withholds_fields),
        dormant=not standing
        and any(fits(rule, request) for rule in bundle.agreements[request.agreement].rules),
    )


def _concerns(rule: Rule, request: Request, bundle: Bundle) -> bool:
    return (
        (not rule.sender_roles or request.sender.role in rule.sender_roles)
        and (not rule.sender_sectors or bundle.sector_of(request.sender.role) in rule.sender_sectors)
        and (not rule.kinds or request.kind in rule.kinds)
        and (not rule.purposes or request.purpose in rule.purposes)
    )


def fits(rule: Rule, request: Request) -> bool:
    """Whether a permit is of the right sort for a request, apart from its agreement, its days and conditions."""
    return (
        rule.effect is RuleEffect.PERMIT
        and request.operation in rule.operations
        and request.sender.role in rule.sender_roles
        and request.recipient.role in rule.recipient_roles
        and request.kind in rule.kinds
        and request.purpose in rule.purposes
    )
