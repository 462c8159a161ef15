# SPDX-License-Identifier: EUPL-1.2
"""The rest of a signal's life at the broker: whom a follow-up reaches, what is owed, and what has no effect."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest

from broker.storage.port import PartyStatus
from sluis.envelope import Envelope
from sluis.errors import SluisError
from sluis.followup import FollowUp
from sluis.header import Delivery, new_uuid7
from sluis.signing import SigningKey
from sluis.v1 import envelope_pb2, followup_pb2
from sluis.wire import follow_up_from_wire
from tests.actors import Actor, authority
from tests.unit.test_administration import renewed
from tests.world import DAY_MS, FIRM, VALUES, World


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


async def pushed(world: World, **changes: Any) -> Envelope:
    """A fine in the foundation's mailbox."""
    await world.certify(FIRM)
    envelope = world.envelope(FIRM, **changes)
    answer = await world.push(envelope)
    assert answer.decision.effect == envelope_pb2.EFFECT_PERMIT
    return envelope


async def passed_on(world: World, first: Envelope, *, ask: bool = True) -> Envelope:
    """The same fact, deposited by the foundation for a certification body, which asks for it."""
    await world.certify(FIRM, recipient=world.cast.body)
    onward = world.deposit(FIRM, previous=first.header.signal_id)
    assert (await world.push(onward)).decision.effect == envelope_pb2.EFFECT_PERMIT
    if ask:
        assert len((await world.ask(FIRM)).hits) == 1
    return onward


def heard(deliveries: list[followup_pb2.FollowUpDelivery]) -> list[FollowUp]:
    return [follow_up_from_wire(delivery.follow_up).statement for delivery in deliveries]


def owed(duties: list[followup_pb2.Duty]) -> list[tuple[str, str, bool]]:
    return [(duty.act, duty.debtor_oin, duty.overdue) for duty in duties]


# recall


async def test_a_recall_reaches_its_holder_and_whoever_that_passed_it_on_to(world: World) -> None:
    first = await pushed(world)
    onward = await passed_on(world, first)
    nla, sna, body = world.cast.nla, world.cast.sna, world.cast.body
    answer = await world.follow_up("recall", first.header.signal_id, nla)
    assert answer.holders == 2

    (mine,) = await world.told(sna)
    assert (mine.signal_id, len(mine.links)) == (first.header.signal_id.bytes, 0)
    (further,) = await world.told(body)
    assert further.signal_id == onward.header.signal_id.bytes
    assert [link.receipt.log_index for link in further.links] == [
        entry
        for entry, text in enumerate(world.entries())
        if text["operation"] == "signal.push" and text["exchange"] == str(first.header.signal_id)
    ]
    assert heard([mine]) == heard([further])
    assert {duty.debtor_oin for duty in await world.duties(nla)} == {sna.oin, body.oin}


async def test_each_holder_answers_and_the_sender_gets_every_receipt(world: World) -> None:
    first = await pushed(world)
    onward = await passed_on(world, first)
    nla = world.cast.nla
    await world.follow_up("recall", first.header.signal_id, nla)
    for holder, copy in ((world.cast.sna, first), (world.cast.body, onward)):
        (asked,) = heard(await world.told(holder))
        await world.follow_up("fulfil", copy.header.signal_id, holder, refers_to=asked.follow_up_id)
    assert await world.duties(nla) == []
    answers = heard(await world.told(nla))
    assert [(one.act, one.author, one.codes["done"]) for one in answers] == [
        ("fulfil", world.cast.sna.oin, "DESTROYED"),
        ("fulfil", world.cast.body.oin, "DESTROYED"),
    ]


async def test_a_holder_learns_nothing_of_other_holders(world: World) -> None:
    first = await pushed(world)
    await passed_on(world, first)
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    (mine,) = await world.told(world.cast.sna)
    assert world.cast.body.oin.encode() not in mine.SerializeToString()


