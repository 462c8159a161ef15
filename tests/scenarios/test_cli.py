# SPDX-License-Identifier: EUPL-1.2
"""The `sluis` command as a participant, an officer and an operator use it, against running services.

Data on stdout, people's text on stderr; exit codes 0 ok, 1 failed, 2 wrong usage, 3 denied, 4 not verified. An error
is one sentence with its code, never a traceback.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from demo.cast import CastMember
from sluis.certificates import certificate_pem
from sluis.cli.app import app
from sluis.tlog_proof import TlogProof
from tests.scenarios.calls import log_size
from tests.scenarios.scene import FINES_HEADER, Scene, certified_csv, establishment
from tests.warm import run as run_warm
from tests.warm import run_cold

FAILED, USAGE, DENIED, NOT_VERIFIED = 1, 2, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    said: str

    @property
    def data(self) -> Any:
        """What stands on stdout, which is JSON or nothing."""
        return json.loads(self.out) if self.out else None


def sluis(*command: str | Path, cold: bool = False, **environment: str) -> Done:
    """Run the command, warm unless asked for a `python -m sluis`; it never shows a traceback."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUIS_")}
    run = run_cold if cold else run_warm
    done = run([*map(str, command)], {**kept, "COLUMNS": "200", **environment})
    assert "Traceback" not in done.stdout + done.stderr
    return Done(code=done.returncode, out=done.stdout, said=done.stderr)


As = Callable[..., Done]


@pytest.fixture
def run_as(shared: Scene) -> As:
    """Run a command with a participant's `sluis.toml`."""

    def run(member: CastMember, *command: str | Path, cold: bool = False) -> Done:
        return sluis(*command, cold=cold, SLUIS_CONFIG=str(shared.stage.write_config(member)))

    return run


@pytest.fixture
def operate(shared: Scene) -> Callable[..., Done]:
    """Run an act of the broker's operator, at the broker's host."""
    config = shared.stage.broker.command[-1]

    def run(verb: str, *command: str | Path) -> Done:
        return sluis("broker", verb, *command, "--config", config)

    return run


COMMANDS = """
keys new|keys card|keys show|keys broker|keys officer|keys evaluator|keys add-epoch|keys witness
keys renew|keys next-card|keys switch|keys prune
broker revoke-card|broker epoch list|broker epoch announce|broker epoch compromise|broker epoch rotate
broker epoch retire|broker serve|broker admit|broker enrol|broker reindex|broker retire|broker stop|broker resume
evaluator serve|evaluator epochs|evaluator destroy|witness serve
audit verify|audit show|audit prove|audit check|audit adl|audit policy
audit bundle|audit receipts|audit gossip|audit statistics|audit subject|console link
policy explain|policy test|policy check|policy at
policy show|policy read|policy diff|policy analyse|policy current|policy propose|policy approve|policy activate
policy history|policy replay|policy export cedar|policy export odrl|register|push|receive|match|demo
answer|ask|attend|broker expire|broker hold|broker holds|broker lift-hold|broker scrub|correct|feedback
hold agree|hold ask|hold ask-subject|hold lift|inbox|overdue|recall|rectify|watch
"""


def commands_below(command: object, name: str = "") -> Iterator[str]:
    """Every command that does something, by its full name."""
    if not isinstance(command, TyperGroup):
        yield name
        return
    for word, below in command.commands.items():
        yield from commands_below(below, f"{name} {word}".strip())


def test_every_command_explains_itself() -> None:
    names = [name for name in COMMANDS.replace("\n", "|").split("|") if name]
    assert sorted(names) == sorted(commands_below(get_command(app)))
    commands = [name.split() for name in names]
    top = sluis("--help", cold=True)
    assert top.code == 0
    assert sluis("--help").out.split() == top.out.replace("python -m sluis", "sluis").split()
    assert all(command[0] in top.out for command in commands)
    for command in commands:  # in this process, which is a second quicker each
        shown = CliRunner().invoke(app, [*command, "--help"])
        assert shown.exit_code == 0, command
        assert f"Usage: root {' '.join(command)}" in shown.output, command
    assert sluis("--version", cold=True).out.strip()[0].isdigit()


def test_wrong_usage_has_its_own_exit_code() -> None:
    assert sluis("push", cold=True).code == USAGE
    for command in (["nonsense"], ["audit", "show", "x"], ["audit", "show", "-1"], ["keys", "new", "x"]):
        assert CliRunner().invoke(app, command).exit_code == USAGE


