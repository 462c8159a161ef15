# SPDX-License-Identifier: EUPL-1.2
"""The commands of docs/follow-up.md, from a question to a recall, and what each of them refuses.

The broker runs as a process of its own; the commands run in this one, one after another as people would.
"""

import asyncio
import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from demo.cast import CastMember
from sluis.cli.app import app
from sluis.client import Kit
from sluis.errors import SluisError
from sluis.policy.bundle import load_bundle
from tests.scenarios.held import file_of, held_by_all
from tests.scenarios.scene import Scene, set_scene
from tests.world import VALUES

PAGE = Path(__file__).parents[2] / "docs" / "follow-up.md"
DENIED = 3


@dataclass(frozen=True, slots=True)
class Held:
    """A broker that runs, and the id of a signal that the foundation and a body hold."""

    scene: Scene
    signal: UUID


async def no_alarm(_: Kit) -> bool:
    """Check no receipts."""
    return False


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """A body and the foundation hold a signal; nobody waits here for proofs of receipts."""
    monkeypatch.setattr("sluis.client.kit.load_bundle", functools.cache(load_bundle))
    monkeypatch.setattr("sluis.cli.followups.check_receipts", no_alarm)
    with set_scene(tmp_path, firms=1, bodies=("Waarmerk",)) as scene:
        signal = asyncio.run(held_by_all(scene.stage))
        scene.stage.witness.start()  # a holder proves from the log whose key signed
        scene.stage.broker.start()
        yield Held(scene, signal)


Run = Callable[..., Any]


@pytest.fixture
def run(held: Held) -> Run:
    """Run a command as a participant; gives its JSON."""

    def command(member: CastMember, *words: str, code: int = 0) -> Any:
        config = str(held.scene.stage.write_config(member))
        done = CliRunner().invoke(app, [*words, "--json", "--config", config])
        if isinstance(done.exception, SluisError):
            return done.exception.code
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    return command


def test_the_commands_carry_a_signal_through_the_rest_of_its_life(held: Held, run: Run) -> None:
    cast, signal = held.scene.stage.cast, str(held.signal)
    nla, sna, (body,) = cast.inspectorate, cast.foundation, cast.bodies
    mine = ("inbox", "--out", str(file_of(sna)))

    asked = run(sna, "ask", signal, "--question", "STILL_CURRENT")
    assert asked["permitted"]
    (question,) = run(nla, "inbox", "--out", str(file_of(nla)))["heard"]
    assert question["follow_up_id"] == asked["follow_up_id"]
    run(nla, "answer", question["follow_up_id"], "--answer", "AS_SENT")
    (answer,) = run(sna, *mine)["heard"]
    assert (answer["codes"], answer["refers_to"]) == ({"answer": "AS_SENT"}, asked["follow_up_id"])

    told = run(sna, "feedback", signal, "--outcome", "CONFIRMED", "--usability", "3", "--measure", "WARNING")
    assert not told["said_before"]
    again = run(sna, "feedback", signal, "--outcome", "CONFIRMED", "--usability", "3", "--measure", "WARNING")
    assert (again["said_before"], again["log_index"]) == (True, told["log_index"])
    assert run(sna, "attend", signal, "--function", "inspector") == "not-demanded"

    right = file_of(nla).with_name("right.json")
    right.write_text(json.dumps({**VALUES, "count": "2"}), encoding="utf-8")
    corrected = run(nla, "correct", signal, str(right), "--reason", "WRONG_CONTENT")
    assert corrected["holders"] == 2
    assert run(nla, "overdue")["duties"] == []
    assert {duty["act"] for duty in run(nla, "overdue", "--all")["duties"]} == {"fulfil", "feedback"}
    report = run(sna, *mine)
    assert [(item["act"], item["done"]) for item in report["heard"]] == [("correct", "MARKED")]
    assert [item["done"] for item in run(body, "inbox", "--out", str(file_of(body)))["heard"]] == ["MARKED"]

    recalled = run(nla, "recall", corrected["replacement"], "--reason", "WRONG_SUBJECT")
    assert recalled["holders"] == 1
    assert [item["done"] for item in run(sna, *mine)["heard"]] == ["NOT_FOUND"]
    history = run(sna, *mine, "--history")["heard"]
    assert [item["act"] for item in history] == ["answer", "correct", "recall"]
    receipts = run(nla, "inbox", "--out", str(file_of(nla)))["heard"]
    assert [item["codes"].get("done") for item in receipts] == [None, "MARKED", "MARKED", "NOT_FOUND"]
    assert run(nla, "overdue", "--all")["duties"] == []
    assert run(nla, "rectify", signal, "--reason", "FINE_WITHDRAWN")["holders"] == 2


def test_what_cannot_be_said_is_one_code(held: Held, run: Run) -> None:
    cast, signal = held.scene.stage.cast, str(held.signal)
    nla, sna, (body,) = cast.inspectorate, cast.foundation, cast.bodies
    assert run(sna, "recall", signal, "--reason", "WRONG_SUBJECT") == "not-the-sender"
    assert run(body, "feedback", signal, "--outcome", "CONFIRMED") == "not-a-holder"
    assert run(nla, "recall", signal, "--reason", "BECAUSE") == "unknown-code"
    assert run(nla, "recall", "nonsense", "--reason", "WRONG_SUBJECT") == "malformed-request"
    assert run(nla, "answer", signal, "--answer", "YES") == "not-asked"
    assert run(nla, "correct", signal, str(PAGE), "--reason", "WRONG_CONTENT") == "malformed-encoding"
    assert run(nla, "correct", signal, "/nowhere.json", "--reason", "WRONG_CONTENT") == "file-not-found"


def test_the_page_shows_every_command_and_every_command_has_help() -> None:
    page = PAGE.read_text("utf-8")
    names = ("ask", "answer", "feedback", "attend", "correct", "rectify", "recall", "inbox", "overdue")
    for name in names:
        assert re.search(rf"^    sluis {name} ", page, re.MULTILINE), name
        done = CliRunner().invoke(app, [name, "--help"])
        assert done.exit_code == 0
        options = set(re.findall(rf"^    sluis {name} .*", page, re.MULTILINE))
        for option in re.findall(r"--[a-z]+", " ".join(options)):
            assert option in done.output, (name, option)
