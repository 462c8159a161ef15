# SPDX-License-Identifier: EUPL-1.2
"""Properties of the decision that hold whatever the rules and the request."""

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.decide.engine import decide
from broker.decide.model import Decision, Effect, FactState, Request
from sluis.policy.bundle import read_bundle
from sluis.policy.rules import Rule
from tests.unit.decide_samples import (
    AUTUMN,
    BODY,
    BUNDLE,
    FILES,
    FINE,
    NLA,
    PERMIT,
    PROHIBITION,
    SNA,
    VALID,
    with_rules,
)

FIELDS = sorted((name, spec.category.value) for name, spec in BUNDLE.fields.items())

requests = st.builds(
    lambda **changes: replace(FINE, **changes),
    operation=st.sampled_from(["push", "release", "question", "register"]),
    sender=st.sampled_from([NLA, SNA, BODY]),
    recipient=st.sampled_from([NLA, SNA, BODY]),
    kind=st.sampled_from([*BUNDLE.catalog.kinds]),
    delivery=st.sampled_from(["mailbox", "on_match", ""]),
    fields=st.lists(st.sampled_from(FIELDS), unique=True, max_size=8).map(tuple),
    claims=st.fixed_dictionaries(
        {},
        optional={
            "provision": st.sampled_from(["WML 7", "WML 13a", "Wav 2(1)"]),
            "decided_on": st.sampled_from(["2026-03-02", "2020-01-01", "2026-06-01"]),
        },
    ),
    facts=st.fixed_dictionaries(
        {},
        optional={"certificate_valid": st.sampled_from([replace(VALID, state=state) for state in FactState])},
    ),
    at=st.sampled_from([AUTUMN, datetime(2026, 6, 30, 12, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)]),
    strict=st.booleans(),
)


conditions = st.lists(st.sampled_from(PERMIT.conditions), max_size=3, unique=True).map(tuple)
permits = st.builds(
    lambda **changes: PERMIT.model_copy(update={"id": "extra-permit", **changes}),
    sender_roles=st.frozensets(st.sampled_from([NLA.role, SNA.role, BODY.role]), min_size=1),
    recipient_roles=st.frozensets(st.sampled_from([NLA.role, SNA.role, BODY.role]), min_size=1),
    fields=st.frozensets(st.sampled_from([name for name, _ in FIELDS]), min_size=1),
    conditions=conditions,
    valid_from=st.just(date(2019, 1, 1)),
)
prohibitions = st.builds(
    lambda **changes: PROHIBITION.model_copy(
        update={"id": "extra-prohibition", "categories": frozenset(), **changes}
    ),
    fields=st.frozensets(st.sampled_from([name for name, _ in FIELDS]), max_size=4),
    conditions=conditions,
)


def passed(decision: Decision) -> set[str]:
    """What gets through; the mark stands for an exchange without fields."""
    return {"*", *decision.released} if decision.effect is Effect.PERMIT else set()


@settings(max_examples=100, deadline=None)
@given(requests)
def test_every_requested_field_is_released_or_withheld_and_never_both(request: Request) -> None:
    decision = decide(request, BUNDLE)
    names = [name for name, _ in request.fields]
    withheld = [item.name for item in decision.withheld]
    assert sorted([*decision.released, *withheld]) == sorted(names)
    assert decision.policy_digest == BUNDLE.digest
    if decision.effect is Effect.DENY:
        assert decision.released == ()
        assert not decision.obligations
        assert decision.reasons
    else:
        assert decision.rules
        assert decision.obligations["retention"]
        assert not (request.strict and withheld)
    assert all(reason.code in BUNDLE.catalog.reasons for reason in decision.reasons)
    assert all(item.code in BUNDLE.catalog.reasons for item in decision.withheld)
    assert "ENGINE_ERROR" not in {reason.code for reason in decision.reasons}


@settings(max_examples=100, deadline=None)
@given(requests)
def test_nothing_passes_without_a_rule(request: Request) -> None:
    decision = decide(request, replace(BUNDLE, permits={}))
    assert decision.effect is Effect.DENY
    assert passed(decision) == set()


@settings(max_examples=100, deadline=None)
@given(requests)
def test_only_fields_that_a_contributing_rule_lists_are_released(request: Request) -> None:
    decision = decide(request, BUNDLE)
    listed = {name for rule in decision.rules for name in BUNDLE.rules[rule.id].fields}
    assert set(decision.released) <= listed & {name for name, _ in request.fields}


@settings(max_examples=100, deadline=None)
@given(requests, prohibitions)
def test_a_prohibition_only_narrows_and_overrides_every_permit(request: Request, rule: Rule) -> None:
    decision = decide(request, with_rules(prohibitions=[rule]))
    assert passed(decision) <= passed(decide(request, BUNDLE))
    if not rule.conditions:
        assert not passed(decision) & rule.fields
        if not rule.fields:
            assert decision.effect is Effect.DENY


@settings(max_examples=100, deadline=None)
@given(requests, permits)
def test_adding_a_permit_never_narrows(request: Request, rule: Rule) -> None:
    assert passed(decide(request, BUNDLE)) <= passed(decide(request, with_rules(permits=[rule])))


@settings(max_examples=150, deadline=None)
@given(requests, permits, prohibitions, st.data())
def test_erasing_what_is_known_never_widens(
    request: Request, permit: Rule, against: Rule, data: st.DataObject
) -> None:
    bundle = with_rules(permits=[permit], prohibitions=[against])
    facts = {name: fact for name, fact in request.facts.items() if data.draw(st.booleans())}
    claims = {name: value for name, value in request.claims.items() if data.draw(st.booleans())}
    assert passed(decide(replace(request, facts=facts, claims=claims), bundle)) <= passed(
        decide(request, bundle)
    )


@settings(max_examples=60, deadline=None)
@given(requests, st.permutations([*FILES]), permits, permits)
def test_the_order_of_files_and_rules_does_not_matter(
    request: Request, order: list[str], one: Rule, other: Rule
) -> None:
    assert decide(request, read_bundle({name: FILES[name] for name in order})) == decide(request, BUNDLE)
    other = other.model_copy(update={"id": "other-permit"})
    first, second = (decide(request, with_rules(permits=rules)) for rules in ([one, other], [other, one]))
    assert passed(first) == passed(second)
    assert first.obligations == second.obligations
