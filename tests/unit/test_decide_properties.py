# SPDX-License-Identifier: EUPL-1.2
"""Properties of the decision that hold whatever the rules and the request.

The first half varies the installed rules; the second draws rules with every sort of condition, and exchanges
that just or nearly match them.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker.decide.engine import decide
from broker.decide.model import Decision, Effect, FactState, Request
from sluis.policy.bundle import Bundle, read_bundle
from sluis.policy.facts import StatedFact
from sluis.policy.rules import Agreement, Rule, Status
from tests.differential.exchanges import Exchanges
from tests.differential.made_bundles import Bundles
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


@settings(max_examples=3, deadline=None)
@given(st.permutations([*FILES]), st.lists(requests, min_size=10, max_size=10))
def test_the_order_of_files_does_not_matter(order: list[str], several: list[Request]) -> None:
    bundle = read_bundle({name: FILES[name] for name in order})
    assert [decide(request, bundle) for request in several] == [
        decide(request, BUNDLE) for request in several
    ]


@settings(max_examples=60, deadline=None)
@given(requests, permits, permits)
def test_the_order_of_permits_does_not_matter(request: Request, one: Rule, other: Rule) -> None:
    other = other.model_copy(update={"id": "other-permit"})
    first, second = (decide(request, with_rules(permits=rules)) for rules in ([one, other], [other, one]))
    assert passed(first) == passed(second)
    assert first.obligations == second.obligations


_SOURCE = Bundles(seed=7)
MADE = [_SOURCE.draw() for _ in range(12)]
drawn = st.builds(
    lambda number, seed: (number, Exchanges(MADE[number], seed).draw(1)[0]),
    st.integers(0, len(MADE) - 1),
    st.integers(0, 2**32),
)


@cache
def _permitted() -> list[tuple[int, Request]]:
    found = [(number, request) for number, made in enumerate(MADE) for request in Exchanges(made, 3).draw(60)]
    return [(number, request) for number, request in found if passed(decide(request, MADE[number]))]


permitted = st.deferred(lambda: st.sampled_from(_permitted()))


def with_rule(bundle: Bundle, rule: Rule, name: str) -> Bundle:
    agreement = bundle.agreements[name]
    wider = agreement.model_copy(update={"rules": (*agreement.rules, rule)})
    return bundle.with_agreements({**bundle.agreements, name: wider})


def is_malformed(decision: Decision) -> bool:
    return any(
        reason.code.startswith("UNKNOWN_") or reason.code == "CLAIM_MALFORMED" for reason in decision.reasons
    )


@settings(max_examples=100, deadline=None)
@given(drawn)
def test_without_permits_nothing_passes(pair: tuple[int, Request]) -> None:
    bundle, request = MADE[pair[0]], pair[1]
    assert passed(decide(request, replace(bundle, permits={}))) == set()


@settings(max_examples=60, deadline=None)
@given(permitted, st.integers(0, 2**32), st.sampled_from(["00-general", "one", "two"]))
def test_any_prohibition_only_narrows(pair: tuple[int, Request], seed: int, name: str) -> None:
    bundle, request = MADE[pair[0]], pair[1]
    against = Bundles(seed).prohibition("extra")
    narrower = decide(request, with_rule(bundle, against, name))
    assert passed(narrower) <= passed(decide(request, bundle))


@settings(max_examples=60, deadline=None)
@given(permitted)
def test_a_prohibition_without_conditions_overrides_every_permit(pair: tuple[int, Request]) -> None:
    bundle, request = MADE[pair[0]], pair[1]
    everywhere = {
        "operations": frozenset([request.operation]),
        "sender_roles": frozenset(), "sender_sectors": frozenset(), "recipient_roles": frozenset(),
        "recipient_sectors": frozenset(), "kinds": frozenset(), "purposes": frozenset(), "categories": frozenset(),
        "conditions": (), "status": Status.IN_FORCE, "valid_from": date(2000, 1, 1), "valid_until": None,
    }  # fmt: skip
    whole = Bundles(1).prohibition("extra").model_copy(update={**everywhere, "fields": frozenset()})
    decision = decide(request, with_rule(bundle, whole, "00-general"))
    assert decision.effect is Effect.DENY
    assert "extra" in {rule.id for rule in decision.rules}
    for name, _ in request.fields:
        one = whole.model_copy(update={"fields": frozenset([name])})
        assert name not in passed(decide(request, with_rule(bundle, one, "00-general")))


@settings(max_examples=60, deadline=None)
@given(drawn, st.integers(0, 2**32), st.sampled_from(["one", "two"]))
def test_any_permit_only_widens(pair: tuple[int, Request], seed: int, name: str) -> None:
    bundle, request = MADE[pair[0]], pair[1]
    wider = with_rule(bundle, Bundles(seed).permit("extra"), name)
    assert passed(decide(request, bundle)) <= passed(decide(request, wider))


@settings(max_examples=150, deadline=None)
@given(drawn, st.data())
def test_erasing_any_claim_fact_or_counter_never_widens(
    pair: tuple[int, Request], data: st.DataObject
) -> None:
    bundle, request = MADE[pair[0]], pair[1]
    before = decide(request, bundle)
    assume(not is_malformed(before))
    keep = data.draw(st.integers(0, 2**32).map(Random))
    less = replace(
        request,
        claims={name: value for name, value in request.claims.items() if keep.random() < 0.7},
        facts={name: fact for name, fact in request.facts.items() if keep.random() < 0.7},
        counters={name: count for name, count in request.counters.items() if keep.random() < 0.7},
    )
    assert passed(decide(less, bundle)) <= passed(before)


@settings(max_examples=60, deadline=None)
@given(drawn, st.integers(0, 2**32))
def test_the_order_of_rules_changes_nothing(pair: tuple[int, Request], seed: int) -> None:
    bundle, request = MADE[pair[0]], pair[1]

    def shuffled(agreement: Agreement) -> Agreement:
        rules = Random(seed).sample(agreement.rules, len(agreement.rules))
        return agreement.model_copy(update={"rules": tuple(rules)})

    other = bundle.with_agreements({name: shuffled(item) for name, item in bundle.agreements.items()})
    assert decide(request, other) == decide(request, bundle)


@settings(max_examples=100, deadline=None)
@given(drawn, st.data())
def test_a_field_is_decided_for_itself(pair: tuple[int, Request], data: st.DataObject) -> None:
    bundle, request = MADE[pair[0]], pair[1]
    assume(request.fields)
    whole = replace(request, strict=False)
    assume(not is_malformed(decide(whole, bundle)))
    fewer = tuple(data.draw(st.lists(st.sampled_from(request.fields), min_size=1, unique=True)))
    less = decide(replace(whole, fields=fewer), bundle)
    names = {name for name, _ in fewer}
    assert {*less.released} == {*decide(whole, bundle).released} & names
    assert {item.name for item in less.withheld} <= names


@settings(max_examples=100, deadline=None)
@given(drawn, st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Europe/Amsterdam"]))
def test_nothing_but_the_request_and_the_rules_decides(pair: tuple[int, Request], zone: str) -> None:
    """Not what was decided before, the zone in which the time is written, or what nobody asks."""
    bundle, request = MADE[pair[0]], pair[1]
    decision = decide(request, bundle)
    fresh = bundle.with_agreements(bundle.agreements)
    assert decide(replace(request, at=request.at.astimezone(ZoneInfo(zone))), fresh) == decision
    more = replace(request, counters={**request.counters, "nobody_asks": 7})
    assert decide(more, bundle) == decision
    assert decide(request, bundle) == decision


@settings(max_examples=100, deadline=None)
@given(drawn)
def test_statements_by_one_person_are_one_statement(pair: tuple[int, Request]) -> None:
    """Saying it twice, in whatever words, and what a stranger says, adds nothing."""
    bundle, request = MADE[pair[0]], pair[1]
    before = decide(request, bundle)
    assume(not is_malformed(before))
    twice, strange, late = dict(request.claims), dict(request.claims), dict(request.claims)
    for name, fact in bundle.catalog.facts.items():
        first = request.claims.get(name, "").partition(",")[0]
        if isinstance(fact, StatedFact) and first:
            again = first.replace("officer", "lawyer").replace("NEEDED", "URGENT")
            person, _, rest = first.partition("@")
            twice[name] = f"{first},{again}"
            strange[name] = f"{first},other-{person}@{'9' * 20}{rest[20:]}"
            late[name] = f"{first},other-{person}@{rest[:20]};officer;2099-01-01T00:00Z;NEEDED"
    once = {name: text.partition(",")[0] for name, text in twice.items()}
    alone = passed(decide(replace(request, claims=once), bundle))
    for claims in (twice, strange, late):
        assert passed(decide(replace(request, claims=claims), bundle)) == alone
