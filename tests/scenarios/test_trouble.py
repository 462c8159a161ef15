# SPDX-License-Identifier: EUPL-1.2
"""Trouble that passes: database, disk, clock, witness or evaluator fail for a while, and nothing is lost.

Who calls meanwhile hears which trouble it is, by code; a kit waits, and goes on where it was.
"""

import asyncio
import resource
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import make_url

from sluis.errors import NotAuthentic, Unavailable
from sluis.identifiers import Identifier, IdentifierType
from sluis.v1 import exchange_pb2
from tests.postgres import fresh_database, run_on_server
from tests.scenarios.calls import code_of, seal_draft
from tests.scenarios.scene import Scene, establishment, running_scene

NewScene = Callable[..., AbstractContextManager[Scene]]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene on SQLite for all trouble of this file that passes without a trace."""
    with running_scene(tmp_path_factory.mktemp("trouble")) as made:
        asyncio.run(made.keep_registers())
        asyncio.run(made.push(20))  # every firm's pseudonym is in the kit's cache
        asyncio.run(made.receive())
        yield made


def now_ms() -> int:
    """The time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def pushing(scene: Scene, count: int, heard: str = "") -> AsyncIterator[asyncio.Event]:
    """Push fines in the background; the event is set once some were answered.

    When the block ends, all must have been permitted, each once, and a stranger must have `heard` the code.
    """
    begun = asyncio.Event()

    async def push() -> None:
        async with scene.kit(scene.stage.cast.inspectorate, patience_seconds=40.0) as kit:
            outcomes = await kit.sender.push(scene.drafts(count), progress=lambda done: begun.set())
        assert len({outcome.log_index for outcome in outcomes if outcome.permitted}) == count

    task = asyncio.create_task(push())
    try:
        await begun.wait()
        assert not task.done()
        yield begun
        await asyncio.wait_for(task, 40)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(await scene.receive()) == count
    await scene.audit()


async def hears(scene: Scene, code: str, *, seconds: float = 15.0) -> None:
    """Somebody who asks for what is denied in good times hears the code of the trouble, within a while."""
    async with scene.kit(scene.stage.cast.inspectorate) as kit:
        sealed = await seal_draft(kit, scene.drafts(1)[0], pseudonym=bytes(16))
        deadline, said = time.monotonic() + seconds, ""
        while said != code:
            assert time.monotonic() < deadline, said
            await asyncio.sleep(0.02)
            try:
                answer = await kit.connections.exchange.Push(sealed.request())
                said = answer.decision.reasons[0].code
            except grpc.aio.AioRpcError as error:
                said = code_of(error)


async def test_a_database_that_is_gone_for_a_while(tmp_path: Path) -> None:
    with fresh_database() as url, running_scene(tmp_path, database=url) as scene:
        await scene.keep_registers()
        name = make_url(url).database
        end_sessions = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        async with pushing(scene, 400):
            run_on_server(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            try:
                for _ in range(5):
                    await asyncio.to_thread(run_on_server, end_sessions)
                    await asyncio.sleep(0.2)
                async with scene.kit(scene.stage.cast.foundation, patience_seconds=0.0) as kit:
                    with pytest.raises(Unavailable) as caught:
                        await kit.trust.parties("")
                    assert caught.value.code == "storage-unavailable"
            finally:
                run_on_server(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        for _ in range(3):  # and sessions that end while all goes well
            async with pushing(scene, 100):
                await asyncio.to_thread(run_on_server, end_sessions)


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is of Linux")
async def test_a_disk_that_is_full_for_a_while(scene: Scene) -> None:
    broker, folder = scene.stage.broker, scene.stage.broker.folder
    assert broker.process
    largest = max(path.stat().st_size for path in folder.iterdir() if path.is_file())
    async with pushing(scene, 600):
        # No file of the broker's may grow beyond this; its answer to that is EFBIG instead of ENOSPC.
        resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        try:
            await hears(scene, "storage-unavailable")
        finally:
            infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(broker.process.pid, resource.RLIMIT_FSIZE, infinite)


async def test_a_clock_that_was_set_back_makes_the_broker_wait_until_it_has_caught_up(scene: Scene) -> None:
    # The broker's clock is that of this machine; so the log is put ahead of it instead.
    scene.stage.broker.stop()
    put_log_ahead(scene, 3600_000)
    scene.stage.broker.start()
    await hears(scene, "clock-behind-log")
    put_log_ahead(scene, 3_000)
    await scene.push(5)
    await scene.audit()


def put_log_ahead(scene: Scene, ms: int) -> None:
    """Date the newest entry so far ahead of the clock."""
    with closing(sqlite3.connect(scene.stage.database.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE log_head SET last_time_ms = ?", (now_ms() + ms,))


async def test_a_witness_that_is_away_delays_its_cosignature_and_nothing_else(
    scene: Scene,
) -> None:
    await scene.receive()
    scene.stage.witness.kill()
    await scene.push(20)
    assert len(await scene.receive()) == 20
    async with scene.kit(scene.stage.cast.officer, patience_seconds=0.5) as kit:
        with pytest.raises(NotAuthentic) as caught:
            await kit.auditor.verify()
    assert caught.value.code == "not-witnessed"
    scene.stage.witness.start()
    report = await scene.audit()
    assert report.log
    assert report.log.size > 40
    assert report.cosigners == ("witness.example/demo",)


async def test_an_evaluator_that_is_away_is_waited_for_and_then_named_unavailable(scene: Scene) -> None:
    numbers = iter(range(1000, 2000))
    foundation = scene.stage.cast.foundation

    async def pseudonymise(patience: float) -> None:
        async with scene.kit(foundation, patience_seconds=patience) as kit:
            (epoch,) = await kit.pseudonymiser.epochs(kit.agreement, kit.oin)
            subject = Identifier.parse(IdentifierType.VESTIGING, establishment(next(numbers)))
            await kit.pseudonymiser.pseudonyms([subject], kit.agreement, kit.oin, epoch)

    await scene.push(1)
    evaluator = scene.stage.evaluators[1]
    evaluator.kill()
    with pytest.raises(Unavailable) as caught:
        await pseudonymise(0.5)
    assert caught.value.code == "peer-unavailable"
    waiting = asyncio.create_task(pseudonymise(30.0))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await asyncio.to_thread(evaluator.start)
    await waiting
    # What is in the cache needs neither of them.
    for service in scene.stage.evaluators:
        service.kill()
    await scene.push(5)
    for service in scene.stage.evaluators:
        service.start()


async def test_a_graceful_stop_loses_nothing_and_ends_in_time(new_scene: NewScene) -> None:
    with new_scene(broker={"grace_seconds": 1.0}) as scene:
        await scene.keep_registers()
        broker = scene.stage.broker
        async with pushing(scene, 1500), scene.kit(scene.stage.cast.foundation) as kit:
            call: Any = kit.connections.exchange.Receive(exchange_pb2.ReceiveRequest(follow=True))
            assert (await call.read()).deliveries  # and then it waits, for as long as the broker lives
            assert broker.process
            broker.process.terminate()
            assert await asyncio.to_thread(broker.process.wait, 6) == 0
            await asyncio.to_thread(broker.start)
            call.cancel()
        said = broker.log.read_text()
        assert '"event": "service.stopped"' in said
        assert "defect" not in said
