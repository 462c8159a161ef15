# SPDX-License-Identifier: EUPL-1.2
"""Admission: a crowd of calls by one caller costs one read of the directory, and nobody else's answer."""

import asyncio
import threading
from typing import Any

import pytest

from broker.admission import Directory
from broker.storage.port import PartyRow, PartyStatus
from sluis.errors import NotPermitted
from tests.world import World, bundle


class SlowStore:
    """The world's store, whose directory answers when the test lets it; it counts the reads."""

    def __init__(self, world: World) -> None:
        self._store = world.store
        self.reads = 0
        self.gate = threading.Event()

    def party(self, oin: str) -> PartyRow | None:
        self.reads += 1
        self.gate.wait(5)
        return self._store.party(oin)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_calls_that_arrive_together_cost_one_read(world: World) -> None:
    store = SlowStore(world)
    directory = Directory(store, bundle())
    calls = [asyncio.create_task(directory.admit(world.cast.nla.caller)) for _ in range(20)]
    await asyncio.sleep(0.05)
    store.gate.set()
    assert {admitted.oin for admitted in await asyncio.gather(*calls)} == {world.cast.nla.oin}
    assert store.reads == 1


async def test_callers_do_not_wait_for_the_answer_of_another(world: World) -> None:
    store = SlowStore(world)
    store.gate.set()
    directory = Directory(store, bundle())
    both = (world.cast.nla, world.cast.sna)
    admitted = await asyncio.gather(*(directory.admit(actor.caller) for actor in both))
    assert [one.oin for one in admitted] == [actor.oin for actor in both]
    assert store.reads == 2


async def test_a_call_that_is_cancelled_leaves_the_others_their_answer(world: World) -> None:
    store = SlowStore(world)
    directory = Directory(store, bundle())
    first, second = (asyncio.create_task(directory.admit(world.cast.nla.caller)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    await asyncio.sleep(0)
    store.gate.set()
    assert (await second).oin == world.cast.nla.oin
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_refusal_reaches_every_call_and_is_not_remembered(world: World) -> None:
    store = SlowStore(world)
    store.gate.set()
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "test")
    directory = Directory(store, bundle())
    calls = (directory.admit(world.cast.nla.caller) for _ in range(5))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(answer, NotPermitted) and answer.code for answer in answers] == ["party-stopped"] * 5
    world.operator.set_status(world.cast.nla.oin, PartyStatus.ACTIVE, "test")
    assert (await directory.admit(world.cast.nla.caller)).oin == world.cast.nla.oin
    assert store.reads == 2
