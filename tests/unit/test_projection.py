# SPDX-License-Identifier: EUPL-1.2
"""The projection follows what a real broker logs: categories from the rules of then, deliveries, a leader."""

import asyncio
from datetime import date

import pytest

from broker.audit.projection import LOCK, PATIENCE, PORTION, Projection
from broker.policy.active import install
from broker.storage.open import open_store
from broker.storage.projected import EVERY, Days, Filter, Results, Sight
from sluis.errors import Unavailable
from sluis.policy.bundle import default_directory, read_files
from tests.world import FIRM, OTHER_FIRM, World, bundle

ALL = Sight.everything()


async def test_what_a_broker_logs_becomes_rows(world: World) -> None:
    install(world.store, read_files(default_directory()), world.clock.now)
    await world.certify(FIRM)
    answer = await world.push(world.envelope(FIRM))
    await world.push(world.envelope(OTHER_FIRM))  # holds no certificate
    await world.ask(FIRM)
    await world.broker.mailbox.acknowledge(world.cast.sna.caller, [answer.receipt.log_index])
    projection = Projection(world.store)
    assert projection.advance(portion=2)  # a full portion: there may be more
    assert not projection.once()
    index = world.store.exchange_index
    assert index.position() == world.size

    facets = index.facets(ALL, EVERY, None).counts
    assert facets["operation"] == {"signal.push": 2, "match.question": 1, "register.load": 1}
    assert facets["acknowledged"] == {"yes": 1}
    assert set(facets["policy"]) == {bundle().digest}
    pair = (world.cast.nla.oin, world.cast.sna.oin)
    assert index.matrix(Sight(pair[0]), None) == {pair: Results(released=1, denied=1)}

    [row] = index.exchanges(ALL, Filter({"acknowledged": ["yes"]}), None, None, 10)
    assert row.log_index == answer.receipt.log_index
    spec = {bundle().fields[name].category.value for name in answer.decision.released}
    assert set(row.shape.categories) == spec
    assert row.shape.articles
    life = index.exchange(Sight(pair[1]), row.exchange)
    assert [item.shape.operation for item in life] == ["signal.push", "signal.acknowledge"]
    today = world.clock.now.date()
    assert index.days(ALL, Days(today, today))[0].results.total == 4
    assert index.days(ALL, Days(date(2020, 1, 1), date(2020, 1, 2)))[0].results.total == 0


async def test_only_the_leader_follows_and_another_takes_over(world: World) -> None:
    other = open_store(f"sqlite:///{world.folder}/broker.db", now_ms=world.clock.ms)
    assert other.try_lead(LOCK)
    projection = Projection(world.store)
    assert not projection.once()
    assert world.store.exchange_index.position() == 0
    other.close()
    projection.once()
    assert world.store.exchange_index.position() == world.size


async def test_it_gives_way_to_a_busy_log_for_a_minute(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.audit.projection.BUSY", 1)
    now = [1_000.0]
    projection = Projection(world.store, monotonic=lambda: now[0])

    async def grow(entries: int) -> int:
        now[0] += 1.0
        for _ in range(entries):
            await world.ask(FIRM)
        return projection.due()

    assert await grow(3) == world.size  # the first round: nobody knows how quickly it grew
    assert await grow(1)
    assert not await grow(2)
    assert await grow(0)
    assert not await grow(2)
    now[0] += PATIENCE - 2.5
    assert not await grow(2)
    assert await grow(2)
    assert not await grow(2)


async def test_it_goes_no_further_than_the_log_was_when_it_looked(world: World) -> None:
    for _ in range(PORTION + 30):
        await world.ask(FIRM)
    projection = Projection(world.store)
    until = projection.due()
    await world.ask(FIRM)
    for _ in range(2 * PORTION):
        await world.ask(FIRM)
    assert projection.once(until)
    assert not projection.once(until)
    assert until <= world.store.exchange_index.position() == 2 * PORTION < world.size
    assert projection.once()


async def test_it_runs_until_cancelled_and_tries_again_after_trouble(world: World) -> None:
    projection = Projection(world.store, interval=0.01)
    advance, calls, loop, done = projection.advance, [], asyncio.get_running_loop(), asyncio.Event()

    def troubled(portion: int = 500) -> bool:
        calls.append(portion)
        if len(calls) == 1:
            raise Unavailable("storage-unavailable")
        if not (more := advance(portion)):
            loop.call_soon_threadsafe(done.set)
        return more

    projection.advance = troubled  # type: ignore[method-assign]  # trouble for one time
    task = asyncio.create_task(projection.run())
    await asyncio.wait_for(done.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(calls) >= 2
    assert world.store.exchange_index.position() == world.size
