# SPDX-License-Identifier: EUPL-1.2
"""`kill -9` of the broker at random moments, restarted each time, on SQLite and on PostgreSQL.

Every acknowledged signal is delivered once in effect and has its log entry; nothing is there twice; the log
verifies. Two senders push: one waits until the broker is back, the other gives up at once and begins again, with
a kit that knows only what is on its disk.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from adapters.certification_body import ask
from adapters.foundation import certification_bodies, onward_drafts
from adapters.json_lines import keep_in
from broker.storage.open import open_store
from demo.stage import Stage
from sluis.canonical import parse_canonical
from sluis.client.sender import Draft, PushOutcome
from sluis.errors import Unavailable
from sluis.identifiers import Identifier
from tests.postgres import fresh_database
from tests.scenarios.scene import Scene, running_scene

SIGNALS = 5_000
CHUNK = 1_000
KILLS = 5
DEPOSITED = 300


@pytest.fixture(params=["sqlite", "postgres"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A scene on each database, with its registers loaded."""
    with ExitStack() as stack:
        database = stack.enter_context(fresh_database()) if request.param == "postgres" else ""
        made = stack.enter_context(running_scene(tmp_path, database=database))
        asyncio.run(made.keep_registers())
        yield made


@asynccontextmanager
async def killing(stage: Stage, between: tuple[float, float], least: int) -> AsyncIterator[None]:
    """Kill the broker and start it again, at random moments, while the block lasts; often enough."""
    killed = 0

    async def kill_on_and_on() -> None:
        nonlocal killed
        while True:
            await asyncio.sleep(random.uniform(*between))
            stage.broker.kill()
            killed += 1
            await asyncio.to_thread(stage.broker.start)

    task = asyncio.create_task(kill_on_and_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not stage.broker.process or stage.broker.process.poll() is not None:
            await asyncio.to_thread(stage.broker.start)
    assert killed >= least


async def push_patiently(scene: Scene, drafts: Sequence[Draft]) -> list[PushOutcome]:
    async with scene.kit(scene.stage.cast.inspectorate) as kit:
        return await kit.sender.push(drafts)


async def push_again_and_again(scene: Scene, drafts: Sequence[Draft]) -> list[PushOutcome]:
    while True:
        try:
            async with scene.kit(scene.stage.cast.inspectorate, patience_seconds=0.0) as kit:
                return await kit.sender.push(drafts)
        except Unavailable:
            await asyncio.sleep(0.1)


def logged(scene: Scene) -> Counter[tuple[str, str, str]]:
    """How often each exchange is in the log: operation, decision or outcome, exchange."""
    store = open_store(scene.stage.database)
    try:
        entries = [parse_canonical(row.entry) for row in store.entries(0, store.head().tree.size)]
    finally:
        store.close()
    return Counter(
        (str(e["operation"]), str(e.get("decision", e["outcome"])), str(e["exchange"]))
        for e in entries
        if "exchange" in e
    )


async def test_what_was_acknowledged_survives_kill_9(scene: Scene) -> None:
    drafts = scene.drafts(SIGNALS)
    outcomes: list[PushOutcome] = []
    async with killing(scene.stage, (0.1, 0.9), KILLS):
        for start in range(0, SIGNALS, CHUNK):
            push = push_again_and_again if start // CHUNK % 2 else push_patiently
            outcomes += await push(scene, drafts[start : start + CHUNK])
    assert len(outcomes) == SIGNALS
    assert [outcome for outcome in outcomes if not outcome.permitted] == []
    assert len({outcome.log_index for outcome in outcomes}) == SIGNALS

    received = await scene.receive()
    assert sorted(s.log_index for s in received) == sorted(o.log_index or 0 for o in outcomes)
    assert len({signal.header.signal_id for signal in received}) == SIGNALS
    by_index = {outcome.log_index: outcome.draft for outcome in outcomes}
    assert all(signal.fields == by_index[signal.log_index].fields for signal in received)

    pushed = {(str(s.header.signal_id)): 1 for s in received}
    counted = logged(scene)
    assert {k[2]: n for k, n in counted.items() if k[0] == "signal.push"} == pushed
    assert {k[2]: n for k, n in counted.items() if k[0] == "signal.acknowledge"} == pushed
    report = await scene.audit()
    assert report.decisions["signal.push permit"] == SIGNALS
