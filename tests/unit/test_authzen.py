# SPDX-License-Identifier: EUPL-1.2
"""The AuthZEN decision point decides as the engine does, refuses what is malformed, and follows the specification."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from authzen_samples import (
    EVALUATION,
    URL,
    ask,
    ask_batch,
    changed,
    point,
    published,
    validator,
)
from decide_samples import BUNDLE, FINE, NLA

from broker.console.asked import MAX_EVALUATIONS, MAX_MEMBERS, read_evaluation
from broker.decide.engine import decide
from broker.decide.explain import explain
from broker.record import decision_record
from sluis.errors import InvalidInput
from sluis.policy.iris import activity_iri, rule_iri

RESOURCE = "resource.properties"
WHOLE = json.dumps(EVALUATION).encode()


def codes(answer: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in answer["context"]["reasons"]]


def refusal(document: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as error:
        ask(document)
    return error.value


def test_the_answer_is_the_engine_s_in_words_of_authzen() -> None:
    answer = ask(EVALUATION)
    decision = decide(FINE, BUNDLE)
    words = explain(decision, BUNDLE)
    assert answer["decision"] is True
    record = decision_record(decision)
    del record["decision"]
    assert answer["context"] == {
        **record,
        "assumed": True,
        "reason_user": {"nl": words.dutch, "en": words.english},
        "supposed": ["certificate_valid", "decided_on", "provision"],
        "processing_activity_id": activity_iri("waadi-14b"),
        "time": "2026-11-23T12:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("subject.properties.role", "witchcraft", "UNKNOWN_PARTY"),
        ("subject.properties", None, "UNKNOWN_PARTY"),
        (f"{RESOURCE}.recipient", None, "UNKNOWN_PARTY"),
        (f"{RESOURCE}.agreement", "no-such", "UNKNOWN_AGREEMENT"),
        (f"{RESOURCE}.agreement", "00-algemeen", "UNKNOWN_AGREEMENT"),
        (f"{RESOURCE}.kind", None, "UNKNOWN_KIND"),
        (f"{RESOURCE}.purpose", "FUN", "UNKNOWN_PURPOSE"),
        (f"{RESOURCE}.fields", [{"name": "secret", "category": "organisation"}], "UNKNOWN_FIELD"),
        (f"{RESOURCE}.fields", None, "NO_FIELDS"),
        ("context.claims", {"no-such": "1"}, "UNKNOWN_CLAIM"),
        ("context.facts", None, "NO_CERTIFICATE"),
        ("context.facts.certificate_valid.state", "unknown", "NO_CERTIFICATE"),
        ("context.facts.certificate_valid.source", "sender", "NO_CERTIFICATE"),
        ("context.facts.certificate_valid.asserter", None, "NO_CERTIFICATE"),
        ("resource.properties", None, "UNKNOWN_PARTY"),
        ("subject.type", "user", "UNKNOWN_SUBJECT_TYPE"),
        ("action.name", "can_read", "UNKNOWN_ACTION"),
        ("resource.type", "todo", "UNKNOWN_RESOURCE_TYPE"),
    ],
)
def test_what_the_rules_do_not_know_is_denied_and_no_error(path: str, value: object, code: str) -> None:
    answer = ask(changed(path, value))
    assert answer["decision"] is False
    assert codes(answer)[0] == code
    assert validator("access-evaluation-response.json").is_valid(answer)


@pytest.mark.parametrize("name", ["subject", "action", "resource"])
def test_a_member_that_authzen_requires_must_be_there(name: str) -> None:
    """Certification scenario, tests c-2-4-1 and c-2-4-2."""
    assert refusal(changed(name, None)).where == name
    for key in ("name",) if name == "action" else ("type", "id"):
        assert refusal(changed(f"{name}.{key}", None)).where == f"{name}.{key}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("subject", "alice"),
        ("subject.id", 7),
        ("subject.properties", []),
        ("subject.properties.role", 1),
        ("action.name", 123),
        ("action.properties", {"processing_activity_id": 4}),
        ("action.properties", {"processing_activity_id": activity_iri("other")}),
        ("action.properties", {"processing_activity_id": rule_iri("no-such-rule")}),
        ("resource.properties", "x"),
        (f"{RESOURCE}.recipient", "x"),
        (f"{RESOURCE}.kind", ["FINE_IMPOSED"]),
        (f"{RESOURCE}.strict", "true"),
        (f"{RESOURCE}.subjects", -1),
        (f"{RESOURCE}.subjects", True),
        (f"{RESOURCE}.subjects", 1.5),
        (f"{RESOURCE}.subjects", 10**30),
        (f"{RESOURCE}.fields", "law"),
        (f"{RESOURCE}.fields", ["law"]),
        (f"{RESOURCE}.fields", [{"name": "law"}]),
        (f"{RESOURCE}.fields", [{"name": "law", "category": "organisation"}] * 2),
        (f"{RESOURCE}.fields", [{"name": "law", "category": "organisation"}] * (MAX_MEMBERS + 1)),
        ("context", []),
        ("context.time", 1),
        ("context.time", "2026-11-23"),
        ("context.time", "2026-11-23T12:00:00"),
        ("context.time", "2026-02-30T12:00:00Z"),
        ("context.time", "0001-01-01T00:00:00+14:00"),
        ("context.time", "9999-12-31T23:59:59-12:00"),
        ("context.time", "2026-11-23T12:00:60Z"),
        ("context.traceparent", 1),
        ("context.traceparent", "00-nonsense"),
        ("context.claims", ["provision"]),
        ("context.claims", {"provision": 7}),
        ("context.claims", {"provision": "x" * 1001}),
        ("context.claims", {f"claim-{n}": "" for n in range(MAX_MEMBERS + 1)}),
        ("context.facts", {"certificate_valid": True}),
        ("context.facts", {"certificate_valid": {"state": "maybe", "source": "x"}}),
        ("context.facts", {"certificate_valid": {"state": "proven", "source": "x", "asserter": "SNA"}}),
        ("context.counters", {"persons_today": "many"}),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(path: str, value: object) -> None:
    error = refusal(changed(path, value))
    assert error.code == "malformed-request"
    assert (
        path.startswith(error.where.partition(".")[0])
        or error.where.startswith(path)
        or error.where == "fields"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe{\x00}\x00",
        WHOLE[:-1] + b', "mim": 1, "mim": 2}',
        WHOLE[:-1] + b', "mim": NaN}',
        WHOLE[:-1] + b', "mim": [-Infinity]}',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"n": ' + b"9" * 100_000 + b"}",
        WHOLE + b"{}",
        json.dumps(EVALUATION).encode("utf-16"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    for call in (point().evaluation, point().evaluations):
        with pytest.raises(InvalidInput) as error:
            call(body)
        assert error.value.code == "malformed-request"


def test_members_that_nobody_knows_are_ignored() -> None:
    """AuthZEN section 10.1.1, certification scenario c-2-2-8 and c-2-2-9."""
    document = changed("foo", {"nested": True})
    document["subject"]["properties"]["department"] = "Sales"
    document["context"] |= {"mim": "https://example.org/mim", "ip": "192.168.1.1"}
    assert ask(document) == ask(EVALUATION)


def test_the_time_is_the_callers_or_else_the_servers() -> None:
    for text in ("2026-06-30T23:59:59+02:00", "2026-06-30T21:59:59Z", "2026-06-30T21:59Z"):
        answer = ask(changed("context.time", text))
        assert answer["context"]["rules"][0]["id"] == "fine-to-foundation-until-2026-06-30"
    later = ask(changed("context.time", None), clock=lambda: FINE.at + timedelta(days=365 * 3))
    assert codes(later) == ["LOOKBACK"]
    assert later["context"]["time"] == "2029-11-22T12:00:00.000Z"


def test_the_processing_activity_can_name_the_agreement() -> None:
    without = changed(f"{RESOURCE}.agreement", None)
    for iri in (activity_iri("waadi-14b"), rule_iri("fine-to-foundation-from-2026-07-01")):
        answer = ask(changed("action.properties", {"processing_activity_id": iri}, without))
        assert answer == ask(EVALUATION)
    # one's own register of processing activities says nothing about ours
    own = {"processing_activity_id": "https://inspectorate.example/register/7"}
    assert ask(changed("action.properties", own)) == ask(EVALUATION)
    assert codes(ask(changed("action.properties", own, without)))[0] == "UNKNOWN_AGREEMENT"


def test_what_was_supposed_is_named_in_words_of_the_catalogue_alone() -> None:
    document = changed("context.claims", {"999990019": "x", "provision": "WML 7"})
    document["context"]["facts"]["999990020"] = {"state": "proven", "source": "x"}
    document["context"]["counters"] = {"999990021": 1}
    answer = ask(document)
    assert answer["context"]["supposed"] == ["certificate_valid", "provision"]
    assert "99999" not in json.dumps(answer)


def test_a_change_of_rules_is_seen_at_once() -> None:
    current = [BUNDLE]
    asked = point(current=lambda: current[0])
    body = json.dumps(EVALUATION).encode()
    assert asked.evaluation(body)["decision"] is True
    current[0] = replace(BUNDLE, permits={}, digest="sha256:other")
    answer = asked.evaluation(body)
    assert (answer["decision"], answer["context"]["policy"]) == (False, "sha256:other")


def test_a_mistake_in_the_engine_denies() -> None:
    answer = ask(EVALUATION, current=lambda: replace(BUNDLE, permits=None))
    assert (answer["decision"], codes(answer)) == (False, ["ENGINE_ERROR"])


# batches

DENIED = changed("subject.properties.role", "witchcraft")


def batch(*items: object, **more: object) -> dict[str, Any]:
    return {"evaluations": list(items), **more}


def decisions(answer: dict[str, Any]) -> list[bool]:
    return [item["decision"] for item in answer["evaluations"]]


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        (None, [True, False, True, False]),
        ("execute_all", [True, False, True, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_a_batch_stops_as_its_semantics_say(semantic: str | None, expected: list[bool]) -> None:
    options = {"options": {"evaluations_semantic": semantic}} if semantic else {}
    answer = ask_batch(batch(EVALUATION, DENIED, EVALUATION, DENIED, **options))
    assert decisions(answer) == expected
    assert validator("access-evaluations-response.json").is_valid(answer)


def test_a_batch_that_meets_no_reason_to_stop_is_answered_in_full() -> None:
    for semantic, item in (("deny_on_first_deny", EVALUATION), ("permit_on_first_permit", DENIED)):
        answer = ask_batch(batch(item, item, options={"evaluations_semantic": semantic}))
        assert len(answer["evaluations"]) == 2


def test_an_evaluation_that_is_malformed_in_itself_denies_itself_alone() -> None:
    """Certification scenario, test c-3-4-1."""
    answer = ask_batch(batch({}, "x", EVALUATION, changed("subject.id", 7)))
    assert decisions(answer) == [False, False, True, False]
    for item, where in ((0, "subject"), (1, "evaluation"), (3, "subject.id")):
        error = answer["evaluations"][item]["context"]["error"]
        assert (error["status"], error["code"], error["where"]) == (400, "malformed-request", where)


def test_top_level_members_are_defaults() -> None:
    """Section 7.1.1; a member of one's own replaces the whole, but for its required parts (c-3-2-7)."""
    shared = {key: value for key, value in EVALUATION.items() if key != "action"}
    answer = ask_batch(batch({"action": {"name": "push"}}, {"action": {"name": "question"}}, **shared))
    assert decisions(answer) == [True, False]
    no_facts = {"action": {"name": "push"}, "context": {"claims": EVALUATION["context"]["claims"]}}
    assert decisions(ask_batch(batch(no_facts, **shared))) == [False]
    properties = {"resource": {"properties": EVALUATION["resource"]["properties"]}}
    assert decisions(ask_batch(batch(properties, **EVALUATION))) == [True]
    roleless = {"subject": {"type": "party", "id": NLA.oin}}
    assert decisions(ask_batch(batch(roleless, **EVALUATION))) == [False]
    kind = {"resource": {"properties": {"kind": "FINE_IMPOSED"}}}
    assert decisions(ask_batch(batch(kind, **EVALUATION))) == [False]


