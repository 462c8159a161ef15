# SPDX-License-Identifier: EUPL-1.2
"""ExchangeService: frames in, frames out; one wrong item is answered with its error and the others go on."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from broker.wire import exchange_service
from broker.wire.exchange_service import MAX_PUSHES, ExchangeService
from sluis.errors import SluisError, Unavailable
from sluis.merkle import leaf_hash
from sluis.rpc.server import MAX_MESSAGE
from sluis.v1 import envelope_pb2, exchange_pb2
from sluis.wire import envelope_from_wire, envelope_to_wire, receipt_from_wire, redaction_from_wire
from tests.actors import Actor
from tests.world import (
    AGREEMENT,
    EPOCH,
    FIRM,
    KIND,
    ORIGIN,
    PURPOSE,
    VALUES,
    FakeContext,
    Refused,
    World,
    pseudonym,
)

PERMIT = envelope_pb2.EFFECT_PERMIT


def service(world: World) -> ExchangeService:
    broker = world.broker
    return ExchangeService(
        broker.exchange, broker.matching, broker.mailbox, world.store, broker.desk.signer, world.clock
    )


async def stream(items: Sequence[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


async def push_stream(
    world: World, *frames: Sequence[exchange_pb2.PushRequest], by: Actor | None = None
) -> list[list[exchange_pb2.PushResult]]:
    requests = [exchange_pb2.PushStreamRequest(pushes=frame) for frame in frames]
    answers = service(world).PushStream(stream(requests), FakeContext(by or world.cast.nla))
    return [list(answer.results) async for answer in answers]


async def match(world: World, *requests: exchange_pb2.MatchRequest) -> list[exchange_pb2.MatchResponse]:
    answers = service(world).Match(stream(requests), FakeContext(world.cast.body))
    return [answer async for answer in answers]


def push(world: World, *, key: str = "", **changes: Any) -> exchange_pb2.PushRequest:
    envelope = envelope_to_wire(world.envelope(FIRM, **changes))
    return exchange_pb2.PushRequest(idempotency_key=key or world.key(), envelope=envelope)


def question(world: World, *subjects: bytes, **changes: str) -> exchange_pb2.MatchRequest:
    values = {
        "agreement": AGREEMENT,
        "purpose": PURPOSE,
        "kind": KIND,
        "epoch": EPOCH,
        "idempotency_key": world.key(),
    }
    return exchange_pb2.MatchRequest(pseudonyms=b"".join(subjects), **{**values, **changes})


async def test_a_push_is_answered(world: World) -> None:
    await world.certify(FIRM)
    answer = await service(world).Push(push(world), FakeContext(world.cast.nla))
    assert answer.decision.effect == PERMIT


@pytest.mark.parametrize(
    "key", ["", "short", "k" * 65, "spaces are out", "slash/slash", "ünïcode-key", "newline-12\n"]
)
async def test_an_idempotency_key_has_the_form_of_the_specification(world: World, key: str) -> None:
    request = push(world)
    request.idempotency_key = key
    size = world.size
    with pytest.raises(Refused) as caught:
        await service(world).Push(request, FakeContext(world.cast.nla))
    assert (caught.value.error.code, caught.value.error.where) == ("malformed-request", "idempotency_key")
    ((result,),) = await push_stream(world, [request])
    assert result.error.code == "malformed-request"
    (answer,) = await match(world, question(world, FIRM, idempotency_key=key))
    assert answer.error.code == "malformed-request"
    assert world.size == size


async def test_each_frame_is_answered_by_one_in_the_same_order(world: World) -> None:
    await world.certify(FIRM)
    requests = [push(world) for _ in range(5)]
    frames = await push_stream(world, requests[:2], requests[2:], [])
    assert [[result.idempotency_key for result in frame] for frame in frames] == [
        [request.idempotency_key for request in requests[:2]],
        [request.idempotency_key for request in requests[2:]],
        [],
    ]
    assert all(result.answer.decision.effect == PERMIT for frame in frames for result in frame)


async def test_a_wrong_push_is_answered_with_its_error_and_the_others_go_on(world: World) -> None:
    await world.certify(FIRM)
    forged, foreign = push(world, signing=world.cast.sna.signing), push(world, sender=world.cast.sna.oin)
    empty = exchange_pb2.PushRequest(idempotency_key=world.key())
    ((good, *wrong, last),) = await push_stream(world, [push(world), forged, foreign, empty, push(world)])
    assert good.answer.decision.effect == last.answer.decision.effect == PERMIT
    assert [result.error.code for result in wrong] == [
        "signature-wrong",
        "not-your-identity",
        "malformed-encoding",
    ]
    assert len(world.waiting(world.cast.sna)) == 2


async def test_a_denial_in_a_frame_is_an_answer(world: World) -> None:
    ((result,),) = await push_stream(world, [push(world)])
    assert result.WhichOneof("outcome") == "answer"
    assert result.answer.decision.reasons[0].code == "NO_CERTIFICATE"


async def test_a_frame_holds_at_most_a_hundred_pushes(world: World) -> None:
    request = push(world)
    with pytest.raises(Refused) as caught:
        await push_stream(world, [request] * (MAX_PUSHES + 1))
    assert caught.value.error.code == "batch-too-large"


async def test_when_the_store_is_away_the_stream_ends_so_that_the_kit_tries_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("storage-unavailable")

    for name in ("submit", "submit_all"):
        monkeypatch.setattr(world.broker.desk.committer, name, away)
    with pytest.raises(Refused) as caught:
        await push_stream(world, [push(world), push(world)])
    assert (type(caught.value.error), caught.value.error.code) == (Unavailable, "storage-unavailable")
    with pytest.raises(Refused) as caught:
        await match(world, question(world, FIRM))
    assert caught.value.error.code == "storage-unavailable"


async def test_a_defect_is_answered_without_its_text(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("999990019")

    monkeypatch.setattr(world.broker.exchange, "push", broken)
    with pytest.raises(Refused) as caught:
        await service(world).Push(push(world), FakeContext(world.cast.nla))
    error: SluisError = caught.value.error
    assert error.code == "defect"
    assert "999990019" not in str(error)


async def test_who_is_not_registered_gets_an_error_for_each_push(world: World) -> None:
    stranger = world.cast.stranger
    ((result,),) = await push_stream(world, [push(world, sender=stranger.oin)], by=stranger)
    assert result.error.code == "party-unknown"


async def test_the_hits_of_a_long_answer_are_spread_and_the_last_message_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_service, "HITS_PER_ANSWER", 2)
    firms = [pseudonym(str(number)) for number in range(5)]
    await world.certify(*firms, recipient=world.cast.body)
    for firm in firms:
        await world.push(world.deposit(firm))
    request = question(world, *firms)
    responses = await match(world, request)
    assert [len(response.answer.hits) for response in responses] == [2, 2, 1, 0]
    assert [response.answer.last for response in responses] == [False, False, False, True]
    assert {response.idempotency_key for response in responses} == {request.idempotency_key}
    hits = [hit for response in responses for hit in response.answer.hits]
    assert [hit.position for hit in hits] == [0, 1, 2, 3, 4]
    for hit in hits:
        receipt_from_wire(hit.delivery.receipt).verify(
            world.receipt_key.public, log_origin=ORIGIN, entry=hit.delivery.entry
        )
        assert hit.delivery.receipt.log_index == hit.delivery.log_index
    receipt_from_wire(responses[-1].answer.receipt).verify(
        world.receipt_key.public, log_origin=ORIGIN, entry=responses[-1].answer.entry
    )


async def test_a_repeated_question_is_answered_with_the_same_deliveries(world: World) -> None:
    await world.certify(FIRM, recipient=world.cast.body)
    await world.push(world.deposit(FIRM))
    request = question(world, FIRM)
    assert await match(world, request) == await match(world, request)
    await world.broker.mailbox.acknowledge(
        world.cast.body.caller, [view.log_index for view in world.waiting(world.cast.body)]
    )
    (first, _) = await match(world, request)
    assert len(first.answer.hits) == 1


async def test_a_wrong_question_is_answered_with_its_error_and_the_next_goes_on(world: World) -> None:
    wrong, right = await match(world, question(world, bytes(15)), question(world, FIRM))
    assert wrong.error.code == "malformed-request"
    assert right.answer.last


async def test_a_delivery_bears_receipt_entry_and_the_statement_of_what_was_withheld(world: World) -> None:
    await world.certify(FIRM)
    envelope = world.envelope(FIRM, fields={**VALUES, "fine_amount": "100"})
    await world.push(envelope)
    request = exchange_pb2.ReceiveRequest(follow=False)
    frames = [frame async for frame in service(world).Receive(request, FakeContext(world.cast.sna))]
    assert [frame.caught_up for frame in frames] == [True]
    (delivery,) = frames[0].deliveries
    assert delivery.receipt.leaf_hash == leaf_hash(delivery.entry)
    redaction = redaction_from_wire(delivery.redaction)
    redaction.verify(world.receipt_key.public, envelope_from_wire(delivery.envelope))
    answer = await service(world).Acknowledge(
        exchange_pb2.AcknowledgeRequest(log_indexes=[delivery.log_index]), FakeContext(world.cast.sna)
    )
    assert (answer.acknowledged, answer.already, list(answer.unknown)) == (1, 0, [])


async def test_large_deliveries_are_sent_in_frames_that_grpc_takes(world: World) -> None:
    """Ten fields of nearly 64 KiB each are a valid push; twenty of those are more than one message may hold."""
    await world.certify(FIRM)
    await world.certify(FIRM, recipient=world.cast.body)
    names = ["establishment_number", "firm_name", "law", "article", "count", "found_on", "decided_on"]
    large = dict.fromkeys(names, "x" * 32_000)
    for _ in range(10):
        assert (await world.push(world.envelope(FIRM, fields=large))).decision.effect == PERMIT
        assert (await world.push(world.deposit(FIRM, fields=large))).decision.effect == PERMIT
    request = exchange_pb2.ReceiveRequest(follow=False)
    frames = [frame async for frame in service(world).Receive(request, FakeContext(world.cast.sna))]
    assert sum(len(frame.deliveries) for frame in frames) == 10
    assert [frame.caught_up for frame in frames] == [False] * (len(frames) - 1) + [True]
    responses = await match(world, question(world, FIRM))
    assert sum(len(response.answer.hits) for response in responses) == 10
    assert max(message.ByteSize() for message in [*frames, *responses]) <= 1.2 * MAX_MESSAGE


async def test_a_call_without_a_certificate_is_refused(world: World) -> None:
    with pytest.raises(Refused) as caught:
        await service(world).Push(push(world), FakeContext(None))
    assert caught.value.error.code == "no-certificate"
