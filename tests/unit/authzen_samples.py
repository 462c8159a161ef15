# SPDX-License-Identifier: EUPL-1.2
"""AuthZEN evaluations to vary, and the published schemas, mended where they refuse their own examples."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from decide_samples import AUTUMN, BUNDLE, NLA, SNA
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from broker.console.authzen import DecisionPoint

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
URL, ORIGIN = "https://broker.example", "broker.example/log"
EVALUATION: dict[str, Any] = {
    "subject": {"type": "party", "id": NLA.oin, "properties": {"role": NLA.role}},
    "action": {"name": "push"},
    "resource": {
        "type": "exchange",
        "id": "01991b1a-7a6e-7cc3-9c0b-1c4d1f6f3a55",
        "properties": {
            "agreement": "waadi-14b",
            "recipient": {"oin": SNA.oin, "role": SNA.role},
            "kind": "FINE_IMPOSED",
            "purpose": "CERTIFICAATBEOORDELING",
            "delivery": "mailbox",
            "fields": [
                {"name": "establishment_number", "category": "organisation"},
                {"name": "law", "category": "organisation"},
            ],
        },
    },
    "context": {
        "time": "2026-11-23T13:00:00+01:00",
        "traceparent": TRACEPARENT,
        "claims": {"provision": "WML 7", "decided_on": "2026-03-02"},
        "facts": {
            "certificate_valid": {
                "state": "proven",
                "source": "register:certificates",
                "asserter": {"oin": SNA.oin, "role": SNA.role},
            }
        },
    },
}


def changed(path: str, value: object, document: dict[str, Any] = EVALUATION) -> dict[str, Any]:
    """The document with another value at a path such as `resource.properties.kind`; None takes it away."""
    copy = deepcopy(document)
    *steps, last = path.split(".")
    place = copy
    for step in steps:
        place = place.setdefault(step, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copy


def point(**changes: Any) -> DecisionPoint:
    """A decision point at noon in autumn, under the installed rules."""
    parts: dict[str, Any] = {"current": lambda: BUNDLE, "clock": lambda: AUTUMN, "url": URL, "origin": ORIGIN}
    return DecisionPoint(**parts | changes)


def ask(document: object, **changes: Any) -> dict[str, Any]:
    """Ask for one evaluation."""
    return point(**changes).evaluation(json.dumps(document).encode())


def ask_batch(document: object) -> dict[str, Any]:
    """Ask for a batch."""
    return point().evaluations(json.dumps(document).encode())


def records(captured: list[Any]) -> list[dict[str, Any]]:
    """The ADL records among captured events."""
    return [event["record"] for event in captured if event["event"] == "adl.record"]


def logged(document: object, *, batch: bool = False, header: str | None = None) -> dict[str, Any]:
    """The one ADL record of a call."""
    with structlog.testing.capture_logs() as captured:
        asked = point()
        (asked.evaluations if batch else asked.evaluation)(json.dumps(document).encode(), header)
    [record] = records(captured)
    return record


def published(name: str) -> dict[str, Any]:
    """A published schema as it is."""
    schema: dict[str, Any] = json.loads((VECTORS / "authzen" / name).read_text("utf-8"))
    return schema


def mended(name: str) -> dict[str, Any]:
    """A published schema whose four faults (tests/vectors/PROVENANCE.md) are mended."""
    schema: dict[str, Any] = _mend(published(name))
    if name == "access-evaluations-request.json":
        schema["properties"]["context"] = {"type": "object"}  # section 7.1.1: a default for all
    return schema


def _mend(node: Any) -> Any:
    if isinstance(node, list):
        return [_mend(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _mend(value) for key, value in node.items() if (key, value) != ("additionalProperties", False)
    }
    if kept.get("required") == [] and "$ref" in kept:  # meant to lift what the other schema requires
        other = mended(kept["$ref"].removeprefix("./"))
        return {key: value for key, value in other.items() if key not in ("$id", "$schema", "required")}
    return kept


def validator(name: str, *, as_published: bool = False) -> Draft202012Validator:
    """A validator for a published schema and those that it refers to."""
    load = published if as_published else mended

    def retrieve(uri: str) -> Resource[Any]:
        return Resource.from_contents(load(uri.rpartition("/")[2]))

    return Draft202012Validator(load(name), registry=Registry(retrieve=retrieve))  # type: ignore[call-arg]


def adl_validator() -> Draft202012Validator:
    """A validator for ADL records."""
    return Draft202012Validator(json.loads((VECTORS / "adl" / "log-record.schema.json").read_text("utf-8")))


def moment(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