def test_without_evaluations_a_batch_is_a_single_evaluation() -> None:
    assert ask_batch(EVALUATION) == ask_batch({**EVALUATION, "evaluations": []}) == ask(EVALUATION)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (batch(*[EVALUATION] * (MAX_EVALUATIONS + 1)), "batch-too-large"),
        ({"evaluations": {}}, "malformed-request"),
        (batch(EVALUATION, subject="alice"), "malformed-request"),
        (batch(EVALUATION, context=[]), "malformed-request"),
        (batch(EVALUATION, options=[]), "malformed-request"),
        (batch(EVALUATION, options={"evaluations_semantic": "all"}), "malformed-request"),
        (batch(EVALUATION, options={"evaluations_semantic": []}), "malformed-request"),
        (batch(EVALUATION, context={"traceparent": 7}), "malformed-request"),
        (batch(EVALUATION, context={"traceparent": "x"}), "malformed-request"),
    ],
)
def test_a_batch_that_is_wrong_as_a_whole_is_refused(document: object, code: str) -> None:
    with pytest.raises(InvalidInput) as error:
        ask_batch(document)
    assert error.value.code == code


# the published schemas


def test_our_requests_and_answers_are_those_of_the_published_schemas() -> None:
    request = validator("access-evaluation-request.json", as_published=True)
    request.validate(EVALUATION)
    validator("access-evaluation-response.json").validate(ask(EVALUATION))
    shared = batch({"action": {"name": "push"}}, **{k: v for k, v in EVALUATION.items() if k != "action"})
    validator("access-evaluations-request.json").validate(shared)
    validator("access-evaluations-response.json").validate(ask_batch(batch(EVALUATION, {})))


