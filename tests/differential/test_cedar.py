# SPDX-License-Identifier: EUPL-1.2
"""The engine and Cedar decide the same, field by field and by the same rules.

`SLUIS_CEDAR_SCALE=10` asks ten times as much as the suite does.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from broker.decide.engine import decide
from broker.decide.model import Decision, Effect, Request
from sluis.cli.policy_export import app
from sluis.errors import Defect, InvalidInput
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Catalog
from sluis.policy.cedar import ENGINE, WHOLE, cedar_policies, cedar_schema
from sluis.policy.cedar_conditions import Expression, condition_expression
from sluis.policy.conditions import Condition, DeliveryIs, SameParty, SubjectsAtMost
from sluis.policy.rules import Rule, RuleEffect, Status
from tests.differential.cedar_asked import Answer, Cedar
from tests.differential.exchanges import Exchanges
from tests.differential.made_bundles import CONDITIONS, Bundles
from tests.unit.decide_samples import BUNDLE

SCALE = int(os.environ.get("SLUIS_CEDAR_SCALE", "1"))
REFUSED_BY_THE_SCHEMA = {
    "UNKNOWN_PARTY", "UNKNOWN_AGREEMENT", "UNKNOWN_KIND", "UNKNOWN_PURPOSE", "UNKNOWN_FIELD", "UNKNOWN_CLAIM",
    "CLAIM_MALFORMED",
}  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What was compared. `rules` counts what determined an outcome, by effect and sort of condition."""

    decided: Counter[str] = field(default_factory=Counter)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def compare(bundle: Bundle, cedar: Cedar, requests: list[Request], tally: Tally) -> None:
    """Decide all requests twice and note what differs."""
    for request, answers in zip(requests, cedar.ask(requests), strict=True):
        decision = decide(request, bundle)
        tally.differences += [
            f"{what}\n{request}\n{decision}\n{answers}"
            for what in differences(bundle, request, decision, answers)
        ]
        released = (
            {WHOLE} if decision.effect is Effect.PERMIT and not request.fields else {*decision.released}
        )
        for name, answer in answers.items():
            tally.decided["released" if name in released else "withheld"] += 1
            for rule in (bundle.rules[key] for key in answer.determining if not key.startswith(ENGINE)):
                for condition in rule.conditions:
                    tally.rules[rule.effect, type(condition).__name__] += 1


def differences(
    bundle: Bundle, request: Request, decision: Decision, answers: dict[str, Answer]
) -> Iterator[str]:
    """What the engine and Cedar say differently, in words."""
    codes = {reason.code for reason in decision.reasons}
    if "ENGINE_ERROR" in codes:
        yield "the engine failed"
    unknown = any(not answer.valid or _engine_says(answer, "unknown-") for answer in answers.values())
    if unknown != bool(codes & REFUSED_BY_THE_SCHEMA):
        yield "one knows a word that the other does not"
    if unknown or "NO_FIELDS" in codes:
        if decision.effect is Effect.PERMIT:
            yield "an invalid request passes"
        return
    passing = {name for name, answer in answers.items() if answer.allowed}
    yield from _fields(request, decision, passing)
    yield from _rules(bundle, request, decision, answers, passing)


def _fields(request: Request, decision: Decision, passing: set[str]) -> Iterator[str]:
    if not request.fields:
        if (decision.effect is Effect.PERMIT) != bool(passing):
            yield "one lets the whole pass"
        return
    strict = {item.name for item in decision.withheld if item.code == "STRICT"}
    if strict and not (request.strict and decision.effect is Effect.DENY):
        yield "withheld as strict, but not strict"
    if {*decision.released} | strict != passing:
        yield "other fields"
    if request.strict and len(passing) < len(request.fields) and decision.released:
        yield "a strict request lost a field and passed"


