# SPDX-License-Identifier: EUPL-1.2
"""Receipts and gossip with a running broker: proven by themselves, and an alarm for whoever was lied to."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from broker.keys import BrokerKeys
from demo.cast import CastMember
from demo.stage import ORIGIN, WITNESS
from sluis.checkpoint import Checkpoint
from sluis.checkpoint_signers import sign_checkpoint
from sluis.merkle import Hash
from sluis.note import Note
from sluis.receipt import Receipt
from tests.scenarios.calls import log_size
from tests.scenarios.scene import Scene
from tests.scenarios.test_cli import FAILED, NOT_VERIFIED, As, run_as

__all__ = ["run_as"]


def broker_keys(scene: Scene) -> BrokerKeys:
    """The broker's own keys, for tests in which it lies."""
    return BrokerKeys.load(scene.stage.broker.folder / "keys", ORIGIN)


def events(said: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_receipts_are_kept_and_proven(shared: Scene, run_as: As) -> None:
    cast = shared.stage.cast
    outcomes = asyncio.run(shared.push(5))
    asyncio.run(shared.receive())
    for member in (cast.inspectorate, cast.foundation):
        done = run_as(member, "audit", "receipts", "--json")
        assert done.code == 0, done.said
        assert done.data["proven"] >= len(outcomes)
        assert (done.data["waiting"], done.data["broken"], done.data["alarms"]) == (0, 0, [])


def test_participants_and_a_witness_see_one_history(shared: Scene, run_as: As, tmp_path: Path) -> None:
    stage, file = shared.stage, tmp_path / "checkpoint.txt"
    shown = run_as(stage.cast.inspectorate, "audit", "gossip", "--show")
    file.write_text(shown.out)
    assert Checkpoint.parse(Note.parse(shown.out).text).size > 0
    for given in (file, shown.out):
        found = run_as(stage.cast.foundation, "audit", "gossip", "--check", given)
        assert found.code == 0, found.said
        assert found.data["consistent"]
    asked = run_as(stage.cast.foundation, "audit", "gossip", "--witness", f"http://{stage.witness.address}")
    assert asked.code == 0, asked.said
    assert WITNESS in asked.said
    away = run_as(stage.cast.foundation, "audit", "gossip", "--witness", "http://127.0.0.1:9")
    assert (away.code, away.out) == (FAILED, "")
    assert run_as(stage.cast.foundation, "audit", "gossip").code == FAILED


def test_a_second_history_is_an_alarm(shared: Scene, run_as: As, tmp_path: Path) -> None:
    forged = Checkpoint(origin=ORIGIN, size=log_size(shared.stage), root=Hash(bytes(range(32))))
    file = tmp_path / "forged.txt"
    file.write_text(sign_checkpoint(forged, broker_keys(shared).log, 1_790_000_000))
    member = shared.stage.cast.bodies[0]
    found = run_as(member, "audit", "gossip", "--check", file)
    assert (found.code, found.out) == (NOT_VERIFIED, "")
    assert "ALARM: " in found.said
    [event] = [one for one in events(found.said) if one["event"] == "receipt.alarm"]
    assert event["kind"] == "log-contradicts"
    evidence = json.loads(Path(str(event["evidence"])).read_bytes())
    assert file.read_text() in (evidence["first"], evidence["second"])


def lie(scene: Scene, member: CastMember) -> None:
    """Give a participant a receipt for an entry that the log does not hold."""
    false = Receipt.sign(broker_keys(scene).receipt, log_origin=ORIGIN, log_index=1, leaf_hash=bytes(32))
    with closing(sqlite3.connect(member.state / "receipts.sqlite")) as rows, rows:
        rows.execute(
            "INSERT INTO receipt VALUES (?, 1, ?, ?, 0, 'open', 0)", (ORIGIN, bytes(32), false.signature)
        )


def test_a_broken_promise_is_an_alarm_at_the_end_of_any_command(
    shared: Scene, run_as: As, tmp_path: Path
) -> None:
    member = shared.stage.cast.bodies[1]
    out = tmp_path / "signals.jsonl"
    assert run_as(member, "receive", "--out", out).code == 0
    lie(shared, member)
    done = run_as(member, "receive", "--out", out, "--json")
    assert done.code == NOT_VERIFIED
    assert "(entry 1) [promise-broken]" in done.said
    assert done.data["delivered"] == 0  # the command itself did its work
    assert [one["kind"] for one in events(done.said) if one["event"] == "receipt.alarm"] == ["promise-broken"]
    again = run_as(member, "audit", "receipts", "--json")
    assert (again.code, again.data["broken"]) == (NOT_VERIFIED, 1)
    assert run_as(member, "receive", "--out", out).code == 0  # told once by itself