@pytest.mark.parametrize(
    "wrong", [{}, {"decision": "true"}, {"decision": None}, {"decision": True, "context": []}]
)
def test_the_mended_schemas_still_refuse_what_is_no_decision(wrong: object) -> None:
    assert not validator("access-evaluation-response.json").is_valid(wrong)
    assert not validator("access-evaluations-response.json").is_valid({"evaluations": [wrong]})


def test_the_mended_schemas_still_refuse_what_is_no_request() -> None:
    for path, value in (("subject", None), ("subject.id", 7), ("action.name", None), ("context", [])):
        assert not validator("access-evaluation-request.json").is_valid(changed(path, value))
    assert not validator("access-evaluations-request.json").is_valid(batch({"subject": {"id": 7}}))


def test_the_published_schemas_refuse_their_own_examples_and_the_mended_ones_do_not() -> None:
    name = "access-evaluations-response.json"
    examples = published(name)["examples"]
    assert [validator(name, as_published=True).is_valid(item) for item in examples] == [
        True,
        False,
        False,
        False,
    ]
    assert all(validator(name).is_valid(item) for item in examples)
    assert not validator("access-evaluation-response.json", as_published=True).is_valid({"decision": True})


def test_metadata_names_only_what_is_there() -> None:
    assert point().metadata() == {
        "policy_decision_point": URL,
        "access_evaluation_endpoint": f"{URL}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{URL}/access/v1/evaluations",
    }


def test_what_is_read_is_the_engine_s_request() -> None:
    asked = read_evaluation(EVALUATION, BUNDLE, FINE.at)
    assert asked.request == replace(FINE, at=asked.request.at if asked.request else FINE.at)
    assert asked.request is not None
    assert dict(asked.request.facts) == dict(FINE.facts)