def test_a_missing_or_wrong_configuration_is_one_sentence(tmp_path: Path) -> None:
    missing = sluis("receive", "--out", "x", "--config", tmp_path / "none.toml", cold=True)
    assert missing.code == FAILED
    assert "[file-not-found]" in missing.said
    (tmp_path / "sluis.toml").write_text('oin = "1"\ntypo = 3\n')
    wrong = sluis("receive", "--out", "x", "--config", tmp_path / "sluis.toml")
    assert wrong.code == FAILED
    assert "`typo`" in wrong.said
    assert "[malformed-config]" in wrong.said


def fines_file(scene: Scene, folder: Path, count: int) -> Path:
    """Good fines, and three rows that are not."""
    rows = [
        f"{fine.establishment.value};{fine.law};{fine.article};1;{fine.found_on};{fine.decided_on}"
        for fine in scene.fines(count)
    ]
    bad = [rows[0].replace(";1;", ";0;"), rows[0][3:], rows[0] + ";x"]
    path = folder / "fines.csv"
    path.write_text("\n".join([FINES_HEADER, *rows, *bad, rows[0]]) + "\n")
    return path


def test_a_day_by_hand(shared: Scene, run_as: As, tmp_path: Path) -> None:
    run_as = partial(run_as, cold=True)
    cast = shared.stage.cast
    certified = tmp_path / "certified.csv"
    certified.write_text(certified_csv(20, shared.today))
    loaded = run_as(cast.foundation, "register", certified, "--json")
    assert loaded.code == 0, loaded.said
    assert [snapshot["entries"] for snapshot in loaded.data["snapshots"]] == [20, 10, 10]
    assert run_as(cast.foundation, "receive", "--out", tmp_path / "earlier.jsonl").code == 0

    fines = fines_file(shared, tmp_path, 6)
    pushed = run_as(cast.inspectorate, "push", fines, "--to", cast.foundation.oin, "--json")
    assert pushed.code == 0, pushed.said
    assert (pushed.data["rows"], pushed.data["accepted"], pushed.data["duplicates"]) == (10, 6, 1)
    assert [row["code"] for row in pushed.data["rejected"]] == [
        "number-format",
        "identifier-format",
        "row-shape",
    ]
    assert (pushed.data["permitted"], pushed.data["sent_before"]) == (6, 0)
    assert "line 8, column aantal" in pushed.said
    again = run_as(cast.inspectorate, "push", fines, "--to", cast.foundation.oin, "--json")
    assert (again.code, again.data["permitted"], again.data["sent_before"]) == (0, 6, 6)

    out = tmp_path / "received.jsonl"
    received = run_as(cast.foundation, "receive", "--out", out, "--pass-on-with", certified, "--json")
    assert (received.code, received.data) == (0, {"delivered": 6, "repeated": 0, "refused": []})
    assert len(out.read_text().splitlines()) == 6
    assert out.stat().st_mode & 0o077 == 0
    assert run_as(cast.foundation, "receive", "--out", out, "--json").data["delivered"] == 0

    asked: dict[str, list[Any]] = {}
    for body in cast.bodies:
        hits = tmp_path / f"{body.slug}.jsonl"
        matched = run_as(body, "match", certified, "--body", body.name, "--out", hits, "--json")
        assert matched.code == 0, matched.said
        assert matched.data["asked"] == 10 == matched.data["misses"] + len(matched.data["hits"])
        asked |= {hit["subject"]: hit["signals"] for hit in matched.data["hits"]}
        asking = ("match", certified, "--body", body.name, "--out", hits, "--private", "--json")
        private = run_as(body, *asking)
        assert (private.code, private.data["asked"], private.data["resumed"]) == (0, 10, False)
        subjects = [{hit["subject"] for hit in one.data["hits"]} for one in (private, matched)]
        assert subjects[0] == subjects[1]
        assert len(private.data["hits"]) <= private.data["claimed"] < 10
        assert f"the broker saw {private.data['claimed']} of them" in private.said
    assert sum(len(signals) for signals in asked.values()) >= 6


def test_what_is_denied_is_told_by_reason(shared: Scene, run_as: As, tmp_path: Path) -> None:
    cast = shared.stage.cast
    fines = tmp_path / "fines.csv"
    today = shared.today
    fines.write_text(f"{FINES_HEADER}\n{establishment(999)};WML;7;1;{today};{today}\n")
    denied = run_as(cast.inspectorate, "push", fines, "--to", cast.foundation.oin, "--json")
    assert (denied.code, denied.data["denied"]) == (0, {"NO_CERTIFICATE": 1})
    assert "1 denied: NO_CERTIFICATE" in denied.said


