# SPDX-License-Identifier: EUPL-1.2
"""What was decided on can be written down, read back, and is committed to."""

import hashlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.decide.engine import decide
from broker.decide.inputs import commit_inputs, read_inputs, write_inputs
from broker.decide.model import Request
from sluis.errors import InvalidInput
from tests.unit.decide_samples import BUNDLE, FINE, NLA, VALID
from tests.unit.test_decide_properties import requests


@settings(max_examples=100, deadline=None)
@given(requests, st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 9)), st.integers(0, 9))
def test_a_request_comes_back_as_it_was_and_is_decided_alike(
    request: Request, counters: dict[str, int], subjects: int
) -> None:
    request = replace(request, counters=counters, subjects=subjects)
    again = read_inputs(write_inputs(request))
    assert again == request
    for name in ("claims", "facts", "counters"):
        assert getattr(again, name) == getattr(request, name)
    assert write_inputs(again) == write_inputs(request)
    assert decide(again, BUNDLE) == decide(request, BUNDLE)


def test_the_moment_is_kept_to_the_microsecond_in_utc() -> None:
    at = datetime(2026, 7, 1, 0, 0, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    again = read_inputs(write_inputs(replace(FINE, at=at)))
    assert again.at == at
    assert again.at.tzinfo is UTC


def test_the_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_inputs(FINE)
    try:
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert write_inputs(FINE) == written
        assert b'"at":"2026-11-23T12:00:00.000000+00:00"' in written
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_fact_without_asserter_comes_back_without() -> None:
    facts = {"certificate_valid": replace(VALID, asserter=None)}
    assert read_inputs(write_inputs(replace(FINE, facts=facts))).facts == facts


WRITTEN = json.loads(write_inputs(replace(FINE, facts={"certificate_valid": replace(VALID, asserter=NLA)})))


@pytest.mark.parametrize("name", sorted(WRITTEN))
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [["a"]], {"a": "b"}])
def test_anything_else_is_refused(name: str, value: Any) -> None:
    changed = {**WRITTEN, name: value}
    try:
        read_inputs(json.dumps(changed).encode())
    except InvalidInput:
        return
    assert write_inputs(read_inputs(json.dumps(changed).encode()))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (json.dumps({**WRITTEN, "v": 2}), "not the inputs of a decision of this version"),
        (json.dumps({**WRITTEN, "at": "then"}), "not the inputs of a decision"),
        ("[]", "not the inputs of a decision"),
        ("", "not the inputs of a decision"),
    ],
)
def test_a_refusal_says_what_is_wrong(data: str, message: str) -> None:
    with pytest.raises(InvalidInput) as found:
        read_inputs(data.encode())
    assert (found.value.code, found.value.message) == ("malformed-encoding", message)


@settings(max_examples=100, deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_inputs(data)


def test_the_commitment_is_over_length_prefixed_parts() -> None:
    parts = (b"sluis/v1/inputs", b"salt", b"{}")
    joined = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert commit_inputs(b"salt", b"{}") == hashlib.sha256(joined).hexdigest()


def test_the_commitment_depends_on_salt_and_inputs() -> None:
    inputs = write_inputs(FINE)
    assert commit_inputs(b"a" * 32, inputs) != commit_inputs(b"b" * 32, inputs)
    assert commit_inputs(b"a" * 32, inputs) != commit_inputs(
        b"a" * 32, write_inputs(replace(FINE, strict=True))
    )
