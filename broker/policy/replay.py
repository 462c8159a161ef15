# SPDX-License-Identifier: EUPL-1.2
"""Deciding past exchanges again: under the rules of then (does the record hold?) or under others (what if?).

Each entry of a decided exchange commits to what was decided on; that is kept beside the log until its salt is
destroyed. A replay checks the commitment, decides again, and compares: effect, released fields, duties. An
emergency stop that was recorded stays in force in the replay: it is no rule.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from broker.decide.engine import decide
from broker.decide.inputs import commit_inputs, read_inputs
from broker.decide.model import Decision, Request
from broker.messages import BESIDE_THE_RULES
from broker.storage.log_port import Decided
from sluis.errors import InvalidInput, NotAuthentic
from sluis.policy.bundle import Bundle

MOST_EXAMPLES = 5

BundleOf: TypeAlias = Callable[[str], Bundle]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a decision comes down to."""

    effect: str
    rules: tuple[str, ...]
    reason: str
    released: tuple[str, ...]
    obligations: tuple[tuple[str, str], ...]

    @property
    def essence(self) -> tuple[object, ...]:
        """What the parties notice: effect, fields and duties, not by which rule."""
        return (self.effect, self.released, self.obligations)


@dataclass(frozen=True, slots=True)
class Change:
    """Exchanges that come out otherwise, alike in how: before and after, and the deciding rule of each."""

    before: str
    after: str
    rule_before: str
    rule_after: str
    what: str


@dataclass(slots=True)
class Replay:
    """The result: counts, and the changes by rule with some log indexes of each."""

    replayed: int = 0
    same: int = 0
    not_kept: int = 0  # words that the rules did not know
    destroyed: int = 0  # its term has ended (broker/retention)
    changes: Counter[Change] = field(default_factory=Counter)
    examples: dict[Change, list[int]] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """How many exchanges come out otherwise."""
        return self.changes.total()


def replay(
    rows: Iterator[Decided], bundle_of: BundleOf, tick: Callable[[int], None] = lambda n: None
) -> Replay:
    """Decide each row again under `bundle_of(digest that decided it)`.

    Raises NotAuthentic `log-inconsistent` for inputs that are not those that the entry commits to.
    """
    result = Replay()
    for row in rows:
        entry = json.loads(row.entry)
        tick(1)
        if "decision" not in entry:
            continue
        if not row.inputs:
            result.not_kept += 1
            continue
        request = _request(row, entry)
        before = recorded(entry)
        after = outcome(_decide(request, entry, bundle_of(entry["policy"])))
        result.replayed += 1
        if before.essence == after.essence:
            result.same += 1
        else:
            _note(result, row.log_index, before, after)
    return result


def destroyed_between(bare: Iterator[tuple[int, bytes]], start: datetime | None, end: datetime | None) -> int:
    """How many of the entries without a salt decided something: what they were decided on was destroyed."""
    destroyed = 0
    for _, data in bare:
        entry = json.loads(data)
        if "decision" not in entry:
            continue
        at = datetime.fromisoformat(entry["time"])
        if end is not None and at >= end:
            break
        destroyed += start is None or at >= start
    return destroyed


def in_period(rows: Iterator[Decided], start: datetime | None, end: datetime | None) -> Iterator[Decided]:
    """The rows with start <= time < end; entries are in the order of their times."""
    for row in rows:
        at = datetime.fromisoformat(json.loads(row.entry)["time"])
        if end is not None and at >= end:
            return
        if start is None or at >= start:
            yield row


def _request(row: Decided, entry: Mapping[str, Any]) -> Request:
    if entry.get("inputs") != commit_inputs(row.salt, row.inputs):
        raise NotAuthentic(
            "log-inconsistent",
            "what was decided on is not what the entry commits to",
            where=str(row.log_index),
        )
    try:
        return read_inputs(row.inputs)
    except InvalidInput:
        raise NotAuthentic(
            "log-inconsistent", "what was decided on cannot be read", where=str(row.log_index)
        ) from None


def _decide(request: Request, entry: Mapping[str, Any], bundle: Bundle) -> Decision:
    decision = decide(request, bundle)
    for reason in entry["reasons"][:1]:
        if reason["code"] in BESIDE_THE_RULES:
            return decision.denied(reason["code"], reason["params"])
    return decision


def outcome(decision: Decision) -> Outcome:
    """The outcome of a decision."""
    return Outcome(
        effect=decision.effect.value,
        rules=tuple(rule.id for rule in decision.rules),
        reason=decision.reasons[0].code if decision.reasons else "",
        released=decision.released,
        obligations=tuple(sorted(decision.obligations.items())),
    )


def recorded(entry: Mapping[str, Any]) -> Outcome:
    """The outcome that stands in an entry."""
    return Outcome(
        effect=entry["decision"],
        rules=tuple(rule["id"] for rule in entry["rules"]),
        reason=entry["reasons"][0]["code"] if entry["reasons"] else "",
        released=tuple(entry["released"]),
        obligations=tuple(sorted(entry["obligations"].items())),
    )


def _note(result: Replay, log_index: int, before: Outcome, after: Outcome) -> None:
    change = Change(
        before=_word(before),
        after=_word(after),
        rule_before=before.rules[0] if before.rules else "",
        rule_after=after.rules[0] if after.rules else "",
        what=_difference(before, after),
    )
    result.changes[change] += 1
    examples = result.examples.setdefault(change, [])
    if len(examples) < MOST_EXAMPLES:
        examples.append(log_index)


def _word(found: Outcome) -> str:
    return found.effect if found.effect == "permit" else f"deny {found.reason}"


def _difference(before: Outcome, after: Outcome) -> str:
    """The fields and duties that differ, in a fixed order."""
    parts = [f"-{name}" for name in before.released if name not in after.released]
    parts += [f"+{name}" for name in after.released if name not in before.released]
    old, new = dict(before.obligations), dict(after.obligations)
    if before.effect == after.effect == "permit":
        parts += [
            f"{name} {old.get(name, '-')} -> {new.get(name, '-')}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    return ", ".join(parts)
