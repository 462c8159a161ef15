# SPDX-License-Identifier: EUPL-1.2
"""Requests that are wrong, strange or hostile: refused when made, or denied for a reason of the catalogue."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.exchanges import exchanges, party
from bench.generated_rules import generated_files
from broker.decide import slots
from broker.decide.engine import decide
from broker.decide.model import Decision, Effect, Fact, FactState, Party, Request
from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle, read_bundle
from sluis.policy.facts import Statement
from tests.rule_text import finished, unfinished

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CONDITIONS = [
    {"fact": "vouched", "dutch": "een verklaring", "otherwise": "UNMET_1"},
    {"fact": "weighed", "dutch": "twee verklaringen", "otherwise": "UNMET_2"},
    {"fact": "listed_0", "dutch": "een register", "otherwise": "UNMET_3"},
    {"counter": "persons_today", "at_most": "50", "dutch": "een teller", "otherwise": "UNMET_4"},
    {"subjects_at_most": "20", "dutch": "een aantal", "otherwise": "UNMET_5"},
    {"partnership": ["first"], "dutch": "een verband", "otherwise": "UNMET_6"},
]


def _bundle() -> Bundle:
    files = generated_files(60)
    partnerships = json.loads(unfinished(files["catalog/partnerships.yaml"]))
    partnerships["partnerships"]["first"] |= {"roles": ["office-0", "office-1"], "valid_until": "2026-11-24"}
    partnerships["partnerships"]["second"]["oins"] = ["00000000000000000099"]
    files["catalog/partnerships.yaml"] = finished(json.dumps(partnerships))
    permit = json.loads(unfinished(files["agreements/agreement-0.yaml"]))
    rule = next(item for item in permit["rules"] if item["effect"] == "permit" and item.get("fields"))
    rule |= {
        "id": "asked", "conditions": CONDITIONS, "operations": ["push"], "fields": ["plain_00", "plain_01"],
        "sender_roles": ["office-0"], "recipient_roles": ["office-1", "office-2"], "kinds": ["KIND_0"],
        "purposes": ["PURPOSE_0"], "valid_from": "2024-01-01",
    }  # fmt: skip
    rule.pop("valid_until", None)
    files["agreements/asked.yaml"] = finished(json.dumps({**permit, "id": "asked", "rules": [rule]}))
    return read_bundle(files)


BUNDLE = _bundle()
CATALOG = BUNDLE.catalog
SENDER, RECIPIENT = party(CATALOG, "office-0"), party(CATALOG, "office-1")
OTHERS = party(CATALOG, "office-2")
LISTED = Fact(state=FactState.PROVEN, source="register:list-0", asserter=SENDER)


def said(person: str = "p-1", **changes: Any) -> str:
    made = Statement(
        person=person,
        organisation=SENDER.oin,
        function="officer",
        at=NOON - timedelta(hours=1),
        reason="WEIGHED",
    )
    return str(replace(made, **changes))


GOOD = Request(
    operation="push",  # type: ignore[arg-type]  # as the broker writes it
    sender=SENDER,
    recipient=RECIPIENT,
    agreement="asked",
    kind="KIND_0",
    purpose="PURPOSE_0",
    fields=(("plain_00", "organisation"),),
    at=NOON,
    claims={"vouched": said(), "weighed": f"{said('p-1')},{said('p-2')}", "partnership": "first"},
    facts={"listed_0": LISTED},
    counters={"persons_today": 49},
    delivery="mailbox",
)


def codes(**changes: Any) -> list[str]:
    return [reason.code for reason in decide(replace(GOOD, **changes), BUNDLE).reasons]


def with_claim(name: str, value: str) -> dict[str, Mapping[str, str]]:
    return {"claims": {**GOOD.claims, name: value}}


def check_words(decision: Decision, request: Request) -> None:
    """All that a decision says are words of the rules and the catalogue, or positions in the request."""
    assert decision.effect is Effect.DENY or decision.rules
    for reason in decision.reasons:
        assert reason.code in CATALOG.reasons
        assert reason.code != "ENGINE_ERROR"
        for name, value in reason.params.items():
            if name == "position":
                assert 1 <= int(value) <= max(len(request.fields), len(request.claims))
            else:
                assert set(value.split(",")) <= WORDS or value.isdecimal(), (name, value)
    assert {item.name for item in decision.withheld} | set(decision.released) <= CATALOG.fields.keys()
    assert {item.code for item in decision.withheld} <= CATALOG.reasons.keys()
    assert {item.rule_id for item in decision.withheld} <= {"", *BUNDLE.rules}
    assert {rule.id for rule in decision.rules} <= BUNDLE.rules.keys()


WORDS = {
    "sender", "recipient", *FactState, *CATALOG.assertions, *CATALOG.facts, *CATALOG.fields, *CATALOG.partnerships,
}  # fmt: skip


def test_the_request_as_it_should_be_is_permitted() -> None:
    assert decide(GOOD, BUNDLE).effect is Effect.PERMIT


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("weighed", f"{said('p-1')},{said('p-1')}", "UNMET_2"),
        ("weighed", f"{said('p-1')},{said('p-1', at=NOON - timedelta(days=2))}", "UNMET_2"),
        ("weighed", said("p-1"), "UNMET_2"),
        ("weighed", f"{said('p-1')},{said('p-2', organisation=RECIPIENT.oin)}", "UNMET_2"),
        ("weighed", f"{said('p-1')},{said('p-2', function='cleaner')}", "UNMET_2"),
        ("weighed", f"{said('p-1')},{said('p-2', reason='BECAUSE')}", "UNMET_2"),
        ("vouched", said(organisation=RECIPIENT.oin), "UNMET_1"),
        ("vouched", said(function="cleaner"), "UNMET_1"),
        ("vouched", said(reason="BECAUSE"), "UNMET_1"),
        ("vouched", said(at=NOON + timedelta(minutes=1)), "UNMET_1"),
        ("vouched", said(at=NOON - timedelta(days=30, minutes=1)), "UNMET_1"),
        ("vouched", said(at=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)), "UNMET_1"),
        ("vouched", said().replace("2026", "0001"), "UNMET_1"),
        ("vouched", said().replace("2026", "0000"), "CLAIM_MALFORMED"),
        ("vouched", said().replace("11-24T11:00Z", "02-30T11:00Z"), "CLAIM_MALFORMED"),
        ("vouched", said().replace("T11:00Z", "T24:00Z"), "CLAIM_MALFORMED"),
        ("vouched", said().replace("T11:00Z", "T11:60Z"), "CLAIM_MALFORMED"),
        ("vouched", said().replace("T11:00Z", "T11:00:00Z"), "CLAIM_MALFORMED"),
        ("vouched", said().replace("T11:00Z", "T11:00+01:00"), "CLAIM_MALFORMED"),
        ("vouched", said().replace("2026", "٢٠٢٦"), "CLAIM_MALFORMED"),
        ("vouched", ",".join([said("p-1"), said("p-2"), said("p-3")]), "CLAIM_MALFORMED"),
        ("vouched", f"{said()},", "CLAIM_MALFORMED"),
        ("vouched", f" {said()}", "CLAIM_MALFORMED"),
        ("vouched", f"{said()}\n", "CLAIM_MALFORMED"),
        ("vouched", said().replace("p-1", "J. de Vries"), "CLAIM_MALFORMED"),
        ("vouched", said().replace("p-1", ""), "CLAIM_MALFORMED"),
        ("vouched", "", "CLAIM_MALFORMED"),
        ("partnership", "second", "UNMET_6"),
        ("partnership", "nobody-knows-it", "UNMET_6"),
        ("partnership", "", "CLAIM_MALFORMED"),
        ("decided_on", "2026-13-01", "CLAIM_MALFORMED"),
        ("persons_today", "0", "UNKNOWN_CLAIM"),
        ("listed_0", "proven", "UNKNOWN_CLAIM"),
        ("", "", "UNKNOWN_CLAIM"),
    ],
)
def test_a_claim_that_does_not_count_denies_for_its_own_reason(name: str, value: str, code: str) -> None:
    assert codes(**with_claim(name, value)) == [code]


@pytest.mark.parametrize("at", [NOON, NOON - timedelta(days=30)])
def test_a_statement_counts_from_its_minute_to_its_last(at: datetime) -> None:
    assert codes(**with_claim("vouched", said(at=at))) == []


@pytest.mark.parametrize("missing", [*GOOD.claims])
def test_a_claim_that_is_missing_denies(missing: str) -> None:
    left = {name: value for name, value in GOOD.claims.items() if name != missing}
    assert codes(claims=left) == [
        {"vouched": "UNMET_1", "weighed": "UNMET_2", "partnership": "UNMET_6"}[missing]
    ]


@pytest.mark.parametrize(
    "fact",
    [
        replace(LISTED, asserter=OTHERS),
        replace(LISTED, asserter=None),
        replace(LISTED, source="sender"),
        replace(LISTED, source="register:list-1"),
        replace(LISTED, state=FactState.UNKNOWN),
    ],
)
def test_a_fact_of_a_party_that_may_not_vouch_for_it_proves_nothing(fact: Fact) -> None:
    decision = decide(replace(GOOD, facts={"listed_0": fact}), BUNDLE)
    assert [(reason.code, reason.params["state"]) for reason in decision.reasons] == [("UNMET_3", "unknown")]


def test_a_fact_under_the_name_of_a_statement_proves_nothing() -> None:
    claims = {name: value for name, value in GOOD.claims.items() if name != "vouched"}
    assert codes(claims=claims, facts={**GOOD.facts, "vouched": LISTED}) == ["UNMET_1"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"counters": {}}, ["UNMET_4"]),
        ({"counters": {"persons": 0}}, ["UNMET_4"]),
        ({"counters": {"persons_today": 50}}, ["UNMET_4"]),
        ({"counters": {"persons_today": 10**40}}, ["UNMET_4"]),
        ({"counters": {"persons_today": 50}, "subjects": 0}, []),
        ({"counters": {"persons_today": 30}, "subjects": 20}, []),
        ({"counters": {"persons_today": 0}, "subjects": 21}, ["UNMET_5"]),
        ({"subjects": 10**40}, ["UNMET_4", "UNMET_5"]),
        ({"sender": OTHERS}, ["NO_RULE"]),
        ({"recipient": OTHERS}, ["UNMET_6"]),
        ({"at": NOON + timedelta(days=1)}, ["UNMET_6"]),
        ({"at": datetime(1900, 1, 1, tzinfo=UTC)}, ["RULE_NOT_IN_FORCE"]),
        ({"at": datetime(9998, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=14)))},
         ["UNMET_1", "UNMET_2", "UNMET_6"]),
        ({"fields": ()}, ["NO_FIELDS"]),
        ({"fields": (("plain_00", ""),)}, ["CATEGORY_MISMATCH"]),
        ({"agreement": ""}, ["UNKNOWN_AGREEMENT"]),
        ({"agreement": "general"}, ["UNKNOWN_AGREEMENT"]),
        ({"kind": "kind_0"}, ["UNKNOWN_KIND"]),
        ({"purpose": "PURPOSE_0 "}, ["UNKNOWN_PURPOSE"]),
        ({"sender": replace(SENDER, sector="")}, ["UNKNOWN_PARTY"]),
        ({"fields": (("plain_00", "organisation"), ("Plain_01", "organisation"))}, ["UNKNOWN_FIELD"]),
    ],
)  # fmt: skip
def test_a_strange_request_is_denied_for_its_own_reason(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(**changes) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"at": datetime(1, 1, 1, tzinfo=UTC)},
        {"at": datetime(9999, 12, 31, tzinfo=UTC)},
        {"subjects": -1},
        {"counters": {"persons_today": -1}},
        {"operation": ""},
        {"operation": "PUSH"},
        {"fields": (("plain_00", "organisation"), ("plain_00", "organisation"))},
    ],
)
def test_a_request_that_cannot_be_is_refused_when_made(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="malformed-request"):
        replace(GOOD, **changes)


def test_ten_thousand_fields_and_claims_are_denied_within_a_second() -> None:
    fields = tuple((f"f{number}", "organisation") for number in range(10_000))
    claims = {f"c{number}": "x" for number in range(10_000)}
    started = time.process_time()
    decision = decide(replace(GOOD, fields=fields, claims=claims), BUNDLE)
    assert time.process_time() - started < 1
    assert {reason.code for reason in decision.reasons} == {"UNKNOWN_FIELD", "UNKNOWN_CLAIM"}
    check_words(decision, replace(GOOD, fields=fields, claims=claims))


def test_requests_cannot_make_the_memo_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "MAX_SLOTS", 5)
    fresh = _bundle()
    every = [
        replace(GOOD, recipient=party(CATALOG, role), kind=kind)
        for role in CATALOG.roles
        for kind in CATALOG.kinds
    ]
    for request in every:
        assert decide(request, fresh) == decide(request, BUNDLE)
        assert len(fresh.memo["slots"]) <= 5
    size = len(fresh.memo)
    for word in ("x", "y", "z"):
        for key in ("agreement", "kind", "purpose"):
            decide(replace(GOOD, **{key: word}), fresh)
    assert len(fresh.memo) == size <= 1 + len(fresh.rules)


strange = st.text(max_size=20) | st.sampled_from(
    ["\ud800", "\0", "00000000000000000001", "general", "x" * 300]
)
words = strange | st.sampled_from(
    sorted({*CATALOG.kinds, *CATALOG.purposes, *BUNDLE.agreements, *CATALOG.roles})
)
parties = st.builds(Party, oin=strange, role=words, sector=strange | st.sampled_from(["public", "private"]))
facts = st.builds(Fact, state=st.sampled_from(FactState), source=strange, asserter=parties | st.none())
names = strange | st.sampled_from([*CATALOG.fields])
claim_names = strange | st.sampled_from([*CATALOG.assertions])
claim_values = strange | st.sampled_from(
    [said(), f"{said()},{said()}", "2026-11-24", "0001-01-01", "9999-12-31", "LAW 1"]
)
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "sender": parties,
    "recipient": parties,
    "agreement": words,
    "kind": words,
    "purpose": words,
    "delivery": strange,
    "fields": st.lists(st.tuples(names, strange), max_size=6, unique_by=lambda item: item[0]).map(tuple),
    "claims": st.dictionaries(claim_names, claim_values, max_size=6),
    "facts": st.dictionaries(strange | st.sampled_from([*CATALOG.facts]), facts, max_size=3),
    "counters": st.dictionaries(strange | st.just("persons_today"), st.integers(min_value=0), max_size=3),
    "subjects": st.integers(min_value=0),
    "operation": st.sampled_from(["push", "release", "question", "register"]),
    "strict": st.booleans(),
    "at": st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.timezones()),  # noqa: DTZ001  zones are drawn
}
KNOWN = exchanges(BUNDLE, 200)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([GOOD, *KNOWN]), st.fixed_dictionaries({}, optional=CHANGES))
@example(GOOD, {"claims": {"vouched": "\ud800", "\ud800": "\ud800"}})
@example(GOOD, {"at": datetime(9998, 12, 31, tzinfo=UTC), "claims": {"notified_on": "9998-06-01"}})
def test_no_text_brings_the_engine_down_or_comes_back_out_of_it(
    request_: Request, changes: dict[str, Any]
) -> None:
    request = replace(request_, **changes)
    check_words(decide(request, BUNDLE), request)
