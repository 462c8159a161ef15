# SPDX-License-Identifier: EUPL-1.2
"""ADL records: of every AuthZEN call one, of every decided log entry one, and neither with a value in it."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from authzen_samples import (
    EVALUATION,
    ORIGIN,
    PARENT,
    TRACE,
    TRACEPARENT,
    VECTORS,
    adl_validator,
    ask,
    changed,
    logged,
    point,
    records,
)
from decide_samples import BUNDLE, FINE, NLA, SNA

from broker.decide.engine import decide
from broker.record import exchange_record
from sluis import __version__
from sluis.cli.audit_adl import Export
from sluis.decision_log import entry_record, entry_span, new_span, read_traceparent
from sluis.errors import InvalidInput
from sluis.policy.iris import activity_iri

HIDDEN = "999990019"
ENTRY: dict[str, Any] = {
    **exchange_record("signal.push", FINE, decide(FINE, BUNDLE), BUNDLE),
    "v": 1,
    "time": "2026-11-23T12:00:00.250Z",
    "nonce": "8f1c2d3e4f5061728394a5b6c7d8e9f0",
    "exchange": "01991b1a-7a6e-7cc3-9c0b-1c4d1f6f3a55",
    "delivery": "mailbox",
    "outcome": "mailbox",
}


@pytest.fixture
def valid() -> Any:
    return adl_validator().is_valid


def test_the_published_example_is_valid(valid: Any) -> None:
    assert valid(json.loads((VECTORS / "adl" / "search-subject-example.json").read_text("utf-8")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trace_id", None),
        ("trace_id", "0" * 32),
        ("trace_id", TRACE.upper()),
        ("span_id", TRACE),
        ("event_name", "access_evaluation"),
        ("timestamp", "2026-11-23T12:00:00Z"),
        ("timestamp", None),
        ("status", "Denied"),
        ("attributes", {"adl.core.policies": "inline text"}),
        ("attributes", {"adl.core.unknown": {"a": 1}}),
        ("attributes", {"nodots": 1}),
        ("attributes", {"adl.core.request": {"log": 7}}),
        ("body", {"adl.core.request": EVALUATION}),
        ("body", {"request": {}}),
    ],
)
def test_the_schema_refuses_what_the_text_forbids(valid: Any, path: str, value: object) -> None:
    record = logged(EVALUATION)
    assert valid(record)
    if value is None:
        del record[path]
    else:
        record[path] = value
    assert not valid(record)


def test_a_field_in_attributes_and_in_body_is_refused(valid: Any) -> None:
    record = logged(EVALUATION)
    for name in ("request", "response", "policies", "information", "configuration"):
        twice = json.loads(json.dumps(record))
        twice["attributes"][f"adl.core.{name}"] = {"a": "b"}
        twice["body"][f"adl.core.{name}"] = record["body"].get(f"adl.core.{name}", {"a": "b"})
        assert not valid(twice)


def test_an_evaluation_leaves_one_record(valid: Any) -> None:
    record = logged(EVALUATION)
    assert valid(record)
    assert record["event_name"] == "adl.access_evaluation"
    assert (record["trace_id"], record["parent_span_id"]) == (TRACE, PARENT)
    assert record["span_id"] not in (PARENT, "0" * 16)
    assert record["timestamp"] == int(FINE.at.timestamp() * 1000)
    assert record["status"] == "Unset"
    assert record["resource"] == {"service.name": "sluis-broker", "sluis.log.origin": ORIGIN}
    assert record["attributes"] == {
        "adl.core.policies": {"sluis": BUNDLE.digest},
        "adl.core.configuration": {"sluis": __version__},
        "dpl.core.processing_activity_id": activity_iri("waadi-14b"),
    }
    answer = ask(EVALUATION)
    del answer["context"]["reason_user"]
    assert record["body"]["adl.core.response"] == answer
    request = record["body"]["adl.core.request"]
    assert request["subject"] == {"type": "party", "id": NLA.oin, "properties": {"role": NLA.role}}
    assert request["resource"]["properties"]["recipient"] == {"oin": SNA.oin, "role": SNA.role}
    assert request["context"]["claims"] == ["decided_on", "provision"]


def test_a_batch_leaves_one_record_of_all_that_was_evaluated(valid: Any) -> None:
    denied = changed("subject.properties.role", "witchcraft")
    document = {
        "context": EVALUATION["context"],
        "evaluations": [EVALUATION, denied, EVALUATION],
        "options": {"evaluations_semantic": "deny_on_first_deny"},
    }
    record = logged(document, batch=True)
    assert valid(record)
    assert record["event_name"] == "adl.access_evaluations"
    assert record["trace_id"] == TRACE
    response = record["body"]["adl.core.response"]["evaluations"]
    assert [item["decision"] for item in response] == [True, False]
    assert len(record["body"]["adl.core.request"]["evaluations"]) == 2
    assert record["attributes"]["dpl.core.processing_activity_id"] == activity_iri("waadi-14b")


def test_a_batch_under_two_agreements_names_no_single_processing_activity(valid: Any) -> None:
    twin = BUNDLE.agreements["waadi-14b"].model_copy(update={"id": "twin"})
    bundle = BUNDLE.with_agreements({**BUNDLE.agreements, "twin": twin})
    other = changed("resource.properties.agreement", "twin")
    with structlog.testing.capture_logs() as captured:
        body = json.dumps({"evaluations": [EVALUATION, other]}).encode()
        answer = point(current=lambda: bundle).evaluations(body)
    assert [item["context"]["processing_activity_id"] for item in answer["evaluations"]] == [
        activity_iri("waadi-14b"),
        activity_iri("twin"),
    ]
    [record] = records(captured)
    assert valid(record)
    assert "dpl.core.processing_activity_id" not in record["attributes"]


def test_a_refused_request_is_no_decision_and_leaves_no_record() -> None:
    with structlog.testing.capture_logs() as captured, pytest.raises(InvalidInput):
        ask(changed("subject.id", None))
    assert records(captured) == []


def test_a_mistake_of_the_engine_is_an_error_and_a_denial_is_not(valid: Any) -> None:
    assert logged(changed("context.facts", None))["status"] == "Unset"
    with structlog.testing.capture_logs() as captured:
        ask(EVALUATION, current=lambda: replace(BUNDLE, permits=None))
    [record] = records(captured)
    assert valid(record)
    assert record["status"] == "Error"


def test_no_value_of_a_request_comes_into_a_record() -> None:
    document = changed("resource.id", HIDDEN)
    document["subject"] |= {"id": f"00000001{HIDDEN}000", "properties": {"role": HIDDEN}}
    document["resource"]["properties"] |= dict.fromkeys(("agreement", "kind", "purpose", "delivery"), HIDDEN)
    document["resource"]["properties"]["recipient"] = {"oin": HIDDEN, "role": "certification-body"}
    document["resource"]["properties"]["fields"] = [{"name": HIDDEN, "category": HIDDEN}]
    document["context"]["claims"] = {"provision": HIDDEN, HIDDEN: "x"}
    document["context"]["facts"] = {HIDDEN: {"state": "proven", "source": HIDDEN}}
    document["context"]["counters"] = {HIDDEN: 1}
    record = logged(document)
    assert HIDDEN not in json.dumps(record)
    assert record["body"]["adl.core.request"]["resource"]["id"] == "?"
    padded = logged(changed("resource.id", f"00000000-0000-0000-0000-000{HIDDEN}"))
    assert padded["body"]["adl.core.request"]["resource"]["id"] == "?"
    for place in ("resource.properties.subjects", "context.counters.persons_today"):
        with pytest.raises(InvalidInput):
            ask(changed(place, int(HIDDEN)))
    unknown = logged(changed("action.name", HIDDEN, document))
    assert HIDDEN not in json.dumps(unknown)


# traces


def test_the_header_s_trace_is_taken_when_the_body_has_none() -> None:
    without = changed("context.traceparent", None)
    record = logged(without, header=TRACEPARENT)
    assert (record["trace_id"], record["parent_span_id"]) == (TRACE, PARENT)
    for header in (None, "nonsense", "00-" + "0" * 32 + f"-{PARENT}-01"):
        fresh = logged(without, header=header)
        assert fresh["trace_id"] != TRACE
        assert "parent_span_id" not in fresh


@pytest.mark.parametrize("text", [TRACEPARENT, f"01-{TRACE}-{PARENT}-00-more", f"cc-{TRACE}-{PARENT}-ff"])
def test_a_traceparent_is_read(text: str) -> None:
    assert read_traceparent(text) == (TRACE, PARENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TRACEPARENT.upper(),
        TRACEPARENT + "\n",
        TRACEPARENT + "-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-zz",
        f"00-{TRACE}-{PARENT}-0١",
    ],
)
def test_what_is_no_traceparent_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_traceparent(text)


def test_a_span_is_of_random_bytes() -> None:
    span = new_span(None, lambda size: bytes(range(1, size + 1)))
    assert (span.trace_id, span.span_id) == (bytes(range(1, 17)).hex(), bytes(range(1, 9)).hex())


# the log


def test_a_decided_entry_becomes_a_record(valid: Any) -> None:
    record = entry_record(17, ENTRY, ORIGIN)
    assert record is not None
    assert valid(record)
    assert record["timestamp"] == int(datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC).timestamp() * 1000)
    attributes = record["attributes"]
    assert attributes == {
        "adl.core.policies": {"sluis": BUNDLE.digest},
        "adl.core.information": {"register:certificates": ENTRY["time"]},
        "dpl.core.processing_activity_id": activity_iri("waadi-14b"),
        "sluis.log.index": 17,
    }
    body: Any = record["body"]
    assert body["adl.core.response"]["decision"] is True
    assert body["adl.core.response"]["context"]["rules"] == ENTRY["rules"]
    request = body["adl.core.request"]
    assert request["action"]["name"] == "push"
    assert (request["subject"]["id"], request["resource"]["id"]) == (NLA.oin, ENTRY["exchange"])
    assert request["resource"]["properties"]["fields"] == [{"name": "establishment_number"}, {"name": "law"}]


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("match.question", "question"),
        ("match.digest", "question"),
        ("signal.release", "release"),
        ("register.load", "register"),
    ],
)
def test_every_operation_that_is_decided_has_its_action(valid: Any, operation: str, name: str) -> None:
    entry = {**ENTRY, "operation": operation, "facts": [], "decision": "deny"}
    del entry["exchange"]
    record = entry_record(3, entry, ORIGIN)
    assert record is not None
    assert valid(record)
    body: Any = record["body"]
    assert body["adl.core.request"]["action"]["name"] == name
    assert body["adl.core.request"]["resource"]["id"] == "entry-3"
    assert body["adl.core.response"]["decision"] is False
    assert "adl.core.information" not in str(record["attributes"])


def test_an_entry_that_decides_nothing_has_no_record() -> None:
    for entry in ({"operation": "log.read"}, {"operation": "signal.push"}, {"operation": "party.admit"}):
        assert entry_record(0, {**entry, "nonce": "00", "time": ENTRY["time"]}, ORIGIN) is None


def test_an_engine_error_in_the_log_has_status_error() -> None:
    record = entry_record(0, {**ENTRY, "reasons": [{"code": "ENGINE_ERROR", "params": {}}]}, ORIGIN)
    assert record is not None
    assert record["status"] == "Error"


def test_the_entries_of_one_exchange_share_a_trace_and_each_has_a_span() -> None:
    push = entry_span(ENTRY)
    release_entry = {**ENTRY, "operation": "signal.release", "nonce": "1" * 32, "previous": 17}
    record = entry_record(30, release_entry, ORIGIN, push)
    assert record is not None
    assert record["trace_id"] == push.trace_id
    assert record["parent_span_id"] == push.span_id != record["span_id"]
    assert entry_span(ENTRY) == push
    assert ENTRY["nonce"] not in str(record)


@pytest.mark.parametrize(
    ("first", "last", "written"),
    [
        (None, None, [0, 1, 2]),
        ("2026-11-24", None, [1, 2]),
        (None, "2026-11-24", [0, 1]),
        ("2026-11-24", "2026-11-24", [1]),
        (None, "9999-12-31", [0, 1, 2]),
        ("2026-11-26", None, []),
    ],
)
def test_an_export_counts_days_in_amsterdam(first: str | None, last: str | None, written: list[int]) -> None:
    out = io.StringIO()
    days = (datetime.fromisoformat(day) if day else None for day in (first, last))
    export = Export(out, ORIGIN, *days)
    for index, time in enumerate(("23T22:59:59.999", "23T23:00:00.000", "24T23:00:00.000")):
        export.add(index, {**ENTRY, "time": f"2026-11-{time}Z"})
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["attributes"]["sluis.log.index"] for line in lines] == written
    assert export.written == len(written)


def test_an_export_ties_a_release_to_its_push() -> None:
    out = io.StringIO()
    export = Export(out, ORIGIN, None, None)
    export.add(4, ENTRY)
    export.add(5, {"operation": "log.read", "nonce": "2" * 32, "time": ENTRY["time"]})
    export.add(6, {**ENTRY, "operation": "signal.release", "nonce": "1" * 32, "previous": 4})
    push, release = (json.loads(line) for line in out.getvalue().splitlines())
    assert (release["trace_id"], release["parent_span_id"]) == (push["trace_id"], push["span_id"])
    assert "parent_span_id" not in push
