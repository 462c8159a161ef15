# SPDX-License-Identifier: EUPL-1.2
"""Records of the Logius Authorization Decision Log (ADL 1.0, section "Interface"), with an LDV attribute.

    {"trace_id": 32 hex, "span_id": 16 hex, "parent_span_id": 16 hex, "event_name": "adl.access_evaluation",
     "timestamp": milliseconds, "status": "Unset" | "Error",
     "resource": {...}, "attributes": {"adl.core.policies": {"sluis": "sha256:..."}, ...},
     "body": {"adl.core.request": {...}, "adl.core.response": {...}}}

Each `adl.core.*` stands in `attributes` as a reference or in `body` as data, never in both. Of the request
only words of the rules are kept: no value of a claim, no identifier, and no data subject (`dpl.core.data_subject_id`
is left out, also encrypted: the broker never knows whom an exchange is about).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias, cast

from sluis.encoding import lp
from sluis.errors import InvalidInput
from sluis.policy.iris import activity_iri

Record: TypeAlias = dict[str, object]

EVALUATION = "adl.access_evaluation"
EVALUATIONS = "adl.access_evaluations"
OPERATIONS = {
    "signal.push": "push",
    "match.question": "question",
    "watch.load": "watch",
    "watch.hit": "watch",
    "match.digest": "question",
    "signal.release": "release",
    "register.load": "register",
    "followup.ask": "ask",
    "followup.answer": "answer",
}
# W3C Trace Context, section 3.2.2; a later version may add members after these.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)
_MEMBERS = ("rules", "reasons", "released", "withheld", "obligations", "policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where a decision stands in a trace; `parent_span_id` is empty when it is the first step."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""


def read_traceparent(text: str) -> tuple[str, str]:
    """The trace and the caller's span of a `traceparent`. Raises InvalidInput `malformed-request`."""
    match = _TRACEPARENT.fullmatch(text)
    if match is not None:
        version, trace_id, parent, more = match.groups()
        if version != "ff" and not (version == "00" and more) and int(trace_id, 16) and int(parent, 16):
            return trace_id, parent
    raise InvalidInput(
        "malformed-request", "not a traceparent of W3C Trace Context", where="context.traceparent"
    )


def new_span(traceparent: str | None, random: Callable[[int], bytes]) -> Span:
    """A span under the caller's, or the first of a new trace. Raises InvalidInput `malformed-request`."""
    if traceparent is None:
        return Span(trace_id=random(16).hex(), span_id=random(8).hex())
    trace_id, parent = read_traceparent(traceparent)
    return Span(trace_id=trace_id, span_id=random(8).hex(), parent_span_id=parent)


def decision_record(
    *,
    event_name: str,
    span: Span,
    at: datetime,
    failed: bool,
    attributes: Mapping[str, object],
    request: Mapping[str, object],
    response: Mapping[str, object],
    resource: Mapping[str, object],
) -> Record:
    """One record of one call. `failed`: the engine itself went wrong; a denial is no failure."""
    milliseconds = int(at.timestamp() * 1000)
    record: Record = {"trace_id": span.trace_id, "span_id": span.span_id}
    if span.parent_span_id:
        record["parent_span_id"] = span.parent_span_id
    return record | {
        "event_name": event_name,
        "timestamp": milliseconds,
        "status": "Error" if failed else "Unset",
        "resource": dict(resource),
        "attributes": dict(attributes),
        "body": {"adl.core.request": dict(request), "adl.core.response": dict(response)},
    }


def entry_span(entry: Mapping[str, object], previous: Span | None = None) -> Span:
    """The span of a log entry: the same at every export, so that taking it in twice makes no second record.

    Derived by SHA-256 from random bytes that stand in the entry: the id of the exchange, which the entries of
    one exchange share, and the nonce.
    """
    nonce = str(entry["nonce"])
    return Span(
        trace_id=_hash("sluis/v1/adl-trace", str(entry.get("exchange") or nonce), 16),
        span_id=_hash("sluis/v1/adl-span", nonce, 8),
        parent_span_id=previous.span_id if previous else "",
    )


def entry_record(
    index: int, entry: Mapping[str, object], origin: str, previous: Span | None = None
) -> Record | None:
    """The record of a log entry (docs/log-format.md), or None when the entry decides no exchange.

    `previous` is the span of the entry that this one follows in its exchange.
    """
    operation = OPERATIONS.get(str(entry.get("operation")))
    if operation is None or "decision" not in entry:
        return None
    time = str(entry["time"])
    facts = cast("list[dict[str, str]]", entry["facts"])
    reasons = cast("list[dict[str, object]]", entry["reasons"])
    attributes: dict[str, object] = {
        "adl.core.policies": {"sluis": entry["policy"]},
        "dpl.core.processing_activity_id": activity_iri(str(entry["agreement"])),
        "sluis.log.index": index,
    }
    if facts:
        # A temporal source: the register as it stood when this was decided.
        attributes["adl.core.information"] = {fact["source"]: time for fact in facts}
    return decision_record(
        event_name=EVALUATION,
        span=entry_span(entry, previous),
        at=datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
        failed=any(reason["code"] == "ENGINE_ERROR" for reason in reasons),
        attributes=attributes,
        request=_request(index, operation, entry, facts),
        response={
            "decision": entry["decision"] == "permit",
            "context": {name: entry[name] for name in _MEMBERS},
        },
        resource={"service.name": "sluis-broker", "sluis.log.origin": origin},
    )


def _request(index: int, operation: str, entry: Mapping[str, object], facts: list[dict[str, str]]) -> Record:
    released = cast("list[str]", entry["released"])
    withheld = cast("list[dict[str, str]]", entry["withheld"])
    return {
        "subject": {"type": "party", "id": entry["sender"]},
        "action": {
            "name": operation,
            "properties": {"processing_activity_id": activity_iri(str(entry["agreement"]))},
        },
        "resource": {
            "type": "exchange",
            "id": str(entry.get("exchange") or f"entry-{index}"),
            "properties": {
                "agreement": entry["agreement"],
                "recipient": {"oin": entry["recipient"]},
                "kind": entry["kind"],
                "purpose": entry["purpose"],
                "fields": [{"name": name} for name in [*released, *(item["name"] for item in withheld)]],
            },
        },
        "context": {
            "time": entry["time"],
            "facts": {fact["name"]: {"state": fact["state"], "source": fact["source"]} for fact in facts},
        },
    }


def _hash(domain: str, text: str, size: int) -> str:
    return hashlib.sha256(lp(domain, text)).digest()[:size].hex()
