# SPDX-License-Identifier: EUPL-1.2
"""Structured logs hold what the catalogue lists, and never the text of an exception."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from sluis.events import ALWAYS, CATALOGUE, configure_logs, only_catalogued, without_exception_text

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("sluis", "broker", "evaluator", "witness", "adapters")
METHODS = {"debug", "info", "warning", "error", "critical", "exception"}
SECRET = "999990019"


@pytest.fixture
def _undone() -> Iterator[None]:
    """Put the logs back as they were."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_listed_event_passes_with_its_fields() -> None:
    event = {"event": "call.refused", "level": "info", "method": "Push", "code": "budget-spent"}
    assert only_catalogued(None, "info", dict(event)) == event


def test_a_field_that_is_not_listed_is_dropped() -> None:
    event = {"event": "call.refused", "method": "Push", "bsn": SECRET}
    assert only_catalogued(None, "info", event) == {"event": "call.refused", "method": "Push"}


def test_an_event_that_is_not_listed_keeps_its_name_alone() -> None:
    event = {"event": "row.read", "level": "info", "value": SECRET}
    assert only_catalogued(None, "info", event) == {
        "event": "event.unlisted",
        "level": "info",
        "name": "row.read",
    }


@pytest.mark.parametrize("name", ["x" * 60, "é", SECRET, f"found {SECRET} in a row", "Not.ours"])
def test_an_unlisted_name_that_may_be_a_sentence_is_not_kept(name: str) -> None:
    assert only_catalogued(None, "info", {"event": name}) == {"event": "event.unlisted", "name": "?"}


def test_an_exception_is_kept_as_places_without_its_text() -> None:
    def deep() -> None:
        raise ValueError(SECRET)

    try:
        deep()
    except ValueError:
        event = without_exception_text(None, "error", {"event": "call.defect", "exc_info": True})
    assert event.keys() == {"event", "exception"}
    assert [place.split()[1] for place in event["exception"]] == [
        "test_an_exception_is_kept_as_places_without_its_text",
        "deep",
    ]
    assert SECRET not in str(event)


def test_only_the_last_places_of_a_long_trace_are_kept() -> None:
    def recurse(depth: int) -> None:
        if depth == 0:
            raise ValueError
        recurse(depth - 1)

    try:
        recurse(50)
    except ValueError:
        event = without_exception_text(None, "error", {"exc_info": True})
    assert len(event["exception"]) == 8


@pytest.mark.usefixtures("_undone")
def test_a_process_writes_json_lines_without_what_is_not_listed(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("broker")
    log = structlog.get_logger("test")
    log.info("service.stopping", grace=1.5, bsn=SECRET)
    log.debug("service.stopped")
    log.warning(f"found {SECRET}" * 5)
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        log.exception("work.defect", work="Push", kind=type(error).__name__)
        log.error("work.defect", work="Push", exc_info=error)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert SECRET not in printed.err
    lines = [json.loads(line) for line in printed.err.splitlines()]
    assert [line["event"] for line in lines] == [
        "service.stopping",
        "event.unlisted",
        "work.defect",
        "work.defect",
    ]
    assert {line["service"] for line in lines} == {"broker"}
    assert lines[0]["grace"] == 1.5
    assert lines[2]["kind"] == "KeyError"
    assert lines[2]["exception"][0].startswith("test_events.py:")


# the code base


def logged_events() -> list[tuple[str, ast.Call]]:
    """Every call of a `log` in our code, with the place where it stands."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in METHODS
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "logger")
                ):
                    found.append((f"{path.relative_to(ROOT)}:{node.lineno}", node))
    return found


def name_of(call: ast.Call) -> Any:
    return call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None


def test_every_event_in_the_code_is_listed_with_all_its_fields() -> None:
    calls = logged_events()
    assert len(calls) > 20
    for place, call in calls:
        name = name_of(call)
        assert isinstance(name, str), f"{place}: the name of an event is a literal"
        assert len(call.args) == 1, f"{place}: fields are named"
        assert name in CATALOGUE, f"{place}: `{name}` is not in the catalogue"
        fields = {keyword.arg for keyword in call.keywords}
        assert None not in fields, f"{place}: fields are spelled out"
        assert fields <= CATALOGUE[name], (
            f"{place}: {fields - CATALOGUE[name]} of `{name}` are not in the catalogue"
        )


def test_the_catalogue_lists_no_event_that_nobody_writes_and_no_field_twice() -> None:
    assert {name_of(call) for _, call in logged_events()} == set(CATALOGUE)
    assert all(not fields & ALWAYS for fields in CATALOGUE.values())
