# SPDX-License-Identifier: EUPL-1.2
"""The process that is played in: a loop, a broker that may die and start again, calls that may go wrong.

What a party does may go wrong (`trouble.py`): it asks again under the same key, as the kit does, and whether it ever
had an answer is all that it knows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from broker.app import make_broker
from broker.storage.engines import connect, parse_url
from broker.storage.open import WAIT_MS
from broker.storage.sql import SqlStore
from sluis.errors import Unavailable
from sluis.merkle import Hash
from tests.actors import Actor
from tests.simulation.model import Model
from tests.simulation.trouble import Died, Dying, Trouble
from tests.world import ORIGIN, World, bundle, open_world

A = TypeVar("A")


def expect(told: str, expected: str) -> str:
    """An answer, which must be the one that the model expects."""
    assert told == expected, f"{told or 'done'!r} where {expected or 'done'!r} is due"
    return told


@dataclass(slots=True)
class Holder:
    """What a recipient keeps, and what it was told."""

    copies: dict[UUID, int] = field(default_factory=dict)  # times taken in, by signal
    told: set[tuple[UUID, UUID]] = field(default_factory=set)  # follow-ups done, with the copy
    unacknowledged: list[int] = field(default_factory=list)  # deliveries that it took in and did not confirm


class Process:
    """One run. Everything that parties do goes through `call`, with what goes wrong."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.world: World = self.run(self._stack.enter_async_context(open_world(folder, template)))
        self.cast = self.world.cast
        self.actors: dict[str, Actor] = {actor.oin: actor for actor in self.cast.registered}
        self.model = Model(self.world.clock.ms, foundation=self.cast.sna.oin, body=self.cast.body.oin)
        self.seen: list[Hash] = []  # the log as it was when it was last looked at
        self.holders: dict[str, Holder] = {}

    def close(self) -> None:
        """End everything."""
        self.run(self._stack.aclose())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()

    def holder(self, actor: Actor) -> Holder:
        """What a party keeps."""
        return self.holders.setdefault(actor.oin, Holder())

    def run(self, call: Awaitable[A]) -> A:
        """Wait for something."""
        return self._loop.run_until_complete(call)

    def call(self, trouble: Trouble, make: Callable[[], Awaitable[A]]) -> A:
        """Call until there is an answer; `make` must make the same request each time.

        Raises SluisError for what the broker refuses.
        """
        try:
            if trouble is Trouble.REQUEST_LOST:
                raise Died
            answer = self._once(trouble, make)
            if trouble is Trouble.ANSWER_LOST:
                raise Died
            return answer
        except (Died, Unavailable):
            return self.run(make())

    def _once(self, trouble: Trouble, make: Callable[[], Awaitable[A]]) -> A:
        if trouble is Trouble.TWICE:
            return self.run(self._twice(make))
        if trouble not in (Trouble.DIES_BEFORE, Trouble.DIES_AFTER):
            return self.run(make())
        with Dying(after=trouble is Trouble.DIES_AFTER), suppress(Unavailable):
            self.run(make())
        self.restart()
        raise Died

    async def _twice(self, make: Callable[[], Awaitable[A]]) -> A:
        """Both get the same: the first answer, or a refusal."""
        first, second = await asyncio.gather(make(), make(), return_exceptions=True)
        assert isinstance(first, BaseException) == isinstance(second, BaseException), (first, second)
        if isinstance(first, BaseException):
            raise first
        return first

    def restart(self) -> None:
        """A new process on the same database."""
        world = self.world

        async def anew() -> None:
            await world.broker.desk.committer.close()
            world.store.close()
            url = parse_url(f"sqlite:///{world.folder}/broker.db")
            world.store = SqlStore(connect(url, WAIT_MS), world.clock.ms)  # there is nothing to migrate
            world.broker = make_broker(world.store, bundle(), world.receipt_key, ORIGIN, world.clock)
            world.broker.desk.committer.start()
            self._stack.push_async_callback(world.broker.desk.committer.close)
            self._stack.callback(world.store.close)

        self.run(anew())

    def new_entries(self) -> list[dict[str, Any]]:
        """What came into the log since it was last looked at, with its place."""
        start = len(self.seen)
        return [{"index": start + place, **entry} for place, entry in enumerate(self.world.entries(start))]
