# SPDX-License-Identifier: EUPL-1.2
"""Changing the rules by hand, as two officers and the operator do it, while the broker runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluis.cli.app import app
from tests.scenarios.scene import Scene
from tests.scenarios.test_cli import FAILED, Done, fines_file, sluis

AGREEMENT = "agreements/waadi-14b.yaml"


class Hands:
    """The commands of this test, with their configuration."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.folder = folder
        self._broker = scene.stage.broker.command[-1]
        self._kit = str(scene.stage.write_config(scene.stage.cast.inspectorate))

    def kit(self, *command: str | Path) -> Done:
        """A command of the inspectorate, its officers' among them."""
        return sluis(*command, SLUIS_CONFIG=self._kit)

    def broker(self, *command: str | Path) -> Done:
        """A command of the broker's operator."""
        return sluis(*command, "--config", self._broker)

    def sign(self, act: str, rules: Path, officer: str, *more: str | Path) -> Path:
        """A signed statement."""
        out = self.folder / f"{act}-{officer}-{rules.name}.json"
        done = self.kit(
            *("policy", act, *more, rules, "--officer", officer, "--key", self.folder / f"{officer}.key"),
            *("--reason", "een proef", "--out", out),
        )
        assert done.code == 0, done.said
        return out

    def enrol(self, officer: str, function: str) -> None:
        """A key for an officer, and the power to sign with it."""
        made = sluis("keys", "officer", self.folder / f"{officer}.key")
        key = made.data["officer_key"]
        again = sluis("keys", "officer", self.folder / f"{officer}.key", "--show")
        assert again.data == made.data
        oin = self.scene.stage.cast.inspectorate.oin
        done = self.broker(
            "broker", "enrol", officer, "--organisation", oin, "--function", function, "--key", key
        )
        assert done.code == 0, done.said


@pytest.fixture
def hands(shared: Scene, tmp_path: Path) -> Hands:
    return Hands(shared, tmp_path)


def test_two_officers_change_the_rules_and_change_them_back(hands: Hands, tmp_path: Path) -> None:
    now, new = tmp_path / "now", tmp_path / "new"
    before = hands.kit("policy", "current", "--out", now)
    assert before.code == 0, before.said
    hands.kit("policy", "current", "--out", new)
    text = (new / AGREEMENT).read_text()
    (new / AGREEMENT).write_text(text.replace("retention: P5Y", "retention: P4Y"))
    for officer, function in (("fg-a", "privacy"), ("fg-b", "privacy"), ("jur-a", "legal")):
        hands.enrol(officer, function)

    fines = fines_file(hands.scene, tmp_path, 2)
    pushed = hands.kit("push", fines, "--to", hands.scene.stage.cast.foundation.oin, "--json")
    assert pushed.data["permitted"] == 2

    proposal = hands.sign("propose", new, "fg-a")
    approval = hands.sign("approve", new, "fg-b", proposal)
    alone = hands.broker("policy", "activate", new, "--statement", proposal)
    assert (alone.code, "[approvals-missing]" in alone.said) == (FAILED, True)
    done = hands.broker("policy", "activate", new, "--statement", proposal, "--statement", approval)
    assert done.code == 0, done.said
    assert (done.data["verdict"], done.data["replaces"]) == ("narrower", before.data["policy"])
    after = hands.kit("policy", "current")
    assert after.data["policy"] == done.data["policy"] != before.data["policy"]

    record = hands.broker("policy", "replay")
    assert (record.code, record.data["changed"]) == (0, [])
    assert record.data["replayed"] >= 2
    other = hands.broker("policy", "replay", "--bundle", new)
    changes = {item["what"] for item in other.data["changed"]}
    assert "retention P5Y -> P4Y" in changes
    assert (
        hands.broker("policy", "replay", "--from", "2001-01-01", "--to", "2001-01-02").data["replayed"] == 0
    )

    # Back again is wider: two privacy officers do not suffice.
    proposal = hands.sign("propose", now, "fg-a")
    back = [proposal, hands.sign("approve", now, "fg-b", proposal)]
    refused = hands.broker("policy", "activate", now, *_statements(back))
    assert (refused.code, "a legal officer must sign too" in refused.said) == (FAILED, True)
    back.append(hands.sign("approve", now, "jur-a", proposal))
    wider = hands.broker("policy", "activate", now, *_statements(back))
    assert (wider.code, wider.data["verdict"]) == (0, "wider")
    history = hands.broker("policy", "history").data
    assert [row["policy"] for row in history[-3:]] == [
        before.data["policy"],
        after.data["policy"],
        before.data["policy"],
    ]
    assert hands.broker("broker", "retire", "fg-b", "--reason", "uit dienst").code == 0


def test_what_is_signed_is_what_is_meant(hands: Hands, tmp_path: Path) -> None:
    now = tmp_path / "now"
    hands.kit("policy", "current", "--out", now)
    sluis("keys", "officer", tmp_path / "x.key")
    sign = ("--officer", "fg-x", "--key", tmp_path / "x.key", "--reason", "r", "--out", tmp_path / "s.json")
    assert "[wrong-state]" in hands.broker("policy", "activate", now, "--statement", _same(hands, now)).said

    (now / AGREEMENT).write_bytes((now / AGREEMENT).read_bytes()[:-200])
    cut = hands.kit("policy", "propose", now, *sign)
    assert (cut.code, "waadi-14b.yaml" in cut.said, "[malformed-rule]" in cut.said) == (FAILED, True, True)
    (tmp_path / "s.json").write_text("{}")
    assert hands.kit("policy", "approve", tmp_path / "s.json", now, *sign).code == FAILED
    missing = hands.broker("policy", "activate", now, "--statement", tmp_path / "none.json")
    assert (missing.code, "[file-not-found]" in missing.said) == (FAILED, True)


def _same(hands: Hands, rules: Path) -> Path:
    """A proposal that would change nothing."""
    sluis("keys", "officer", hands.folder / "fg-s.key")
    return hands.sign("propose", rules, "fg-s")


def _statements(paths: list[Path]) -> list[str | Path]:
    return [part for path in paths for part in ("--statement", path)]


def test_the_rules_can_be_read_tested_and_exported_without_a_broker(tmp_path: Path) -> None:
    def run(*command: str | Path, code: int = 0) -> str:
        done = CliRunner().invoke(
            app, ["policy", *map(str, command)]
        )  # in this process, a second quicker each
        assert done.exit_code == code, done.output
        return done.stdout

    assert {row["ok"] for row in json.loads(run("test", "--only", "X01", "--json"))} == {True}
    assert run("check").startswith("sha256:")
    run("read", "--check")
    assert "burgerservicenummer" in run("show", "no-bsn-to-private")
    assert run("at", "2026-06-30") != run("at", "2026-07-01")
    assert "permit" in run("export", "cedar")
    assert json.loads(run("export", "odrl", "waadi-14b"))["@context"]