def test_what_would_be_refused_is_told_before_anything_is_sealed(
    shared: Scene, run_as: As, tmp_path: Path
) -> None:
    cast = shared.stage.cast
    fines = tmp_path / "fines.csv"
    old = shared.today.replace(year=shared.today.year - 3, day=1)
    fines.write_text(f"{FINES_HEADER}\n{establishment(999)};WML;7;1;{old};{old}\n")
    size = log_size(shared.stage)
    told = run_as(cast.inspectorate, "push", fines, "--to", cast.foundation.oin, "--ask-first", "--json")
    assert (told.code, told.data["not_offered"], told.data["denied"]) == (0, {"LOOKBACK": 1}, {})
    assert (
        "1 not offered, since the broker would refuse: Denied: the fine was imposed longer ago" in told.said
    )
    assert log_size(shared.stage) == size
    offered = run_as(cast.inspectorate, "push", fines, "--to", cast.foundation.oin, "--offer-all", "--json")
    assert sum(offered.data["denied"].values()) == 1
    assert log_size(shared.stage) == size + 1


@pytest.mark.parametrize(
    ("content", "code"),
    [("", "file-empty"), ("hallo\n", "file-not-csv"), ("wet;artikel\n", "column-missing")],
)
def test_a_file_that_is_none_is_refused(
    shared: Scene, run_as: As, tmp_path: Path, content: str, code: str
) -> None:
    path = tmp_path / "fines.csv"
    path.write_text(content)
    refused = run_as(shared.stage.cast.inspectorate, "push", path, "--to", shared.stage.cast.foundation.oin)
    assert (refused.code, refused.out) == (FAILED, "")
    assert f"[{code}]" in refused.said


def test_the_officer_verifies_shows_proves_and_checks(shared: Scene, run_as: As, tmp_path: Path) -> None:
    officer = shared.stage.cast.officer
    size = log_size(shared.stage)
    verified = run_as(officer, "audit", "verify", "--json")
    assert verified.code == 0, verified.said
    assert verified.data["size"] > size
    assert verified.data["cosigners"] == ["witness.example/demo"]
    shown = run_as(officer, "audit", "show", "0")
    assert shown.data["operation"] == "party.admit"
    proof = tmp_path / "p.tlog-proof"
    proven = run_as(officer, "audit", "prove", "1", "--out", proof)
    assert (proven.code, proven.data["operation"]) == (0, "party.admit")
    assert TlogProof.parse(proof.read_text()).index == 1
    assert run_as(officer, "audit", "check", proof).data == proven.data
    proof.write_text(proof.read_text().replace("index 1", "index 2"))
    forged = run_as(officer, "audit", "check", proof)
    assert (forged.code, forged.out) == (NOT_VERIFIED, "")
    beyond = run_as(officer, "audit", "show", "99999")
    assert (beyond.code, beyond.out) == (FAILED, "")
    other = run_as(shared.stage.cast.inspectorate, "audit", "verify")
    assert other.code == FAILED
    assert "[not-your-role]" in other.said


def test_the_rules_explain_what_they_would_decide(shared: Scene, run_as: As) -> None:
    cast = shared.stage.cast
    asked = ["policy", "explain", "--to", cast.foundation.oin, "--field", "law", "--claim", "provision=WML 7"]
    asked += ["--claim", f"decided_on={shared.today}"]
    may = run_as(cast.inspectorate, *asked, "--suppose", "certificate_valid", "--english")
    assert may.code == 0, may.said
    assert (may.data["effect"], may.data["released"]) == ("permit", ["law"])
    may_not = run_as(cast.inspectorate, *asked)
    assert (may_not.code, may_not.data["reasons"]) == (DENIED, ["NO_CERTIFICATE"])
    unknown = run_as(cast.inspectorate, *asked, "--field", "shoe_size")
    assert (unknown.code, unknown.out) == (FAILED, "")
    assert "(shoe_size) [unknown-value]" in unknown.said


def test_keys_are_made_shown_and_never_overwritten(shared: Scene, tmp_path: Path) -> None:
    oin = "00000099000000555000"
    folder = tmp_path / "keys"
    made = sluis("keys", "new", folder, "--oin", oin, "--name", "Nieuwkomer")
    assert (made.code, made.out) == (0, "")
    assert {path.name for path in folder.iterdir()} >= {"signing.key", "sealing.key", "tls.key", "tls.csr"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.key"))
    again = sluis("keys", "new", folder, "--oin", oin, "--name", "Nieuwkomer")
    assert again.code == FAILED
    assert "[key-exists]" in again.said
    early = sluis("keys", "card", folder, "--name", "Nieuwkomer", "--out", tmp_path / "card.json")
    assert "[key-missing]" in early.said
    certify(shared, folder)
    card = sluis("keys", "card", folder, "--name", "Nieuwkomer", "--out", tmp_path / "card.json")
    assert card.code == 0, card.said
    assert json.loads((tmp_path / "card.json").read_text())["oin"] == oin
    assert sluis("keys", "show", folder).data["oin"] == oin
    assert "[identifier-format]" in sluis("keys", "new", tmp_path / "x", "--oin", "12", "--name", "X").said


def certify(scene: Scene, folder: Path) -> None:
    """Answer the certificate request, as an authority would."""
    now, authority = datetime.now(UTC), scene.stage.cast.authority
    request = (folder / "tls.csr").read_bytes()
    answer = authority.answer(
        request, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=9)
    )
    (folder / "tls.crt").write_bytes(certificate_pem(answer))
    (folder / "ca.crt").write_bytes(certificate_pem(authority.certificate))


