# SPDX-License-Identifier: EUPL-1.2
"""Keys change while pushes go on: epochs on schedule and in an emergency, certificates and cards; nothing is lost."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demo.cast import CastMember
from demo.stage import ORIGIN
from evaluator.ending import destroy
from evaluator.settings import EvaluatorSettings
from evaluator.shares import EvaluatorShares
from sluis.certificates import certificate_pem
from sluis.cli.app import app
from sluis.client import Kit
from sluis.client.receiver import ReceivedSignal
from sluis.client.sender import Draft
from sluis.epoch_log import KeyDestruction
from sluis.errors import Conflict, InvalidInput
from sluis.identifiers import Identifier, IdentifierType, Oin
from sluis.keys import KeyFolder
from tests.scenarios.scene import Scene, establishment

FIRM = Identifier.parse(IdentifierType.VESTIGING, establishment(1))


def run(*command: str | Path) -> object:
    """Run a command in this process; it succeeds, and what it prints as JSON comes back."""
    done = CliRunner().invoke(app, [str(word) for word in command])
    assert done.exit_code == 0, (command, done.output, done.exception)
    return json.loads(done.stdout) if done.stdout.strip() else None


def run_alone(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own."""
    line = [sys.executable, "-m", "sluis", *map(str, command)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


class Office:
    """The broker's operator at the command line."""

    def __init__(self, scene: Scene) -> None:
        self.config = scene.stage.broker.command[-1]

    def __call__(self, *command: str | Path) -> object:
        return run("broker", *command, "--config", self.config)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that comes by itself."""
    deadline = time.monotonic() + 10
    while not await true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


class Pusher:
    """Pushes on and on through one kit that is never opened anew."""

    def __init__(self, scene: Scene, kit: Kit) -> None:
        self._scene = scene
        self._kit = kit
        self._stop = asyncio.Event()
        self.sent: list[Draft] = []
        self.refusals: set[str] = set()

    async def go_on(self) -> None:
        """Push until told to stop; what is denied is offered again, as one would."""
        while not self._stop.is_set():
            drafts = self._scene.drafts(3)
            while drafts:
                outcomes = await self._kit.sender.push(drafts)
                self.sent += [outcome.draft for outcome in outcomes if outcome.permitted]
                failed = [outcome for outcome in outcomes if not outcome.permitted]
                self.refusals |= {outcome.reason or outcome.error for outcome in failed}
                drafts = [outcome.draft for outcome in failed]
                await asyncio.sleep(0.02)

    async def some(self, count: int = 6) -> None:
        """Wait until so many more were permitted."""
        goal = len(self.sent) + count

        async def enough() -> bool:
            return len(self.sent) >= goal

        await until(enough)

    def stop(self) -> None:
        """No more after this round."""
        self._stop.set()


async def add_seeds(scene: Scene, epoch: str) -> None:
    """Both evaluators draw a seed, and publish their keys without being restarted."""
    for one in scene.stage.cast.evaluators:
        run("keys", "add-epoch", one.folder / "seeds.json", epoch)

    def published() -> bool:
        with sqlite3.connect(scene.stage.database.removeprefix("sqlite:///")) as database:
            counts = dict(
                database.execute("SELECT epoch, count(*) FROM domain_key GROUP BY epoch").fetchall()
            )
        return counts.get(epoch) == counts[str(scene.today.year)]

    async def true() -> bool:
        return published()

    await until(true)


async def renew(scene: Scene, member: CastMember, tls: str = "") -> Path:
    """Make next keys, with a certificate when asked so, and their card."""
    run("keys", "renew", member.keys, *(["--tls", tls] if tls else []))
    if tls:
        now = datetime.now(UTC)
        answer = scene.stage.cast.authority.answer(
            (member.keys / "next" / "tls.csr").read_bytes(),
            valid_from=now - timedelta(minutes=1),
            valid_until=now + timedelta(days=9),
        )
        (member.keys / "next" / "tls.crt").write_bytes(certificate_pem(answer))
    card = member.folder / "next-card.json"
    run("keys", "next-card", member.keys, "--name", member.name, "--out", card)
    return card


async def test_no_signal_is_lost_or_doubled_while_every_key_changes(scene: Scene) -> None:
    cast, office, year = scene.stage.cast, Office(scene), str(scene.today.year)
    soon, emergency = f"{year}-b", f"{year}-c"
    async with scene.kit(cast.inspectorate) as kit:
        pusher = Pusher(scene, kit)
        pushing = asyncio.create_task(pusher.go_on())
        await pusher.some()

        # On schedule: keys, announcement, registers, and then the moment comes by itself.
        await add_seeds(scene, soon)
        begins = datetime.now(UTC) + timedelta(seconds=1.5)
        office("epoch", "announce", soon, "--begins", begins.isoformat(), "--json")
        await scene.keep_registers()
        await asyncio.sleep(max(0.0, (begins - datetime.now(UTC)).total_seconds()))
        async with scene.kit(cast.bodies[0]) as body:  # a kit of that moment seals in the new epoch
            assert await body.pseudonymiser.current_epoch(body.agreement, cast.foundation.oin) == soon
            assert await body.pseudonymiser.epochs(body.agreement, body.oin) == [year, soon]
        await pusher.some()
        assert pusher.refusals == set()

        # In an emergency: the epoch is closed under the pusher's hands.
        await add_seeds(scene, emergency)
        office(
            "epoch", "rotate", emergency, "--compromised", soon, "--reason", "a seed is suspected", "--json"
        )
        office("epoch", "compromise", year, "--reason", "so is that of before")
        await scene.keep_registers()
        await pusher.some()

        # Sender and recipient get new keys and certificates, one after the other; the mailbox is full of old ones.
        for member in (cast.inspectorate, cast.foundation):
            card = await renew(scene, member, tls=member.slug)
            await pusher.some(3)
            office("admit", card, "--role", member.role)
            await pusher.some(3)
        pusher.stop()
        await pushing

    received = await scene.receive()
    check_deliveries(pusher, received)
    assert {signal.header.epoch for signal in received} >= {year, emergency}
    assert not (cast.inspectorate.keys / "next").exists()  # the switch was made by itself
    keys = {
        entry["card"] for entry in entries(scene, "party.admit") if entry["party"] == cast.inspectorate.oin
    }
    assert len(keys) == 2
    await scene.push(2)  # with the switched keys and certificate, by a kit of its own
    assert len(await scene.receive()) == 2
    await check_the_end_of_an_epoch(scene, office, year)
    assert (await scene.audit()).log is not None


async def check_the_end_of_an_epoch(scene: Scene, office: Office, epoch: str) -> None:
    """Retired once nothing is left, destroyed once the log is proven to say so; a kit of then catches up."""
    cast = scene.stage.cast
    async with scene.kit(cast.foundation) as kit:
        known = await kit.pseudonymiser.pseudonyms([FIRM], kit.agreement, kit.oin, epoch)
        assert len(known) == 1
    in_use = CliRunner().invoke(app, ["broker", "epoch", "retire", epoch, "--config", office.config])
    assert "wrong-state" in str(in_use.exception)
    with sqlite3.connect(scene.stage.database.removeprefix("sqlite:///")) as database:
        database.execute(
            "UPDATE signal SET pseudonym = x'' WHERE epoch = ?", (epoch,)
        )  # as destruction leaves it
    configs = [service.command[-1] for service in scene.stage.evaluators]
    first, second = [EvaluatorSettings.load(Path(config)) for config in configs]
    with pytest.raises(Conflict, match="does not say that this epoch is retired"):
        await destroy(first, epoch)
    office("epoch", "retire", epoch, "--json")
    command = ("evaluator", "destroy", epoch, "--yes", "--config", configs[0], "--json")
    done = await asyncio.to_thread(run_alone, *command)
    assert done.returncode == 0, done.stderr
    assert await destroy(first, epoch) == json.loads(done.stdout)["log_index"]  # again: the same entry
    await destroy(second, epoch)
    listed = await asyncio.to_thread(run, "evaluator", "epochs", "--config", configs[0], "--json")
    assert isinstance(listed, list)
    assert [row["seed"] for row in listed if row["epoch"] == epoch] == [False]

    told = entries(scene, "key.destroy")
    assert {entry["evaluator"] for entry in told} == {one.oin for one in cast.evaluators}
    by_oin = {one.oin: one for one in cast.evaluators}
    for entry in told:
        one = by_oin[Oin(str(entry["evaluator"]))]
        statement = KeyDestruction.from_entry(
            json.dumps(entry, sort_keys=True, separators=(",", ":")).encode(), ORIGIN
        )
        statement.verify(KeyFolder(path=one.keys).signing().public, bytes.fromhex(str(entry["signature"])))
        assert epoch not in EvaluatorShares.load(one.folder / "seeds.json").epochs

    async with scene.kit(cast.foundation) as kit:
        epochs = await kit.pseudonymiser.epochs(kit.agreement, kit.oin)
        assert epoch not in epochs
        with sqlite3.connect(cast.foundation.state / "pseudonyms.sqlite") as cache:
            assert cache.execute("SELECT count(*) FROM pseudonyms WHERE epoch = ?", (epoch,)).fetchone() == (
                0,
            )
        with pytest.raises(InvalidInput, match="epoch"):
            await kit.pseudonymiser.pseudonyms([FIRM], kit.agreement, kit.oin, epoch)


def check_deliveries(pusher: Pusher, received: list[ReceivedSignal]) -> None:
    """Everything that was permitted came once, opened, and nothing else did."""
    assert pusher.refusals <= {"NO_CERTIFICATE"}  # for the moment before the registers were loaded
    sent = sorted(sorted(draft.fields.items()) for draft in pusher.sent)
    assert sorted(sorted(signal.fields.items()) for signal in received) == sent
    assert len({signal.header.signal_id for signal in received}) == len(received)


def entries(scene: Scene, operation: str) -> list[dict[str, object]]:
    """The entries of an operation, as they stand in the broker's database."""
    with sqlite3.connect(scene.stage.database.removeprefix("sqlite:///")) as database:
        rows = database.execute("SELECT entry FROM log_entry ORDER BY log_index").fetchall()
    return [entry for (row,) in rows if (entry := json.loads(row))["operation"] == operation]
