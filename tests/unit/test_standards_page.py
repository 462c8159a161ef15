# SPDX-License-Identifier: EUPL-1.2
"""The examples on docs/standards.md are what the software takes and gives."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import structlog
from authzen_samples import EVALUATION, adl_validator, ask, records, validator
from decide_samples import BUNDLE

from broker.console.asked import MAX_BODY, MAX_EVALUATIONS, MAX_MEMBERS
from sluis.policy.odrl import odrl_policy

PAGE = (Path(__file__).parents[2] / "docs" / "standards.md").read_text("utf-8")
QUESTION, ANSWER, RECORD, CONSTRAINT = (
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
)


def differences(shown: Any, real: Any, where: str = "") -> list[str]:
    """Where an example and the real thing differ; `...` in the example stands for anything."""
    if shown == "...":
        return []
    if isinstance(shown, dict) and isinstance(real, dict):
        if shown.keys() != real.keys():
            return [f"{where}: {sorted(shown.keys() ^ real.keys())}"]
        return [line for key in shown for line in differences(shown[key], real[key], f"{where}.{key}")]
    return [] if shown == real else [f"{where}: {real}"]


def test_the_question_is_answered_as_shown() -> None:
    assert validator("access-evaluation-request.json", as_published=True).is_valid(QUESTION)
    assert differences(ANSWER, ask(QUESTION)) == []


def test_the_record_is_as_shown() -> None:
    with structlog.testing.capture_logs() as captured:
        ask(QUESTION)
    [record] = records(captured)
    assert adl_validator().is_valid(record)
    assert differences(RECORD, record) == []


def test_the_constraint_is_in_the_export() -> None:
    permissions: Any = odrl_policy(BUNDLE, "waadi-14b")["permission"]
    assert any(CONSTRAINT in permission["constraint"] for permission in permissions)


def test_a_difference_is_seen() -> None:
    assert differences({"a": {"b": 1}}, {"a": {"b": 2}}) == [".a.b: 2"]
    assert differences({"a": 1}, {"a": 1, "b": 2}) == [": ['b']"]


@pytest.mark.parametrize(
    "member", [*EVALUATION["resource"]["properties"], "strict", "subjects", *EVALUATION["context"]]
)
def test_every_member_that_is_read_is_on_the_page(member: str) -> None:
    assert f"`{member}`" in PAGE or f"`context.{member}`" in PAGE


def test_the_limits_are_on_the_page() -> None:
    assert MAX_BODY == 1 << 20
    assert f"At most {MAX_EVALUATIONS} evaluations, 1 MiB" in PAGE
    assert f"and {MAX_MEMBERS} fields" in PAGE
