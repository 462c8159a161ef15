# SPDX-License-Identifier: EUPL-1.2
"""Mailboxes: in log order, at least once until acknowledged, for their owner alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace

import pytest

from broker.admission import Directory
from broker.exchange import Desk
from broker.mailbox import delivery
from broker.mailbox.delivery import MAX_ACKNOWLEDGE, Doorbell, Mailbox
from broker.storage.port import DeliveryView, PartyStatus
from sluis.errors import SluisError
from tests.actors import Actor, make_actor
from tests.world import DAY_MS, FIRM, World, bundle


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


async def fill(world: World, count: int) -> list[int]:
    """Put fines into the foundation's mailbox; returns their log indexes."""
    await world.certify(FIRM)
    answers = [await world.push(world.envelope(FIRM)) for _ in range(count)]
    return [answer.receipt.log_index for answer in answers]


async def read(world: World, actor: Actor | None = None) -> list[tuple[list[int], bool]]:
    """Read a mailbox to its end: log indexes of each frame, and whether nothing more waited."""
    frames = world.broker.mailbox.deliveries((actor or world.cast.sna).caller, follow=False)
    found = []
    async for rows, caught_up in frames:
        found.append(([row.log_index for row in rows], caught_up))
        assert len(found) < 10, "a mailbox has an end"
    return found


async def acknowledge(world: World, *indexes: int, by: Actor | None = None) -> tuple[int, int, list[int]]:
    answer = await world.broker.mailbox.acknowledge((by or world.cast.sna).caller, indexes)
    return answer.acknowledged, answer.already, list(answer.unknown)


class Following:
    """A stream that is followed, one frame at a time."""

    def __init__(self, mailbox: Mailbox, actor: Actor) -> None:
        self.frames: AsyncIterator[tuple[Sequence[DeliveryView], bool]] = mailbox.deliveries(
            actor.caller, follow=True
        )

    async def next(self, seconds: float = 5.0) -> list[int]:
        rows, _ = await asyncio.wait_for(anext(self.frames), seconds)
        return [row.log_index for row in rows]

    async def close(self) -> None:
        await self.frames.aclose()  # type: ignore[attr-defined]  # it is a generator


def fresh_desk(world: World) -> Desk:
    """A desk that remembers nobody, so that each admission is read from the store."""
    return replace(world.broker.desk, directory=Directory(world.store, bundle(), keep=0))


async def test_deliveries_come_in_log_order_in_frames_of_twenty(world: World) -> None:
    indexes = await fill(world, 45)
    assert await read(world) == [(indexes[:20], False), (indexes[20:40], False), (indexes[40:], True)]


async def test_the_last_frame_says_that_nothing_more_waits(world: World) -> None:
    assert await read(world) == [([], True)]
    indexes = await fill(world, 20)
    assert await read(world) == [(indexes, False), ([], True)]


async def test_what_was_not_acknowledged_comes_again(world: World) -> None:
    one, two, three = await fill(world, 3)
    assert await read(world) == await read(world) == [([one, two, three], True)]
    assert await acknowledge(world, two) == (1, 0, [])
    assert await read(world) == [([one, three], True)]


async def test_an_acknowledgement_is_logged_behind_its_release(world: World) -> None:
    one, two = await fill(world, 2)
    before = world.size
    await acknowledge(world, two, one)
    entries = world.entries(before)
    assert [entry["operation"] for entry in entries] == ["signal.acknowledge"] * 2
    assert [entry["previous"] for entry in entries] == [two, one]
    assert [entry["exchange"] for entry in entries] == [world.entries(at)[0]["exchange"] for at in (two, one)]
    assert {(entry["recipient"], entry["outcome"]) for entry in entries} == {
        (world.cast.sna.oin, "delivered")
    }


async def test_acknowledging_again_is_harmless_and_logs_nothing(world: World) -> None:
    one, two = await fill(world, 2)
    assert await acknowledge(world, one, one) == (1, 0, [])
    size = world.size
    assert await acknowledge(world, one) == (0, 1, [])
    assert world.size == size
    assert await acknowledge(world, one, two) == (1, 1, [])
    assert world.size == size + 1


async def test_two_acknowledgements_at_once_count_once(world: World) -> None:
    (one,) = await fill(world, 1)
    before = world.size
    outcomes = await asyncio.gather(*(acknowledge(world, one) for _ in range(5)))
    assert sorted(outcomes) == [(0, 1, [])] * 4 + [(1, 0, [])]
    assert world.size == before + 1


async def test_deliveries_to_others_are_unknown_like_those_that_never_were(world: World) -> None:
    (one,) = await fill(world, 1)
    outcome = await acknowledge(world, one, 0, 10_000, (1 << 62) - 1, by=world.cast.body)
    assert outcome == (0, 0, [one, 0, 10_000, (1 << 62) - 1])
    assert await read(world, world.cast.body) == [([], True)]
    assert await read(world) == [([one], True)]


