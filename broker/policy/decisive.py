# SPDX-License-Identifier: EUPL-1.2
"""Which cases fail when one rule, or one condition of a rule, is taken away: each must matter to some case.

Only the cases that the rule can concern are decided again: of its agreement (or any, for a general prohibition),
with one of its operations and kinds. A rule has no say in another case.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from broker.policy.cases import Outcome, run_case
from sluis.policy.bundle import Bundle
from sluis.policy.cases import Case
from sluis.policy.rules import Agreement, Rule, RuleEffect, Status


@dataclass(frozen=True, slots=True)
class Removal:
    """A rule to take away, or only one of its conditions (counted from 0)."""

    agreement: str
    rule: Rule
    condition: int | None = None

    def __str__(self) -> str:
        if self.condition is None:
            return f"rule {self.rule.id}"
        return f"condition {self.condition + 1} of rule {self.rule.id} ({self.code})"

    @property
    def code(self) -> str:
        """The reason that disappears with it; empty for a whole permit."""
        if self.condition is None:
            return self.rule.code or ""
        return self.rule.conditions[self.condition].otherwise

    def apply(self, bundle: Bundle) -> Bundle:
        """The rules without it."""
        agreement = bundle.agreements[self.agreement]
        left = [self._left(rule) if rule.id == self.rule.id else rule for rule in agreement.rules]
        rules = tuple(rule for rule in left if rule is not None)
        changed = agreement.model_copy(update={"rules": rules})
        return bundle.with_agreements({**bundle.agreements, self.agreement: changed})

    def _left(self, rule: Rule) -> Rule | None:
        if self.condition is None:
            return None
        kept = tuple(item for at, item in enumerate(rule.conditions) if at != self.condition)
        return rule.model_copy(update={"conditions": kept})

    def concerns(self, case: Case, agreement: Agreement) -> bool:
        """Whether the rule can have a say in this case."""
        rule = self.rule
        return (
            (agreement.is_general or case.agreement == agreement.id)
            and case.operation in rule.operations
            and (not rule.kinds or case.kind in rule.kinds)
        )


def conditions_of(bundle: Bundle) -> Iterator[Removal]:
    """Every condition of every rule that decides; a draft never does."""
    for removal in rules_of(bundle):
        yield from _parts(removal)


def rules_of(bundle: Bundle) -> Iterator[Removal]:
    """Every rule that decides."""
    return (item for item in _all(bundle) if item.rule.status is not Status.DRAFT)


def failing(removal: Removal, cases: Iterable[Case], bundle: Bundle) -> list[Case]:
    """The cases that do not come out as written without it; with it, all should."""
    agreement = bundle.agreements[removal.agreement]
    concerned = [case for case in cases if removal.concerns(case, agreement)]
    if not concerned:
        return []
    without = removal.apply(bundle)
    return [case for case in concerned if run_case(case, without).differences]


def deciding(outcome: Outcome, bundle: Bundle) -> list[Removal]:
    """What alone decides a denial: the rule or condition that gave the first reason, if taking it away changes that.

    For a rule that is not in force it is the rule that would apply on another day, or once it is adopted.
    Nothing for an unknown word, for want of any rule, and where something else gives the same reason.
    """
    case, decision = outcome.case, outcome.decision
    if outcome.reason == "RULE_NOT_IN_FORCE":
        parts = [
            item for item in _all(bundle) if item.agreement == case.agreement and _would_fit(case, item.rule)
        ]
    else:
        ids = {rule.id for rule in decision.rules[:1]} | {item.rule_id for item in decision.withheld}
        named = [item for item in _all(bundle) if item.rule.id in ids]
        parts = [part for item in named for part in (item, *_parts(item)) if part.code == outcome.reason]
    return [part for part in parts if failing(part, [case], bundle)]


def _parts(whole: Removal) -> Iterator[Removal]:
    for number in range(len(whole.rule.conditions)):
        yield Removal(whole.agreement, whole.rule, number)


def _all(bundle: Bundle) -> Iterator[Removal]:
    for agreement in bundle.agreements.values():
        for rule in agreement.rules:
            yield Removal(agreement.id, rule)


def _would_fit(case: Case, rule: Rule) -> bool:
    return (
        rule.effect is RuleEffect.PERMIT
        and case.operation in rule.operations
        and case.sender in rule.sender_roles
        and case.recipient in rule.recipient_roles
        and case.kind in rule.kinds
        and case.purpose in rule.purposes
    )
