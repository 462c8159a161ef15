# SPDX-License-Identifier: EUPL-1.2
"""The newest exchanges first, only those that may be seen, back to a moment, and no longer than the time there is."""

from datetime import timedelta
from itertools import count

from broker.policy.recent import Recent, replay_recent
from tests.unit.decide_samples import BUNDLE
from tests.world import FIRM, World


async def _pushed(world: World) -> list[int]:
    await world.certify(FIRM)
    found = []
    for _ in range(3):
        await world.push(world.envelope(FIRM))
        found.append(world.size - 1)
        world.clock.move(days=1)
    return found


async def test_the_newest_come_first_and_all_of_the_period(world: World) -> None:
    pushed = await _pushed(world)
    since = world.clock() - timedelta(days=2)
    recent = Recent(store=world.store, since=since, admits=lambda entry: True)
    assert [row.log_index for row in recent] == pushed[:0:-1]
    assert recent.whole
    assert recent.oldest == since


async def test_what_may_not_be_seen_is_not_counted(world: World) -> None:
    await _pushed(world)
    recent = Recent(
        store=world.store,
        since=world.clock() - timedelta(days=30),
        admits=lambda entry: entry["sender"] == world.cast.body.oin,
    )
    assert replay_recent(recent, BUNDLE).replayed == 0


async def test_it_ends_when_time_is_up_and_says_so(world: World) -> None:
    pushed = await _pushed(world)
    ticks = count()
    recent = Recent(
        store=world.store,
        since=world.clock() - timedelta(days=30),
        admits=lambda entry: True,
        seconds=2,
        timer=lambda: next(ticks),
    )
    assert [row.log_index for row in recent] == pushed[-1:]
    assert not recent.whole