async def test_too_many_or_impossible_indexes_are_refused(world: World) -> None:
    assert await refused(acknowledge(world, *range(MAX_ACKNOWLEDGE + 1))) == "batch-too-large"
    assert await refused(acknowledge(world, 1 << 62)) == "malformed-request"
    assert await refused(acknowledge(world, (1 << 64) - 1)) == "malformed-request"
    assert (await acknowledge(world, *range(MAX_ACKNOWLEDGE)))[0] == 0


async def test_who_is_not_registered_has_no_mailbox(world: World) -> None:
    stranger = world.cast.stranger
    assert await refused(read(world, stranger)) == "party-unknown"
    assert await refused(acknowledge(world, 1, by=stranger)) == "party-unknown"


async def test_an_expired_signal_is_no_longer_delivered(world: World) -> None:
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM, expires_at_ms=world.clock.ms() + DAY_MS))
    world.clock.move(days=1)
    assert await read(world) == [([], True)]


async def test_who_follows_is_woken_by_what_arrives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 60.0)  # so that only the bell can wake it
    (one,) = await fill(world, 1)
    follower = Following(world.broker.mailbox, world.cast.sna)
    assert await follower.next() == [one]
    waiting = asyncio.create_task(follower.next())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    answer = await world.push(world.envelope(FIRM))
    assert await waiting == [answer.receipt.log_index]
    await follower.close()


async def test_what_another_replica_took_in_is_found_by_a_poll(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.02)
    await world.certify(FIRM)
    replica = world.second_replica()
    follower = Following(replica.mailbox, world.cast.sna)
    waiting = asyncio.create_task(follower.next())
    await asyncio.sleep(0.05)
    answer = await world.push(world.envelope(FIRM))
    assert await waiting == [answer.receipt.log_index]
    await follower.close()


async def test_nothing_is_delivered_twice_on_one_stream(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.01)
    one, two = await fill(world, 2)
    follower = Following(world.broker.mailbox, world.cast.sna)
    assert await follower.next() == [one, two]
    with pytest.raises(TimeoutError):
        await follower.next(0.1)


async def test_a_party_that_is_stopped_midway_gets_no_further_frame(world: World) -> None:
    indexes = await fill(world, 30)
    mailbox = Mailbox(fresh_desk(world), world.store, world.broker.doorbell, lambda: False)
    follower = Following(mailbox, world.cast.sna)
    assert await follower.next() == indexes[:20]
    world.operator.set_status(world.cast.sna.oin, PartyStatus.STOPPED, "test")
    assert await refused(follower.next()) == "party-stopped"


async def test_a_waiting_stream_ends_when_its_party_is_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.02)
    mailbox = Mailbox(fresh_desk(world), world.store, world.broker.doorbell, lambda: False)
    waiting = asyncio.create_task(Following(mailbox, world.cast.sna).next())
    await asyncio.sleep(0.05)
    world.operator.stop("certificate", world.cast.sna.caller.fingerprint, "test")
    assert await refused(waiting) == "certificate-revoked"


async def test_a_stream_does_not_outlive_the_certificate_it_was_opened_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.02)
    ends = make_actor(2, "certificate-foundation", "Stichting", valid_until=world.clock.now.replace(hour=12))
    waiting = asyncio.create_task(Following(world.broker.mailbox, ends).next())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    world.clock.move(hours=3)
    assert await refused(waiting) == "certificate-expired"


async def test_an_acknowledgement_after_the_stop_is_refused_and_the_delivery_stays(world: World) -> None:
    (one,) = await fill(world, 1)
    await read(world)  # the directory remembers the party for a moment
    world.operator.set_status(world.cast.sna.oin, PartyStatus.STOPPED, "test")
    assert await refused(acknowledge(world, one)) == "party-stopped"
    world.operator.set_status(world.cast.sna.oin, PartyStatus.ACTIVE, "test")
    assert await acknowledge(world, one) == (1, 0, [])


async def test_a_stream_ends_when_the_broker_stops(world: World) -> None:
    stopping = False
    mailbox = Mailbox(world.broker.desk, world.store, world.broker.doorbell, lambda: stopping)

    async def follow() -> list[int]:
        return [len(rows) async for rows, _ in mailbox.deliveries(world.cast.sna.caller, follow=True)]

    waiting = asyncio.create_task(follow())
    await asyncio.sleep(0.05)
    stopping = True
    world.broker.doorbell.ring_all()
    assert await asyncio.wait_for(waiting, 5) == []


async def test_the_bell_forgets_whoever_left(world: World) -> None:
    bell = Doorbell()
    one, two = bell.listen("a"), bell.listen("a")
    bell.ring({"b"})
    assert not one.is_set()
    bell.ring({"a", "b"})
    assert one.is_set()
    assert two.is_set()
    bell.leave("a", one)
    one.clear()
    bell.ring_all()
    assert not one.is_set()
    bell.leave("a", two)
    bell.ring({"a"})