def test_services_keys_are_made_and_printed(tmp_path: Path) -> None:
    made = sluis("keys", "broker", tmp_path, "--origin", "sluis.example/t")
    assert [key.split("+")[0] for key in made.data["log_vkeys"]] == ["sluis.example/t"] * 2
    assert sluis("keys", "broker", tmp_path, "--origin", "sluis.example/t", "--show").data == made.data
    assert "[key-exists]" in sluis("keys", "broker", tmp_path, "--origin", "sluis.example/t").said
    witness = tmp_path / "witness.key"
    vkeys = sluis("keys", "witness", witness, "--name", "w.example/1").data
    assert sluis("keys", "witness", witness, "--name", "w.example/1", "--show").data == vkeys
    seeds = tmp_path / "seeds.json"
    command = (
        "keys",
        "evaluator",
        seeds,
        "--oin",
        "00000099000000555000",
        "--epoch",
        "2026",
        "--epoch",
        "2027",
    )
    assert sluis(*command).code == 0
    assert set(json.loads(seeds.read_text())["seeds"]) == {"2026", "2027"}
    assert "[key-exists]" in sluis(*command).said


def test_the_operator_admits_stops_and_resumes_while_the_broker_runs(
    shared: Scene, run_as: As, operate: Callable[..., Done], tmp_path: Path
) -> None:
    cast = shared.stage.cast
    folder = tmp_path / "keys"
    sluis("keys", "new", folder, "--oin", "00000099000000556000", "--name", "Nieuwkomer")
    certify(shared, folder)
    card = tmp_path / "card.json"
    sluis("keys", "card", folder, "--name", "Nieuwkomer", "--out", card)
    admitted = operate("admit", card, "--role", "privacy-officer")
    assert (admitted.code, admitted.data["status"]) == (0, "active")
    assert "[party-exists]" in operate("admit", card, "--role", "labour-inspectorate").said
    assert operate("admit", card, "--role", "king").code == FAILED
    card.write_bytes(card.read_bytes().replace(b"Nieuwkomer", b"Nieuwkoper"))
    assert operate("admit", card, "--role", "privacy-officer").code == NOT_VERIFIED
    assert "[file-not-found]" in operate("admit", tmp_path / "none.json", "--role", "privacy-officer").said

    for scope, target in stoppable(shared):
        fines = fines_file(shared, tmp_path, 1)
        push = ("push", fines, "--to", cast.foundation.oin, "--json")
        assert operate("stop", target, "--scope", scope, "--reason", "a test").code == 0
        stopped = run_as(cast.inspectorate, *push)
        if scope == "party":
            assert stopped.code == FAILED
            assert "[party-stopped]" in stopped.said
        else:
            assert stopped.data["denied"] == {"RULE_STOPPED": 1}
        assert operate("resume", target, "--scope", scope, "--reason", "over").code == 0
        assert run_as(cast.inspectorate, *push).data["permitted"] == 1
    assert "[not-found]" in operate("resume", "nothing", "--scope", "rule", "--reason", "x").said
    assert "[malformed-request]" in operate("stop", cast.foundation.oin, "--reason", " ").said
    assert "[unknown-value]" in operate("stop", "x", "--scope", "planet", "--reason", "x").said


def stoppable(scene: Scene) -> Iterator[tuple[str, str]]:
    """What a stop can be for, that a push of the inspectorate runs into."""
    late = scene.today.isoformat() >= "2026-07-01"
    yield "party", scene.stage.cast.inspectorate.oin
    yield "rule", f"fine-to-foundation-{'from-2026-07-01' if late else 'until-2026-06-30'}"


def test_an_unreachable_broker_is_named_after_the_kits_patience(shared: Scene, tmp_path: Path) -> None:
    config = shared.stage.write_config(shared.stage.cast.officer)
    away = {"SLUIS_CONFIG": str(config), "SLUIS_BROKER": "127.0.0.1:9", "SLUIS_PATIENCE_SECONDS": "0.3"}
    done = sluis("audit", "verify", **away)
    assert (done.code, done.out) == (FAILED, "")
    assert "[peer-unavailable]" in done.said