def _rules(
    bundle: Bundle, request: Request, decision: Decision, answers: dict[str, Answer], passing: set[str]
) -> Iterator[str]:
    """The determining rules: all permits of what passes, the first prohibition of what does not."""
    order = {rule.id: place for place, rule in enumerate(_in_order(bundle))}
    named = [bundle.rules[ref.id] for ref in decision.rules]
    whole = {key for answer in answers.values() for key in _forbids(bundle, answer, whole=True)}
    if whole:
        if {rule.id for rule in named} != whole:
            yield "other prohibitions of the whole"
        return
    permits = {key for name in passing for key in answers[name].determining}
    ours = {rule.id for rule in named if rule.effect is RuleEffect.PERMIT}
    if decision.effect is Effect.PERMIT and ours != permits:
        yield "other permits contribute"
    against = {}
    matched = decision.effect is Effect.PERMIT or "STRICT" in {reason.code for reason in decision.reasons}
    for name, _ in request.fields:
        found = sorted(_forbids(bundle, answers[name], whole=False), key=order.__getitem__)
        mismatch = _engine_says(answers[name], "category-") and (matched or _says_mismatch(decision, name))
        against[name] = found[0] if found and not mismatch else ""
    for item in decision.withheld:
        rule_id = item.rule_id if item.rule_id in order else ""
        if rule_id and bundle.rules[rule_id].effect is RuleEffect.PERMIT:
            rule_id = ""  # the nearest permit, which lacked something
        if rule_id != against[item.name]:
            yield f"another prohibition withholds {item.name}"


def _says_mismatch(decision: Decision, name: str) -> bool:
    return any(item.name == name and item.code == "CATEGORY_MISMATCH" for item in decision.withheld)


def _engine_says(answer: Answer, what: str) -> bool:
    return any(key.startswith(ENGINE + what) for key in answer.determining)


def _forbids(bundle: Bundle, answer: Answer, *, whole: bool) -> set[str]:
    return {
        key
        for key in answer.determining
        if not key.startswith(ENGINE)
        and bundle.rules[key].effect is RuleEffect.PROHIBIT
        and bundle.rules[key].withholds_fields is not whole
    }


def _in_order(bundle: Bundle) -> Iterator[Rule]:
    for agreement in bundle.agreements.values():
        yield from sorted(agreement.rules, key=lambda rule: rule.id)


def made(count: int) -> Iterator[tuple[int, Bundle]]:
    """Generated bundles with the number of each."""
    source = Bundles(seed=20261125)
    yield from ((number, source.draw()) for number in range(count))


def test_the_installed_rules_decide_the_same_in_cedar() -> None:
    tally = Tally()
    compare(BUNDLE, Cedar(BUNDLE), Exchanges(BUNDLE, seed=1).draw(500 * SCALE), tally)
    assert tally.differences == []
    assert sum(tally.decided.values()) >= 900 * SCALE, tally
    assert min(tally.decided["released"], tally.decided["withheld"]) >= 150 * SCALE, tally


def test_overlapping_rules_with_every_condition_decide_the_same_in_cedar() -> None:
    tally = Tally()
    for number, bundle in made(20 * SCALE):
        compare(bundle, Cedar(bundle), Exchanges(bundle, seed=number).draw(300), tally)
    assert tally.differences == []
    assert sum(tally.decided.values()) >= 9_000 * SCALE, tally
    assert min(tally.decided["released"], tally.decided["withheld"]) >= 1500 * SCALE, tally
    wanted = {(effect.value, sort.__name__) for effect in RuleEffect for sort in CONDITIONS}
    assert {key: tally.rules[key] for key in wanted if tally.rules[key] < 10 * SCALE} == {}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_any_other_bundle_decides_the_same_in_cedar(seed: int) -> None:
    tally = Tally()
    bundle = Bundles(seed).draw()
    compare(bundle, Cedar(bundle), Exchanges(bundle, seed).draw(30), tally)
    assert tally.differences == []


NEVER_UNKNOWN = (SameParty, DeliveryIs, SubjectsAtMost)
WRONG: dict[str, Callable[[Expression], Expression]] = {
    "always proven": lambda right: replace(right, proven="true"),
    "never disproven": lambda right: replace(right, disproven="false"),
    "unknown is disproven": lambda right: replace(right, disproven=f"!{right.proven}"),
}


