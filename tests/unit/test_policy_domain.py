# SPDX-License-Identifier: EUPL-1.2
"""The domain of rules: its states hold every case that matters, few enough to run, and never a silent choice."""

from datetime import date, timedelta
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.decide.engine import decide, unmet_conditions
from broker.decide.model import Decision, Request
from broker.decide.slots import compiled
from broker.policy.change.diff import diff
from broker.policy.change.domain import Domain, Place, Span
from broker.policy.change.outcomes import compare
from broker.policy.change.verdict import Verdict, compare_duties
from sluis.policy.bundle import Bundle
from sluis.policy.catalog import Role
from sluis.policy.facts import StatedFact
from sluis.policy.rules import Rule
from tests.unit.decide_samples import BODY, NLA, SNA
from tests.unit.policy_change_samples import (
    CATALOG,
    CONDITIONS,
    DUTIES,
    FACTS,
    FIELDS,
    GATE,
    STATED,
    agreement,
    bundle,
    condition,
    permit,
    permits,
    prohibition,
    prohibitions,
    requests,
)


def only_place(domain: Domain) -> Place:
    (place,) = [item for item in domain.places() if item.span.last is None]
    return place


def passes(decision: Decision) -> tuple[object, ...]:
    return decision.effect, set(decision.released), dict(decision.obligations)


def differs_somewhere(before: Bundle, after: Bundle) -> bool:
    """Whether some state, asked for one field, is decided otherwise: by the engine, without comparing rules."""
    domain = Domain(before, after)
    for place in domain.places():
        for state in domain.states(place).states:
            for name in FIELDS:
                one, other = (
                    decide(domain.request(place, state, number, [name]), item)
                    for number, item in enumerate((before, after))
                )
                if passes(one) != passes(other):
                    return True
    return False


rules = st.tuples(
    st.lists(st.integers(0, 1), min_size=1, max_size=2, unique=True).flatmap(
        lambda numbers: st.tuples(*(permits(f"permit-{number}") for number in numbers))
    ),
    st.lists(prohibitions("against"), max_size=1).map(tuple),
).map(lambda parts: (*parts[0], *parts[1]))


@settings(max_examples=40, deadline=None)
@given(rules, rules, st.lists(requests, min_size=12, max_size=12))
def test_rules_that_compare_the_same_decide_every_request_alike(
    before: tuple[Rule, ...], after: tuple[Rule, ...], some: list[Request]
) -> None:
    one, other = bundle(*before), bundle(*after)
    verdict = compare(Domain(one, other)).verdict
    differing = [
        request for request in some if passes(decide(request, one)) != passes(decide(request, other))
    ]
    assert not differing or verdict is not Verdict.SAME


