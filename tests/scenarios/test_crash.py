# SPDX-License-Identifier: EUPL-1.2
"""`kill -9` of the broker at random moments, restarted each time, on SQLite and on PostgreSQL.

Every acknowledged signal is delivered once in effect and has its log entry; nothing is there twice; the log
verifies. Two senders push: one waits until the broker is back, the other gives up at once and begins again, with
a kit that knows only what is on its disk.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.certification_body import ask
from adapters.foundation import certification_bodies, onward_drafts
from broker.storage.open import open_store
from demo.stage import Stage
from sluis.canonical import parse_canonical
from sluis.client.receiver import ReceivedSignal
from sluis.client.sender import Draft, PushOutcome
from sluis.errors import Unavailable
from tests.postgres import fresh_database
from tests.scenarios.scene import Scene, running_scene

SIGNALS = 1_200
CHUNK = 240
DEPOSITED = 200


@pytest.fixture(params=["sqlite", "postgres"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A scene on each database, with its registers loaded."""
    with ExitStack() as stack:
        database = stack.enter_context(fresh_database()) if request.param == "postgres" else ""
        made = stack.enter_context(running_scene(tmp_path, database=database))
        asyncio.run(made.keep_registers())
        yield made


@dataclass(slots=True)
class Killer:
    """Kills the broker, and starts it again, whenever the work has come to one of these points."""

    stage: Stage
    points: list[int]
    done: int = 0
    killed: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def progress(self, count: int) -> None:
        """Some more work was done."""
        self.done += count
        self._more.set()

    async def run(self) -> None:
        """Kill at every point, a random moment after it was reached."""
        for point in sorted(self.points):
            while self.done < point:
                self._more.clear()
                await self._more.wait()
            await asyncio.sleep(random.uniform(0.0, 0.03))
            self.stage.broker.kill()
            self.killed += 1
            await asyncio.to_thread(self.stage.broker.start)


@asynccontextmanager
async def killing(stage: Stage, kills: int, work: int) -> AsyncIterator[Killer]:
    """Kill the broker so many times, at random, while a block does so much work."""
    killer = Killer(stage=stage, points=random.sample(range(work * 9 // 10), kills))
    task = asyncio.create_task(killer.run())
    try:
        yield killer
        await asyncio.wait_for(task, 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert killer.killed == kills


async def push_patiently(scene: Scene, drafts: Sequence[Draft], killer: Killer) -> list[PushOutcome]:
    async with scene.kit(scene.stage.cast.inspectorate, patience_seconds=60.0) as kit:
        return await kit.sender.push(drafts, progress=killer.progress)


async def push_again_and_again(scene: Scene, drafts: Sequence[Draft], killer: Killer) -> list[PushOutcome]:
    while True:
        try:
            async with scene.kit(scene.stage.cast.inspectorate, patience_seconds=0.0) as kit:
                return await kit.sender.push(drafts, progress=killer.progress)
        except Unavailable:
            await asyncio.sleep(0.1)


def logged(scene: Scene) -> dict[str, Counter[str]]:
    """How often each exchange is in the log, by operation."""
    store = open_store(scene.stage.database)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    try:
        for row in store.entries(0, store.head().tree.size):
            entry = parse_canonical(row.entry)
            counts[str(entry["operation"])][str(entry.get("exchange"))] += 1
    finally:
        store.close()
    return counts


async def push_all(scene: Scene) -> list[PushOutcome]:
    drafts = scene.drafts(SIGNALS)
    outcomes: list[PushOutcome] = []
    async with killing(scene.stage, 8, SIGNALS) as killer:
        for start in range(0, SIGNALS, CHUNK):
            push = push_again_and_again if start // CHUNK % 2 else push_patiently
            outcomes += await push(scene, drafts[start : start + CHUNK], killer)
    return outcomes


async def receive_all(scene: Scene) -> list[ReceivedSignal]:
    received: list[ReceivedSignal] = []
    async with killing(scene.stage, 3, SIGNALS) as killer, scene.kit(scene.stage.cast.foundation) as kit:

        async def keep(signals: Sequence[ReceivedSignal]) -> None:
            received.extend(signals)
            killer.progress(len(signals))

        report = await kit.receiver.receive(keep)
    assert (report.refused, report.delivered) == ([], SIGNALS)
    return received


async def deposit(scene: Scene, signals: Sequence[ReceivedSignal]) -> None:
    async with scene.kit(scene.stage.cast.foundation) as kit:
        bodies = await certification_bodies(kit)
        drafts = onward_drafts(signals, scene.firms, bodies, scene.today)
        outcomes = await kit.sender.push(drafts)
    assert [outcome for outcome in outcomes if not outcome.permitted] == []


async def match_all(scene: Scene, deposited: int) -> list[ReceivedSignal]:
    body = scene.stage.cast.bodies[0]
    found: list[ReceivedSignal] = []
    clients = [firm.establishment for firm in scene.firms if firm.certified_by == body.name]
    async with killing(scene.stage, 2, deposited) as killer, scene.kit(body) as kit:

        async def keep(signals: Sequence[ReceivedSignal]) -> None:
            found.extend(signals)
            killer.progress(len(signals))

        report = await ask(kit, clients, keep)
    assert not report.misses
    assert not report.deliveries.refused
    return found


async def test_what_was_acknowledged_survives_kill_9(scene: Scene) -> None:
    outcomes = await push_all(scene)
    assert len(outcomes) == SIGNALS
    assert [outcome for outcome in outcomes if not outcome.permitted] == []
    by_index = {outcome.log_index: outcome.draft for outcome in outcomes}
    assert len(by_index) == SIGNALS

    received = await receive_all(scene)
    assert {signal.log_index for signal in received} == by_index.keys()
    assert all(signal.fields == by_index[signal.log_index].fields for signal in received)
    once = {str(signal.header.signal_id): 1 for signal in received}
    assert len(once) == len(received) == SIGNALS

    await deposit(scene, received[:DEPOSITED])
    found = await match_all(scene, DEPOSITED // 2)
    assert {signal.header.previous for signal in found} <= {s.header.signal_id for s in received[:DEPOSITED]}
    released = {str(signal.header.signal_id): 1 for signal in found}
    assert len(released) == len(found) == DEPOSITED // 2

    log = logged(scene)
    assert {e: n for e, n in log["signal.push"].items() if e in once} == once
    assert {e: n for e, n in log["signal.acknowledge"].items() if e in once} == once
    assert log["signal.release"] == released
    assert {e: n for e, n in log["signal.acknowledge"].items() if e not in once} == released
    report = await scene.audit()
    assert report.decisions == {
        "signal.push permit": SIGNALS + DEPOSITED,
        "register.load permit": 3,
        "match.question permit": 1,
        "signal.release permit": DEPOSITED // 2,
    }