@pytest.mark.parametrize("wrong", [*WRONG])
@pytest.mark.parametrize("sort", CONDITIONS, ids=lambda sort: sort.__name__)
def test_a_condition_that_cedar_reads_otherwise_is_noticed(
    sort: type, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sort in NEVER_UNKNOWN and wrong == "unknown is disproven":
        wrong = "never disproven"

    def misread(condition: Condition, catalog: Catalog) -> Expression:
        right = condition_expression(condition, catalog)
        return WRONG[wrong](right) if isinstance(condition, sort) else right

    monkeypatch.setattr("sluis.policy.cedar.condition_expression", misread)
    assert noticed(cedar_policies)


@pytest.mark.parametrize(
    "line",
    [
        "context.agreement == ",
        "context.kind == ",
        "context.purpose == ",
        "context.sender.sector == ",
        "context.recipient.sector == ",
        "context.recipient.role == ",
        "principal == ",
        "context.today <= ",
        "20260701 <= context.today",
        "context.category == ",
        "resource == ",
    ],
)
def test_a_part_of_a_rule_that_cedar_lacks_is_noticed(line: str) -> None:
    def without(bundle: Bundle) -> str:
        lines = cedar_policies(bundle).splitlines()
        assert any(text.startswith(f"  {line}") for text in lines)
        return "\n".join(
            "  true" + " &&" * text.endswith(" &&") if text.startswith(f"  {line}") else text
            for text in lines
        )

    assert noticed(without)


def noticed(written: Callable[[Bundle], str]) -> bool:
    """Whether some exchange of the first bundles tells a wrong export from the engine."""
    for number, bundle in made(12):
        cedar, source = Cedar(bundle, written(bundle)), Exchanges(bundle, seed=number)
        for _ in range(4):
            tally = Tally()
            compare(bundle, cedar, source.draw(60), tally)
            if tally.differences:
                return True
    return False


@pytest.mark.parametrize(
    "bundle", [BUNDLE, *(bundle for _, bundle in made(3))], ids=["installed", "1", "2", "3"]
)
def test_the_export_validates_against_its_schema(bundle: Bundle) -> None:
    policies, schema = cedar_policies(bundle), cedar_schema(bundle)
    result = cedarpy.validate_policies(policies, schema)
    assert result.validation_passed, result.errors
    ids = [rule.id for rule in _in_order(bundle) if rule.status is not Status.DRAFT]
    assert [
        line[5:-2] for line in policies.splitlines() if line.startswith("@id(") and ENGINE not in line
    ] == ids


def test_words_that_cedar_reserves_and_strange_text_are_exported() -> None:
    bundle = next(made(1))[1]
    schema, policies = cedar_schema(bundle), cedar_policies(bundle)
    assert '"if"?: Long' in schema
    assert '"has"?: Statements' in schema
    assert 'context.claims["if"]' in policies
    assert r'Claim_severity::"say \"so\"\\\u{a}"' in schema + policies


def test_an_empty_vocabulary_cannot_be_exported() -> None:
    with pytest.raises(InvalidInput, match="malformed-rule"):
        cedar_schema(replace(BUNDLE, catalog=replace(BUNDLE.catalog, purposes={})))


def test_an_unknown_sort_of_condition_is_a_defect() -> None:
    with pytest.raises(Defect):
        condition_expression("what", BUNDLE.catalog)  # type: ignore[arg-type]


def test_the_command_writes_what_validates() -> None:
    run = CliRunner()
    both = json.loads(run.invoke(app, ["export", "cedar", "--json"]).stdout)
    assert both == {
        "digest": BUNDLE.digest,
        "schema": run.invoke(app, ["export", "cedar", "--schema"]).stdout,
        "policies": run.invoke(app, ["export", "cedar"]).stdout,
    }
    assert cedarpy.validate_policies(both["policies"], both["schema"]).validation_passed
    assert f'@id("{min(BUNDLE.rules)}")' in both["policies"]
