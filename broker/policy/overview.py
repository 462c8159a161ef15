# SPDX-License-Identifier: EUPL-1.2
"""All rules of a bundle in a list, with facets: party, kind of signal, status, and whether a rule holds on a day.

A prohibition that names nobody is about everybody, so it is found under every party, and likewise for kinds.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from sluis.policy.bundle import Bundle
from sluis.policy.rules import Agreement, Rule

FACETS = ("party", "kind", "status", "time")
NOW, LATER, PAST = "now", "later", "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """A rule in its agreement, with every value that it has under each facet."""

    agreement: Agreement
    rule: Rule
    values: Mapping[str, Collection[str]]

    def meets(self, chosen: Mapping[str, str], *, besides: str = "") -> bool:
        """Whether it is within the choice, leaving one facet out."""
        return all(
            value in self.values[facet] for facet, value in chosen.items() if value and facet != besides
        )


def rule_lines(bundle: Bundle, today: date) -> list[RuleLine]:
    """Every rule, by agreement and in its order."""
    return [
        RuleLine(agreement=agreement, rule=rule, values=_values(rule, bundle, today))
        for agreement in sorted(bundle.agreements.values(), key=lambda item: (not item.is_general, item.id))
        for rule in agreement.rules
    ]


def chosen_lines(lines: Collection[RuleLine], chosen: Mapping[str, str]) -> list[RuleLine]:
    """The rules within the choice."""
    return [line for line in lines if line.meets(chosen)]


def facet_counts(lines: Collection[RuleLine], chosen: Mapping[str, str]) -> dict[str, Counter[str]]:
    """By facet and value, how many rules there are under the choice in the other facets."""
    return {
        facet: Counter(
            value for line in lines if line.meets(chosen, besides=facet) for value in line.values[facet]
        )
        for facet in FACETS
    }


def _values(rule: Rule, bundle: Bundle, today: date) -> dict[str, Collection[str]]:
    senders = set(_side(rule.sender_roles, rule.sender_sectors, bundle))
    recipients = set(_side(rule.recipient_roles, rule.recipient_sectors, bundle))
    return {
        "party": senders | recipients,
        "kind": rule.kinds or bundle.catalog.kinds.keys(),
        "status": (rule.status.value,),
        "time": (NOW if rule.holds_on(today) else LATER if rule.valid_from > today else PAST,),
    }


def _side(roles: Collection[str], sectors: Collection[str], bundle: Bundle) -> Iterator[str]:
    for name, role in bundle.catalog.roles.items():
        if name in roles or role.sector in sectors or not (roles or sectors):
            yield name
