# SPDX-License-Identifier: EUPL-1.2
"""Receiving: what does not hold is refused and stays, what holds is handed over once and then acknowledged."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broker.wire.exchange_service import ExchangeService
from sluis.client.inbox import Inbox
from sluis.client.keyring import KeyRing
from sluis.client.receiver import ReceivedSignal, Receiver, ReceiveReport
from sluis.envelope import Envelope, Field
from sluis.signing import SigningKey
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_to_wire, receipt_from_wire
from tests.actors import Actor
from tests.world import FIRM, ORIGIN, OTHER_FIRM, VALUES, FakeContext, World, bundle


@dataclass(slots=True)
class Desk:
    """The foundation's kit, connected to the service in this process."""

    world: World
    service: ExchangeService
    receiver: Receiver
    inbox: Inbox
    kept: list[ReceivedSignal] = field(default_factory=list)

    async def keep(self, signals: Sequence[ReceivedSignal]) -> None:
        self.kept += signals

    async def receive(self) -> ReceiveReport:
        return await self.receiver.receive(self.keep)

    async def deliveries(self) -> list[exchange_pb2.Delivery]:
        request = exchange_pb2.ReceiveRequest(follow=False)
        frames = self.service.Receive(request, FakeContext(self.world.cast.sna))
        return [delivery async for frame in frames for delivery in frame.deliveries]

    async def take(self, *deliveries: exchange_pb2.Delivery) -> list[str]:
        """Hand over deliveries; returns the codes of those that were refused."""
        report = ReceiveReport()
        await self.receiver.take(deliveries, self.keep, report)
        return [refused.code for refused in report.refused or []]


def connect(world: World, folder: Path, actor: Actor) -> Desk:
    broker = world.broker
    service = ExchangeService(
        broker.exchange, broker.matching, broker.mailbox, world.store, broker.desk.signer, world.clock
    )

    async def card_at(oin: str, *_: object) -> Any:
        return next(one.card for one in world.cast.registered if one.oin == oin)

    def check_receipt(message: envelope_pb2.Receipt, entry: bytes) -> Any:
        receipt = receipt_from_wire(message)
        receipt.verify(world.receipt_key.public, log_origin=ORIGIN, entry=entry)
        return receipt

    def receive(request: exchange_pb2.ReceiveRequest) -> AsyncIterator[exchange_pb2.ReceiveResponse]:
        return service.Receive(request, FakeContext(actor))

    async def acknowledge(request: exchange_pb2.AcknowledgeRequest, **_: float) -> Any:
        return await service.Acknowledge(request, FakeContext(actor))

    async def patiently(call: Callable[[], Any]) -> Any:
        return await call()

    stub = SimpleNamespace(Receive=receive, Acknowledge=acknowledge)
    inbox = Inbox(folder / "inbox.sqlite")
    receiver = Receiver(
        oin=actor.oin,
        keys=KeyRing(SimpleNamespace(sealing=actor.sealing)),  # type: ignore[arg-type]  # as much as it uses
        connections=SimpleNamespace(exchange=stub, patience=0.2, patiently=patiently),  # type: ignore[arg-type]
        trust=SimpleNamespace(  # type: ignore[arg-type]  # as much as it uses
            card_at=card_at,
            check_receipt=check_receipt,
            keep_receipts=lambda: None,
            receipt_keys=world.receipt_key.public,
        ),
        inbox=inbox,
        bundle=bundle(),
    )
    return Desk(world, service, receiver, inbox)


@pytest.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    await world.certify(FIRM, OTHER_FIRM)
    made = connect(world, tmp_path, world.cast.sna)
    yield made
    made.inbox.close()


async def test_what_arrives_is_opened_kept_and_acknowledged(desk: Desk) -> None:
    await desk.world.push(desk.world.envelope(FIRM))
    report = await desk.receive()
    assert (report.delivered, report.repeated, report.acknowledged, report.refused) == (1, 0, 1, [])
    assert dict(desk.kept[0].fields) == VALUES
    assert desk.kept[0].header.pseudonym == FIRM
    assert await desk.deliveries() == []
    assert (await desk.receive()).delivered == 0


async def test_what_could_not_be_kept_is_not_acknowledged(desk: Desk) -> None:
    await desk.world.push(desk.world.envelope(FIRM))

    async def full(_: Sequence[ReceivedSignal]) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await desk.receiver.receive(full)
    assert len(await desk.deliveries()) == 1
    assert (await desk.receive()).delivered == 1


async def test_a_delivery_that_comes_again_has_no_second_effect(desk: Desk) -> None:
    await desk.world.push(desk.world.envelope(FIRM))
    (delivery,) = await desk.deliveries()
    assert await desk.take(delivery) == []
    assert await desk.take(delivery, delivery) == []
    assert len(desk.kept) == 1


async def test_one_signal_that_was_released_twice_is_handed_over_once_even_in_one_frame(
    world: World, tmp_path: Path
) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.push(world.deposit(FIRM))
    await world.ask(FIRM)
    await world.ask(FIRM)
    body = connect(world, tmp_path, world.cast.body)
    report = await body.receive()
    assert (report.delivered, report.repeated, report.acknowledged) == (1, 1, 2)
    assert len(body.kept) == 1
    body.inbox.close()