@st.composite
def edited(draw: st.DrawFn) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Rules, and the same with one thing of one rule otherwise."""
    before = draw(rules)
    at = draw(st.integers(0, len(before) - 1))
    other = draw(permits("x") if before[at].obligations else prohibitions("x"))
    name = draw(st.sampled_from(["fields", "conditions", "recipient_roles", "valid_from", "obligations"]))
    changed = before[at].model_copy(update={name: getattr(other, name)})
    return before, (*before[:at], changed, *before[at + 1 :])


@settings(max_examples=40, deadline=None)
@given(edited(), st.lists(requests, min_size=8, max_size=8))
def test_a_small_edit_is_the_same_exactly_when_no_request_comes_out_otherwise(
    pair: tuple[tuple[Rule, ...], tuple[Rule, ...]], some: list[Request]
) -> None:
    one, other = bundle(*pair[0]), bundle(*pair[1])
    found = compare(Domain(one, other))
    assert not found.inexact
    assert (found.verdict is not Verdict.SAME) == differs_somewhere(one, other)
    for request in some:
        if passes(decide(request, one)) != passes(decide(request, other)):
            assert found.verdict is not Verdict.SAME


@settings(max_examples=40, deadline=None)
@given(rules, rules)
def test_a_change_undone_has_the_opposite_verdict(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> None:
    one, other = bundle(*before), bundle(*after)
    there, back = compare(Domain(one, other)), compare(Domain(other, one))
    assert there.verdict is back.verdict.opposite
    assert [change.sort for change in there.changes] == [change.sort for change in back.changes]


@settings(max_examples=40, deadline=None)
@given(permits("one", DUTIES[:1]), permits("more", DUTIES[:1]), prohibitions("against"))
def test_a_permit_more_never_narrows_and_a_prohibition_more_never_widens(
    one: Rule, more: Rule, against: Rule
) -> None:
    few, many = bundle(one, against), bundle(one, more, against)
    assert compare(Domain(few, many)).verdict in (Verdict.SAME, Verdict.WIDER)
    assert compare(Domain(bundle(one, more), many)).verdict in (Verdict.SAME, Verdict.NARROWER)


def test_a_permit_with_stricter_duties_for_the_same_case_does_narrow() -> None:
    """The strictest duty binds, so what could be kept for five years now may be kept for one."""
    found = compare(Domain(bundle(permit()), bundle(permit(), permit("strict", obligations=DUTIES[1]))))
    assert found.verdict is Verdict.NARROWER


@pytest.mark.parametrize("item", CONDITIONS)
def test_every_sort_of_condition_makes_a_difference_that_is_found(item: object) -> None:
    inside = permit(sender_roles=frozenset({SNA.role}), recipient_roles=frozenset({SNA.role}))
    free, bound = bundle(inside), bundle(inside.model_copy(update={"conditions": (item,)}))
    assert compare(Domain(free, bound)).verdict is Verdict.NARROWER
    against = compare(Domain(free, bundle(inside, prohibition(conditions=(item,)))))
    assert against.verdict is Verdict.NARROWER
    # Nobody states the contrary of a fact, so such a prohibition is never lifted.
    never_disproven = item in CONDITIONS[8:10]
    assert any(change.difference.ends for change in against.changes) == never_disproven


def test_the_answers_on_a_date_are_all_that_any_day_gives() -> None:
    asked = (
        condition(claim="decided_on", not_older_than_years="2"),
        condition(claim="decided_on", not_older_than_years="1"),
        condition(claim="decided_on", working_days_passed="10"),
        condition(claim="decided_on", working_days_passed="60"),
        condition(claim="decided_on", not_passed="true"),
    )
    # As prohibitions too, so that unknown and disproven are told apart.
    here = bundle(
        permit(conditions=asked), *(prohibition(f"no-{n}", conditions=(c,)) for n, c in enumerate(asked))
    )
    domain = Domain(here)
    for place in list(domain.places())[-2:]:
        today = place.span.first
        found = set()
        rule = compiled(here.rules["one"], here)
        for state in domain.states(place).states:
            request = domain.request(place, state, 0)
            found.add(tuple(check(request, today) for _, check in rule.checks))
        every = set()
        for days in (None, *range(-3, 110), *range(360, 370), *range(725, 735), 1200):
            claims = {} if days is None else {"decided_on": str(today - timedelta(days=days))}
            claimed = Request(**{**_parts(domain.request(place, state, 0)), "claims": claims})
            every.add(tuple(check(claimed, today) for _, check in rule.checks))
        assert found == every


def _parts(request: Request) -> dict[str, object]:
    return {name: getattr(request, name) for name in request.__slots__}


def test_statements_count_by_function_reason_age_and_persons() -> None:
    """Two catalogues ask for other functions, terms and numbers of persons: each difference is found."""
    same = permit(conditions=(condition(fact="gate"),))
    for changes, verdict in (
        ({"valid_days": "60"}, Verdict.WIDER),
        ({"valid_days": "10"}, Verdict.NARROWER),
        ({"persons": "2"}, Verdict.NARROWER),
        ({"functions": ["privacy-officer", "director"]}, Verdict.WIDER),
        ({"reasons": {"OTHER_REASON": {"dutch": "a", "english": "b"}}}, Verdict.BOTH),
        ({"dutch": "andere woorden"}, Verdict.SAME),
    ):
        gate = StatedFact.model_validate({"source": "officer", "persons": "1", **STATED, **changes})
        assertions = {**CATALOG.assertions, "gate": gate}
        after = bundle(same, facts={**FACTS, "gate": gate}, assertions=assertions)
        assert compare(Domain(bundle(same), after)).verdict is verdict, changes
    assert GATE.valid_days == 30


def test_organisations_of_a_role_bear_on_the_verdict() -> None:
    def restricted(*oins: str) -> Bundle:
        role = CATALOG.roles[NLA.role].model_copy(update={"oins": frozenset(oins) or None})
        roles: dict[str, Role] = {**CATALOG.roles, NLA.role: role}
        return bundle(permit(), roles=roles)

    one, two = restricted(NLA.oin), restricted(NLA.oin, "00000001000000000009")
    assert compare(Domain(one, two)).verdict is Verdict.WIDER
    assert compare(Domain(two, one)).verdict is Verdict.NARROWER
    assert compare(Domain(restricted(), one)).verdict is Verdict.NARROWER
    assert compare(Domain(one, restricted(NLA.oin))).verdict is Verdict.SAME


def test_two_organisations_are_one_only_in_one_role() -> None:
    same_party = (condition(same_party="true"),)
    free, own = bundle(permit()), bundle(permit(conditions=same_party))
    assert compare(Domain(own, bundle())).verdict is Verdict.SAME  # inspectorate and foundation are never one
    both = frozenset({SNA.role})
    inside = bundle(permit(sender_roles=both, recipient_roles=both, conditions=same_party))
    assert compare(Domain(inside, bundle())).verdict is Verdict.NARROWER
    assert compare(Domain(free, own)).verdict is Verdict.NARROWER


def test_a_partnership_counts_only_for_its_members_and_its_term() -> None:
    """The same rule stands for both recipients on all days, yet only members pass, while the team stands."""
    both = frozenset({SNA.role, BODY.role})
    asked = bundle(permit(conditions=(CONDITIONS[12],), recipient_roles=both))
    (change,) = compare(Domain(bundle(), asked)).changes
    assert change.sort.recipient == SNA.role
    assert change.span == Span(date(2026, 1, 1), date(2026, 9, 30))


def test_states_that_no_rule_tells_apart_are_one() -> None:
    domain = Domain(bundle(permit(conditions=(condition(claim="colour", one_of=["red", "green"]),))))
    assert len(domain.states(only_place(domain)).states) == 2
    free = Domain(bundle(permit()))
    assert len(free.states(only_place(free)).states) == 1


def test_prohibitions_of_fields_that_nobody_may_send_add_no_states() -> None:
    asks = (condition(fact="certificate_valid"),)
    domain = Domain(bundle(permit(), prohibition(fields=frozenset({"bsn"}), conditions=asks)))
    assert len(domain.states(only_place(domain)).states) == 1


def test_too_many_states_are_never_a_silent_choice() -> None:
    asked = (CONDITIONS[0], CONDITIONS[3], *CONDITIONS[6:10])
    before, after = bundle(permit(conditions=asked)), bundle(permit(conditions=asked[1:]))
    found = diff(before, after, most_states=8)
    assert found.verdict is Verdict.WIDER  # every two answers were varied around the permit
    assert not found.exact
    assert {sort.kind for sort in found.inexact} == {"FINE_IMPOSED"}
    assert "Niet elke toestand is doorgerekend" in found.summary.dutch
    back = diff(after, before, most_states=8)
    assert [item.function for item in back.required_approvals] == ["legal", "privacy"]
    assert diff(before, after).exact


def test_a_pattern_that_changes_is_never_called_exact() -> None:
    claims = dict(CATALOG.claims)
    claims["provision"] = claims["provision"].model_copy(update={"pattern": "WML [0-9]{1,3}"})
    asked = permit(conditions=(CONDITIONS[0],))
    after = bundle(asked, claims=claims, assertions={**CATALOG.assertions, **claims})
    assert not diff(bundle(asked), after).exact


@pytest.mark.parametrize(
    ("first", "last", "verdict"),
    [
        (date(1, 1, 1), None, Verdict.NARROWER),
        (date(1, 1, 1), date(1, 1, 5), Verdict.SAME),
        (date(8999, 12, 31), date(9999, 12, 31), Verdict.NARROWER),
        (date(9999, 12, 31), None, Verdict.SAME),
    ],
)
def test_rules_of_any_day_can_be_compared(first: date, last: date | None, verdict: Verdict) -> None:
    days: dict[str, Any] = {"valid_from": first, "valid_until": last}
    asked = (CONDITIONS[3], *CONDITIONS[6:10])
    gate = StatedFact.model_validate({"source": "officer", "persons": "1", **STATED, "valid_days": "9999999"})
    before = bundle(permit(conditions=asked[1:], **days), facts={**FACTS, "gate": gate})
    after = bundle(permit(conditions=asked, **days), facts={**FACTS, "gate": gate})
    assert compare(Domain(before, after)).verdict is verdict


def generated(changed: str = "") -> Bundle:
    """25 agreements of four permits each under general prohibitions; one permit with a field more."""
    pool = [*CONDITIONS[:10], *CONDITIONS[11:]]
    agreements = {}
    for number in range(25):
        names = [f"rule-{number}-{which}" for which in range(4)]
        rules = [
            permit(
                name,
                conditions=tuple(pool[(3 * number + which + step) % len(pool)] for step in range(3)),
                fields=frozenset(FIELDS[: 2 + (name == changed)]),
                obligations=DUTIES[which % 3],
                recipient_roles=frozenset([NLA.role, SNA.role][: 1 + which % 2]),
            )
            for which, name in enumerate(names)
        ]
        agreements[f"agreement-{number}"] = agreement(rules).model_copy(update={"id": f"agreement-{number}"})
    against = [
        prohibition(f"no-{name}", fields=frozenset({name}), conditions=(CONDITIONS[7],))
        for name in FIELDS[:1]
    ]
    general = agreement(against).model_copy(update={"id": "general", "applies_to": "every-agreement"})
    return bundle().with_agreements({**agreements, "general": general})


def test_one_field_in_a_hundred_rules_is_the_one_thing_found() -> None:
    found = diff(generated(), generated("rule-7-2"))
    assert found.exact
    assert [(line.agreement, line.rule, line.mark) for line in found.lines] == [
        ("agreement-7", "rule-7-2", Verdict.WIDER)
    ]
    assert {change.sort.agreement for change in found.flows} == {"agreement-7"}
    assert {name for change in found.flows for name in change.difference.gained} == {FIELDS[2]}


def test_days_between_turns_are_one_span_and_partnerships_turn_too() -> None:
    spans = Domain(bundle(permit(valid_until=date(2027, 1, 31)))).spans
    firsts = [span.first for span in spans]
    assert date(2020, 1, 1) in firsts
    assert date(2026, 10, 1) in firsts  # the day after the last day of the partnership
    assert firsts[-1] == date(2027, 2, 1)
    assert spans[-1].last is None
    for one, other in pairwise(spans):
        assert one.last == other.first - timedelta(days=1)


def test_a_permit_is_met_in_some_state_unless_its_conditions_exclude_each_other() -> None:
    for one, other in product(CONDITIONS, CONDITIONS):
        here = bundle(permit(conditions=(one, other), sender_roles=frozenset({SNA.role})))
        domain = Domain(here)
        met = any(
            not unmet_conditions(
                compiled(here.rules["one"], here), domain.request(place, state, 0), place.span.first
            )
            for place in domain.places()
            for state in domain.states(place).states
        )
        assert met


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ({"notice": "must-inform", "notice_within": "P1M"}, {"notice": "may-inform"}, Verdict.WIDER),
        ({"notice": "may-inform"}, {"notice": "must-not-inform"}, Verdict.WIDER),
        (
            {"notice": "must-not-inform", "delay_grounds": "41(1)(d)"},
            {"notice": "may-inform"},
            Verdict.NARROWER,
        ),
        (
            {"notice": "must-inform", "notice_within": "P1M"},
            {"notice": "must-inform", "notice_within": "P2M"},
            Verdict.WIDER,
        ),
        (
            {"notice": "must-inform", "notice_within": "P1M", "delay_grounds": "41(1)(d)"},
            {"notice": "must-inform", "notice_within": "P1M", "delay_grounds": "41(1)(e)"},
            Verdict.BOTH,
        ),
        ({"retention": "P1M"}, {"retention": "P30D"}, Verdict.BOTH),
    ],
)
def test_duties_are_weighed(before: dict[str, str], after: dict[str, str], verdict: Verdict) -> None:
    rest = {"retention": "P1Y", "handling": "H1", "notice": "may-inform"}
    (found,) = compare_duties({**rest, **before}, {**rest, **after})
    assert found.verdict is verdict
    (back,) = compare_duties({**rest, **after}, {**rest, **before})
    assert back.verdict is verdict.opposite
