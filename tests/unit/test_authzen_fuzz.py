# SPDX-License-Identifier: EUPL-1.2
"""Whatever arrives at the decision point is answered or refused, in the published form and without its values."""

import json
from copy import deepcopy
from typing import Any

import structlog
from authzen_samples import EVALUATION, adl_validator, changed, point, records, validator
from hypothesis import given
from hypothesis import strategies as st

from sluis.errors import InvalidInput

SECRET = "999990019"
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
leaves |= st.sampled_from(["party", "push", "exchange", "proven", SECRET, "2026-11-23T12:00Z", "\ud800"])
NAMES = ["subject", "action", "resource", "context", "evaluations", "options", "type", "id", "name"]
NAMES += ["properties", "facts", "claims", "counters", "time", "fields", "recipient", "state", SECRET]
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)
ANSWERS = (validator("access-evaluation-response.json"), validator("access-evaluations-response.json"))
ADL = adl_validator()
PLACES = ["subject", "subject.properties", "action", "resource", "resource.properties", "context"]
PLACES += [
    f"resource.properties.{name}"
    for name in ("agreement", "recipient", "kind", "fields", "subjects", "strict")
]
PLACES += [f"context.{name}" for name in ("time", "claims", "facts", "counters", "traceparent")]
PLACES += ["context.facts.certificate_valid", "context.claims.provision", "evaluations", "options"]


def check_any(body: bytes) -> None:
    for call in (point().evaluation, point().evaluations):
        said = ""
        with structlog.testing.capture_logs() as captured:
            try:
                answer = call(body)
            except InvalidInput as error:
                said = str(error)
            else:
                assert ANSWERS["evaluations" in answer].is_valid(answer)
                assert SECRET not in json.dumps(answer)
                assert codes_of_defects(answer) == []
        assert SECRET not in said
        assert len(records(captured)) == (not said)
        for record in records(captured):
            assert ADL.is_valid(record)
            assert SECRET not in json.dumps(record)


def codes_of_defects(answer: dict[str, Any]) -> list[str]:
    items = answer.get("evaluations", [answer])
    codes = [reason["code"] for item in items for reason in item["context"].get("reasons", [])]
    return [code for code in codes if code == "ENGINE_ERROR"]


@given(trees)
def test_any_json_is_answered_or_refused_without_its_values(tree: object) -> None:
    check_any(json.dumps(tree).encode())


@given(st.sampled_from(PLACES), trees)
def test_any_value_at_any_place_is_answered_or_refused_without_its_values(place: str, tree: object) -> None:
    document = (
        deepcopy(EVALUATION) | {"evaluations": []} if place != "options" else {"evaluations": [EVALUATION]}
    )
    check_any(json.dumps(changed(place, tree if tree is not None else "", document)).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_answered(body: bytes) -> None:
    check_any(body)