async def test_withheld_fields_need_the_brokers_statement(desk: Desk) -> None:
    await desk.world.push(desk.world.envelope(FIRM, fields={**VALUES, "fine_amount": "100"}))
    (delivery,) = await desk.deliveries()
    without = exchange_pb2.Delivery()
    without.CopyFrom(delivery)
    without.ClearField("redaction")
    assert await desk.take(without) == ["malformed-request"]
    without.redaction.CopyFrom(delivery.redaction)
    without.redaction.withheld[0].index = 0
    assert await desk.take(without) == ["signature-wrong"]
    assert await desk.take(delivery) == []
    assert (desk.kept[0].withheld, dict(desk.kept[0].fields)) == (1, VALUES)


# what a lying sender could try: the broker cannot see it, the recipient must


async def delivered(desk: Desk, envelope: Envelope) -> exchange_pb2.Delivery:
    answer = await desk.world.push(envelope)
    assert answer.decision.effect == envelope_pb2.EFFECT_PERMIT
    return (await desk.deliveries())[-1]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({**VALUES, "article": "13"}, "unknown-value"),
        ({**VALUES, "decided_on": "2020-01-01"}, "unknown-value"),
        ({name: value for name, value in VALUES.items() if name != "decided_on"}, "column-missing"),
        ({**VALUES, "firm_name": "eigenaar heeft BSN 999990019"}, "hidden-identifier"),
        ({**VALUES, "count": "veel"}, "number-format"),
        ({**VALUES, "found_on": "gisteren"}, "date-format"),
    ],
)
async def test_values_that_contradict_claims_or_catalogue_are_refused_and_stay(
    desk: Desk, fields: dict[str, str], code: str
) -> None:
    assert await desk.take(await delivered(desk, desk.world.envelope(FIRM, fields=fields))) == [code]
    assert desk.kept == []
    assert len(await desk.deliveries()) == 1


@pytest.mark.parametrize("lie", [{"article": "13"}, {"decided_on": "2020-01-01"}])
async def test_a_superfluous_field_does_not_save_a_lying_claim_from_comparison(
    desk: Desk, lie: dict[str, str]
) -> None:
    """The broker withholds what no rule lists; the claims about the fields that are left still count."""
    envelope = desk.world.envelope(FIRM, fields={**VALUES, **lie, "fine_amount": "100"})
    assert await desk.take(await delivered(desk, envelope)) == ["unknown-value"]
    assert desk.kept == []


async def test_a_value_that_is_not_text_is_refused(desk: Desk) -> None:
    fields = [
        Field(name=name, category="organisation", value=value.encode())
        for name, value in VALUES.items()
        if name != "law"
    ]
    envelope = desk.world.envelope(
        FIRM, fields=[*fields, Field(name="law", category="organisation", value=b"\xff")]
    )
    assert await desk.take(await delivered(desk, envelope)) == ["malformed-encoding"]


# what a lying broker could try


async def test_a_delivery_that_does_not_hold_is_refused_and_the_others_are_kept(desk: Desk) -> None:
    good = await delivered(desk, desk.world.envelope(OTHER_FIRM))
    spoiled = []
    for spoil in SPOILS:
        delivery = exchange_pb2.Delivery()
        delivery.CopyFrom(await delivered(desk, desk.world.envelope(FIRM)))
        spoil(delivery, good)
        spoiled.append(delivery)
    codes = await desk.take(*spoiled, good)
    assert codes == [
        "log-inconsistent",
        "log-inconsistent",
        "signature-wrong",
        "signature-wrong",
        "signature-wrong",
        "signature-wrong",
    ]
    assert [signal.header.pseudonym for signal in desk.kept] == [OTHER_FIRM]


def _other_index(delivery: exchange_pb2.Delivery, _: exchange_pb2.Delivery) -> None:
    delivery.log_index += 1


def _other_entry(delivery: exchange_pb2.Delivery, good: exchange_pb2.Delivery) -> None:
    delivery.entry = good.entry


def _own_receipt(delivery: exchange_pb2.Delivery, _: exchange_pb2.Delivery) -> None:
    delivery.receipt.signature = SigningKey.generate().sign(b"receipt")


def _field_swapped(delivery: exchange_pb2.Delivery, good: exchange_pb2.Delivery) -> None:
    delivery.envelope.fields[0].CopyFrom(good.envelope.fields[0])


def _key_swapped(delivery: exchange_pb2.Delivery, good: exchange_pb2.Delivery) -> None:
    delivery.envelope.wrapped_key = good.envelope.wrapped_key


def _field_taken(delivery: exchange_pb2.Delivery, _: exchange_pb2.Delivery) -> None:
    del delivery.envelope.fields[-1]


SPOILS = [_other_index, _other_entry, _own_receipt, _field_swapped, _key_swapped, _field_taken]


async def test_a_signal_for_another_party_is_refused(desk: Desk, world: World) -> None:
    delivery = await delivered(desk, world.envelope(FIRM))
    foreign = world.envelope(FIRM, sender=world.cast.nla.oin, recipient=world.cast.body.oin)
    delivery.envelope.CopyFrom(envelope_to_wire(foreign))
    assert await desk.take(delivery) == ["not-your-identity"]


async def test_a_signal_id_that_returns_with_other_content_is_a_replay(desk: Desk, world: World) -> None:
    first = world.envelope(FIRM)
    delivery = await delivered(desk, first)
    other = exchange_pb2.Delivery()
    other.CopyFrom(delivery)
    forged = world.envelope(OTHER_FIRM, signal_id=first.header.signal_id)
    other.envelope.CopyFrom(envelope_to_wire(forged))
    assert await desk.take(delivery, other) == ["replayed"]
    assert await desk.take(other) == ["replayed"]
    assert [signal.header.pseudonym for signal in desk.kept] == [FIRM]
