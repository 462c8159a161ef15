# SPDX-License-Identifier: EUPL-1.2
"""Destruction at whom received it: the broker asks, the holder answers, and what is late shows."""

import pytest

from sluis.errors import SluisError
from sluis.followup import Act, FollowUp
from sluis.v1 import followup_pb2
from sluis.wire import follow_up_from_wire
from tests.actors import Actor
from tests.retention_world import row, sweep
from tests.world import FIRM, World


async def pushed(world: World) -> None:
    """Push a fine that ends in a year."""
    await world.certify(FIRM)
    await world.push(world.envelope(FIRM))


async def owed_by(world: World, actor: Actor, *, overdue: bool = False) -> list[followup_pb2.Duty]:
    """What a party still owes of copies that it was asked to destroy."""
    return [duty for duty in await world.duties(actor, overdue=overdue) if duty.act == "fulfil"]


async def test_who_received_a_signal_is_asked_to_destroy_its_copy(world: World) -> None:
    await pushed(world)
    world.clock.move(days=366)
    await sweep(world)
    (delivery,) = await world.told(world.cast.sna)
    signed = follow_up_from_wire(delivery.follow_up)
    signed.verify(world.receipt_key.public)
    statement = signed.statement
    assert (statement.act, statement.author, dict(statement.codes)) == (
        Act.DESTROY,
        None,
        {"reason": "RETENTION_ENDED"},
    )
    assert statement.signal_id.bytes == delivery.signal_id
    operations = world.operations()
    at = operations.index("signal.destroy")
    assert operations[at : at + 3] == ["signal.destroy", "followup.destroy", "followup.notify"]
    assert await world.told(world.cast.nla) == []


async def test_the_holder_answers_and_what_is_late_shows_as_overdue(world: World) -> None:
    await pushed(world)
    world.clock.move(days=366)
    await sweep(world)
    sna = world.cast.sna
    (owed,) = await owed_by(world, sna)
    assert (owed.debtor_oin, owed.creditor_oin) == (sna.oin, "")
    assert await owed_by(world, sna, overdue=True) == []
    world.clock.move(days=9)
    assert len(await owed_by(world, sna, overdue=True)) == 1
    (delivery,) = await world.told(sna)
    asked = FollowUp.decode(delivery.follow_up.statement)
    about = asked.signal_id
    await world.follow_up("fulfil", about, sna, refers_to=asked.follow_up_id)
    assert await owed_by(world, sna) == []
    assert world.entries()[-1]["codes"] == {"done": "DESTROYED"}
    with pytest.raises(SluisError) as caught:
        await world.follow_up("fulfil", about, sna, refers_to=asked.follow_up_id)
    assert caught.value.code == "already-done"


async def test_a_certificate_that_lapsed_is_the_reason_that_is_given(world: World) -> None:
    await world.certify(FIRM, valid_until="2026-07-31")
    await world.push(world.envelope(FIRM, expires_at_ms=world.clock.ms() + 6 * 365 * 86_400_000))
    world.clock.move(days=60)
    await sweep(world)
    world.clock.move(days=170)
    await sweep(world)
    (delivery,) = await world.told(world.cast.sna)
    assert dict(FollowUp.decode(delivery.follow_up.statement).codes) == {"reason": "CERTIFICATE_LOST"}


async def test_a_deposit_that_nobody_got_is_destroyed_without_a_word(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.push(world.deposit(FIRM))
    world.clock.move(days=366)
    assert (await sweep(world)).signals == 1
    assert await world.told(world.cast.body) == []
    assert "followup.destroy" not in world.operations()


async def test_what_was_recalled_is_destroyed_at_the_broker_and_not_asked_twice(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    await world.push(envelope)
    await world.follow_up("recall", envelope.header.signal_id, world.cast.nla)
    assert row(world, envelope.header.signal_id)["envelope"]
    world.clock.move(days=366)
    assert (await sweep(world)).signals == 1
    found = row(world, envelope.header.signal_id)
    assert (found["envelope"], found["pseudonym"]) == (b"", b"")
    assert "followup.destroy" not in world.operations()


async def test_a_sender_may_still_recall_what_was_destroyed_here(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM)
    await world.push(envelope)
    world.clock.move(days=366)
    await sweep(world)
    answer = await world.follow_up("recall", envelope.header.signal_id, world.cast.nla)
    assert answer.holders == 1
    assert [FollowUp.decode(item.follow_up.statement).act for item in await world.told(world.cast.sna)] == [
        Act.DESTROY,
        Act.RECALL,
    ]
    assert row(world, envelope.header.signal_id)["envelope"] == b""


async def test_a_correction_never_lengthens_a_term(world: World) -> None:
    await world.certify(FIRM)
    first = world.envelope(FIRM, expires_at_ms=world.clock.ms() + 100 * 86_400_000)
    await world.push(first)
    world.clock.move(days=10)
    second = world.envelope(
        FIRM,
        expires_at_ms=world.clock.ms() + 300 * 86_400_000,
        previous=first.header.signal_id,
    )
    await world.follow_up(
        "correct", first.header.signal_id, world.cast.nla, signal=second, replacement=second.header.signal_id
    )
    ends = [row(world, item.header.signal_id)["retain_until_ms"] for item in (first, second)]
    assert ends[0] == ends[1]
    world.clock.move(days=91)
    assert (await sweep(world)).signals == 2