async def test_what_was_recalled_is_delivered_and_released_no_more(world: World) -> None:
    first = await pushed(world)
    onward = await passed_on(world, first, ask=False)
    answer = await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    assert answer.holders == 1  # a deposit that nobody asked for has no holder
    assert world.waiting(world.cast.sna) == []
    assert len((await world.ask(FIRM)).hits) == 0
    assert await world.told(world.cast.body) == []
    with world.store.transaction() as tx:
        known = tx.signals([first.header.signal_id.bytes, onward.header.signal_id.bytes])
    for row in known.values():
        assert row.withdrawn_index is not None
        kept = envelope_pb2.Envelope.FromString(row.envelope)
        assert all(item.WhichOneof("content") == "withheld_leaf" for item in kept.fields)


async def test_what_was_recalled_is_not_passed_on_afterwards(world: World) -> None:
    first = await pushed(world)
    await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    onward = world.deposit(FIRM, previous=first.header.signal_id)
    assert await refused(world.push(onward)) == "signal-withdrawn"


async def test_a_recall_is_not_blocked_by_a_stopped_agreement_or_a_stopped_sender(world: World) -> None:
    first = await pushed(world)
    world.operator.stop("agreement", "waadi-14b", "INCIDENT")
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "INCIDENT")
    world.operator.set_status(world.cast.sna.oin, PartyStatus.STOPPED, "INCIDENT")
    world.clock.move(days=800)
    answer = await world.follow_up("recall", first.header.signal_id, world.cast.nla)
    assert answer.holders == 1
    (asked,) = heard(await world.told(world.cast.sna))
    await world.follow_up("fulfil", first.header.signal_id, world.cast.sna, refers_to=asked.follow_up_id)


async def test_a_revoked_certificate_recalls_nothing(world: World) -> None:
    first = await pushed(world)
    world.operator.stop("certificate", world.cast.nla.caller.fingerprint, "INCIDENT")
    call = world.follow_up("recall", first.header.signal_id, world.cast.nla)
    assert await refused(call) == "certificate-revoked"


# what has no effect


async def test_only_the_sender_recalls_corrects_and_rectifies(world: World) -> None:
    first = await pushed(world)
    size = world.size
    for act in ("recall", "rectify"):
        call = world.follow_up(act, first.header.signal_id, world.cast.sna)
        assert await refused(call) == "not-the-sender"
    call = world.follow_up("recall", new_uuid7(world.clock.ms()), world.cast.nla)
    assert await refused(call) == "not-the-sender"
    assert world.size == size


@pytest.mark.parametrize("act", ["ask", "feedback", "attend"])
async def test_nothing_is_said_of_a_signal_that_was_never_received(world: World, act: str) -> None:
    first = await pushed(world)
    unreleased = await passed_on(world, first, ask=False)
    for about in (first.header.signal_id, unreleased.header.signal_id, new_uuid7(world.clock.ms())):
        assert await refused(world.follow_up(act, about, world.cast.body)) == "not-a-holder"


@pytest.mark.parametrize(
    "codes",
    [
        {"outcome": "FINE"},
        {"outcome": "CONFIRMED", "reason": "WRONG_SUBJECT"},
        {"usability": "3"},
        {"outcome": "CONFIRMED", "usability": "5"},
        {"outcome": "CONFIRMED", "remark": "X"},
        {},
    ],
)
async def test_a_code_that_the_catalogue_does_not_know_is_refused(
    world: World, codes: dict[str, str]
) -> None:
    first = await pushed(world)
    call = world.follow_up("feedback", first.header.signal_id, world.cast.sna, codes=codes)
    assert await refused(call) == "unknown-code"


async def test_nobody_speaks_for_another(world: World) -> None:
    first = await pushed(world)
    about, nla, sna = first.header.signal_id, world.cast.nla, world.cast.sna
    assert await refused(world.follow_up("recall", about, nla, caller=sna)) == "not-your-identity"
    stolen = SigningKey.generate()
    assert await refused(world.follow_up("recall", about, nla, signing=stolen)) == "signature-wrong"


