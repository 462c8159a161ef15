# SPDX-License-Identifier: EUPL-1.2
"""What the reports are made of: the register of processing (AVG art. 30), the cases of a DPIA, a breach.

Everything here follows from the rules in force and from the index of exchanges; nothing holds a value or a person.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.policy.cases import run_cases
from broker.storage.projected import DENIED, ExchangeRow
from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle, default_directory
from sluis.policy.cases import load_cases
from sluis.policy.rules import Agreement, Rule, RuleEffect

_REFUSAL = re.compile(r"X(0[1-9]|1[0-9])\b")
REFUSALS = tuple(f"X{number:02}" for number in range(1, 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """A rule that lets data pass, with the agreement that it stands in."""

    agreement: Agreement
    rule: Rule
    categories: tuple[str, ...]


def register(bundle: Bundle) -> list[Processing]:
    """Every rule that lets fields pass, in the order of the agreements."""
    return [
        Processing(
            agreement=agreement,
            rule=rule,
            categories=tuple(sorted({bundle.fields[name].category.value for name in rule.fields})),
        )
        for agreement in sorted(bundle.agreements.values(), key=lambda item: item.id)
        for rule in agreement.rules
        if rule.effect is RuleEffect.PERMIT and rule.fields
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResults:
    """How the examples came out under the rules in force; `error` when they do not fit these rules."""

    run: int = 0
    passed: int = 0
    failed: tuple[str, ...] = ()
    refusals: Mapping[str, bool] | None = (
        None  # X01..X19: refused as it should be; absent: not among the cases
    )
    examples: Mapping[str, str] | None = None  # the first case of each, in words
    error: str = ""


def case_results(bundle: Bundle) -> CaseResults:
    """Run the installed examples under a bundle."""
    known = bundle.memo.get(case_results)
    if isinstance(known, CaseResults):
        return known
    found = _run(bundle)
    bundle.memo[case_results] = found
    return found


def _run(bundle: Bundle) -> CaseResults:
    try:
        outcomes = run_cases(load_cases(default_directory(), bundle), bundle)
    except InvalidInput as error:
        return CaseResults(error=error.message)
    refusals: dict[str, bool] = {}
    examples: dict[str, str] = {}
    for outcome in outcomes:
        if (named := _REFUSAL.match(outcome.case.name)) and outcome.case.verdict == "geweigerd":
            refusals[named[0]] = refusals.get(named[0], True) and not outcome.differences
            examples.setdefault(named[0], outcome.case.name[named.end() :].strip())
    failed = tuple(f"{item.case.where} {item.case.name}" for item in outcomes if item.differences)
    return CaseResults(
        run=len(outcomes),
        passed=len(outcomes) - len(failed),
        failed=failed,
        refusals=dict(sorted(refusals.items())),
        examples=examples,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What one flow carried in a period."""

    sender: str
    recipient: str
    kind: str
    categories: tuple[str, ...]
    exchanges: int
    entries: int
    first_index: int
    last_index: int


def affected(rows: Iterable[ExchangeRow]) -> list[Affected]:
    """What passed, by flow and kind: exchanges once each, refusals left out, the largest first."""
    exchanges: dict[tuple[str, str, str], set[str]] = {}
    entries: Counter[tuple[str, str, str]] = Counter()
    categories: dict[tuple[str, str, str], set[str]] = {}
    indexes: dict[tuple[str, str, str], list[int]] = {}
    for row in rows:
        shape = row.shape
        if shape.result == DENIED or not row.exchange:
            continue
        key = (shape.sender, shape.recipient, shape.kind)
        exchanges.setdefault(key, set()).add(row.exchange)
        entries[key] += 1
        categories.setdefault(key, set()).update(shape.categories)
        span = indexes.setdefault(key, [row.log_index, row.log_index])
        span[:] = [min(span[0], row.log_index), max(span[1], row.log_index)]
    found = [
        Affected(
            sender=key[0],
            recipient=key[1],
            kind=key[2],
            categories=tuple(sorted(categories[key])),
            exchanges=len(exchanges[key]),
            entries=entries[key],
            first_index=indexes[key][0],
            last_index=indexes[key][1],
        )
        for key in entries
    ]
    return sorted(found, key=lambda item: (-item.exchanges, item.sender, item.recipient, item.kind))