async def test_a_replay_has_no_second_effect(world: World) -> None:
    first = await pushed(world)
    statement = world.statement("recall", first.header.signal_id, world.cast.nla)
    answer = await world.send(statement, world.cast.nla, key="same-key")
    size = world.size
    again = await world.send(statement, world.cast.nla, key="same-key")
    assert again.repeated_request
    assert again.receipt == answer.receipt
    assert await refused(world.send(statement, world.cast.nla)) == "follow-up-exists"
    other = world.statement("recall", first.header.signal_id, world.cast.nla)
    assert await refused(world.send(other, world.cast.nla, key="same-key")) == "idempotency-conflict"
    assert world.size == size


async def test_an_old_statement_is_not_accepted_later(world: World) -> None:
    first = await pushed(world)
    statement = world.statement("recall", first.header.signal_id, world.cast.nla)
    world.clock.move(days=31)
    assert await refused(world.send(statement, world.cast.nla)) == "clock-skew"


@pytest.mark.parametrize("act", ["recall", "rectify"])
async def test_a_second_word_that_contradicts_the_first_is_refused(world: World, act: str) -> None:
    first = await pushed(world)
    await world.follow_up(act, first.header.signal_id, world.cast.nla)
    for again in (act, "rectify") if act == "recall" else (act,):
        call = world.follow_up(again, first.header.signal_id, world.cast.nla)
        assert await refused(call) == "contradicts-earlier"


async def test_only_the_broker_asks_to_destroy(world: World) -> None:
    first = await pushed(world)
    statement = world.statement(
        "destroy", first.header.signal_id, world.cast.nla, author=None, codes={"reason": "RETENTION_ENDED"}
    )
    assert await refused(world.send(statement, world.cast.nla)) == "not-your-identity"


async def test_a_fulfilment_that_was_not_demanded_is_refused(world: World) -> None:
    first = await pushed(world)
    about, sna = first.header.signal_id, world.cast.sna
    stranger = new_uuid7(world.clock.ms())
    assert await refused(world.follow_up("fulfil", about, sna, refers_to=stranger)) == "not-demanded"
    await world.follow_up("feedback", about, sna)
    (told,) = heard(await world.told(world.cast.nla))
    call = world.follow_up("fulfil", about, sna, refers_to=told.follow_up_id)
    assert await refused(call) == "not-demanded"
    await world.follow_up("recall", about, world.cast.nla)
    (asked,) = heard(await world.told(sna))
    await world.follow_up("fulfil", about, sna, refers_to=asked.follow_up_id)
    call = world.follow_up("fulfil", about, sna, refers_to=asked.follow_up_id)
    assert await refused(call) == "already-done"


def with_new_keys(world: World) -> Actor:
    """The inspectorate, after the broker admitted its next card."""
    actor = renewed(world.cast.nla)
    world.operator.admit(actor.card.encode(), actor.role, [authority().certificate])
    world.broker.desk.directory._known.clear()
    return actor


async def test_under_a_replaced_key_there_is_a_first_answer_and_nothing_new(world: World) -> None:
    first, nla = await pushed(world), world.cast.nla
    statement = world.statement("rectify", first.header.signal_id, nla)
    answer = await world.send(statement, nla, key="same-key")
    new_keys = with_new_keys(world)
    world.clock.move(days=40)
    size = world.size
    again = await world.send(statement, nla, key="same-key")
    assert (again.repeated_request, again.receipt) == (True, answer.receipt)
    recall = world.statement("recall", first.header.signal_id, nla)
    assert await refused(world.send(recall, nla)) == "signing-key-replaced"
    stranger = replace(nla, signing=SigningKey.generate())
    assert await refused(world.send(recall, stranger)) == "signature-wrong"
    new = corrected(world, first)  # sealed before its sender had new keys
    correct = world.statement("correct", first.header.signal_id, nla, replacement=new.header.signal_id)
    assert await refused(world.send(correct, new_keys, signal=new)) == "signing-key-replaced"
    assert world.size == size
    assert (await world.send(recall, new_keys)).holders == 1


# correct


def corrected(world: World, first: Envelope, **changes: Any) -> Envelope:
    """The same fine with another count."""
    values = {
        "fields": {**VALUES, "count": "2"},
        "previous": first.header.signal_id,
        "expires_at_ms": world.clock.ms() + 365 * DAY_MS,
    }
    return world.envelope(FIRM, **{**values, **changes})


async def correct(world: World, first: Envelope, new: Envelope) -> followup_pb2.SendFollowUpResponse:
    return await world.follow_up(
        "correct", first.header.signal_id, world.cast.nla, signal=new, replacement=new.header.signal_id
    )


async def test_a_correction_takes_the_place_of_the_first_signal(world: World) -> None:
    first = await pushed(world)
    new = corrected(world, first)
    answer = await correct(world, first, new)
    assert answer.holders == 1
    (view,) = world.waiting(world.cast.sna)
    assert view.entry == answer.replacement_entry
    (told,) = heard(await world.told(world.cast.sna))
    assert (told.act, told.replacement) == ("correct", new.header.signal_id)


async def test_a_correction_outlives_its_rule_its_agreement_and_its_sender(world: World) -> None:
    first = await pushed(world, expires_at_ms=world.clock.ms() + 2000 * DAY_MS)
    world.operator.stop("agreement", "waadi-14b", "INCIDENT")
    world.operator.set_status(world.cast.nla.oin, PartyStatus.STOPPED, "INCIDENT")
    world.clock.move(days=1500)
    assert (await correct(world, first, corrected(world, first))).holders == 1
    assert len(world.waiting(world.cast.sna)) == 1


async def test_a_correction_brings_no_field_that_the_first_did_not_release(world: World) -> None:
    first = await pushed(world)
    new = corrected(world, first, fields={**VALUES, "fine_amount": "271828182"})
    answer = await correct(world, first, new)
    assert b"fine_amount" in answer.replacement_entry  # as withheld
    entry = world.entries()[-1]
    assert (entry["operation"], entry["withheld"]) == (
        "signal.correct",
        [{"name": "fine_amount", "reason": "NOT_IN_FIRST", "rule": ""}],
    )
    (view,) = world.waiting(world.cast.sna)
    assert b"fine_amount" not in view.envelope
    assert view.redaction


@pytest.mark.parametrize(
    "change", ["recipient", "pseudonym", "delivery", "previous", "fields", "claims", "kind"]
)
async def test_a_correction_differs_in_its_content_only(world: World, change: str) -> None:
    first = await pushed(world)
    changes: dict[str, Any] = {
        "recipient": world.cast.body.oin,
        "pseudonym": bytes(16),
        "delivery": Delivery.ON_MATCH,
        "previous": new_uuid7(world.clock.ms()),
        "fields": {"fine_amount": "2"},
        "claims": {"unknown_claim": "999990019"},
        "kind": "CERTIFICATE_STATUS",
    }
    new = corrected(world, first, **{change: changes[change]})
    size = world.size
    assert await refused(correct(world, first, new)) == "not-a-correction"
    assert world.size == size


async def test_a_second_correction_of_the_same_signal_is_refused_one_of_its_replacement_is_not(
    world: World,
) -> None:
    first = await pushed(world)
    new = corrected(world, first)
    await correct(world, first, new)
    assert await refused(correct(world, first, corrected(world, first))) == "contradicts-earlier"
    assert (await correct(world, new, corrected(world, new))).holders == 1


async def test_a_correction_without_its_signal_or_a_recall_with_one_is_refused(world: World) -> None:
    first = await pushed(world)
    new = corrected(world, first)
    about, nla = first.header.signal_id, world.cast.nla
    call = world.follow_up("correct", about, nla, replacement=new.header.signal_id)
    assert await refused(call) == "malformed-request"
    assert await refused(world.follow_up("recall", about, nla, signal=new)) == "malformed-request"
