# SPDX-License-Identifier: EUPL-1.2
"""Messages that are not what they should be, from callers who are: at the broker, over real mTLS.

What is no exchange is refused with a code and leaves no entry; what is one and may not be is a logged denial.
After every test an honest push works and the log verifies.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
import pytest_asyncio

from sluis.client import Kit
from sluis.encoding import lp
from sluis.envelope import Field
from sluis.errors import InvalidInput
from sluis.header import Header, new_uuid7
from sluis.identifiers import Oin
from sluis.rpc.server import MAX_MESSAGE
from sluis.rpc.status import from_rpc_error
from sluis.sealing_keys import Suite
from sluis.v1 import envelope_pb2, exchange_pb2
from tests.scenarios.calls import Sealed, log_size, refusal, seal_again, seal_draft
from tests.scenarios.scene import Scene

HOUR_MS = 3600_000


@pytest_asyncio.fixture
async def sender(shared: Scene) -> AsyncIterator[Kit]:
    """The inspectorate's kit; afterwards an honest push works and the log verifies."""
    async with shared.kit(shared.stage.cast.inspectorate) as kit:
        yield kit
    await shared.push(1)
    await shared.audit()


async def sealed_by(kit: Kit, shared: Scene, **changes: Any) -> Sealed:
    return await seal_draft(kit, shared.drafts(1)[0], **changes)


async def push_code(kit: Kit, request: exchange_pb2.PushRequest) -> str:
    return await refusal(kit.connections.exchange.Push(request))


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda header: b"", "malformed-encoding"),
        (lambda header: header[:-1], "malformed-encoding"),
        (lambda header: header + b"\0", "malformed-encoding"),
        (lambda header: b"\xff" * len(header), "malformed-encoding"),
        (lambda header: lp("sluis/v2/header") + header[19:], "malformed-encoding"),
        (lambda header: header.replace(b"mailbox", b"postbus"), "malformed-request"),
        (lambda header: header.replace(b"waadi-14b", b"waadi 14b"), "malformed-request"),
        (lambda header: header + bytes(9000), "malformed-request"),
    ],
)
async def test_a_malformed_header_is_refused(sender: Kit, shared: Scene, spoil: Any, code: str) -> None:
    size = log_size(shared.stage)
    request = (await sealed_by(sender, shared)).request()
    request.envelope.header = spoil(request.envelope.header)
    assert await push_code(sender, request) == code
    assert log_size(shared.stage) == size


@pytest.mark.parametrize(
    ("created", "expires", "code"),
    [
        (-31 * 24 * HOUR_MS, HOUR_MS, "clock-skew"),
        (HOUR_MS, 2 * HOUR_MS, "clock-skew"),
        (-2 * HOUR_MS, -HOUR_MS, "signal-expired"),
        (0, 7 * 366 * 24 * HOUR_MS, "clock-skew"),
    ],
)
async def test_a_signal_of_another_time_is_refused(
    sender: Kit, shared: Scene, created: int, expires: int, code: str
) -> None:
    now = now_ms()
    sealed = await sealed_by(sender, shared, created_at_ms=now + created, expires_at_ms=now + expires)
    assert await push_code(sender, sealed.request()) == code


async def test_altered_ciphertexts_fields_and_signatures_are_refused(sender: Kit, shared: Scene) -> None:
    size = log_size(shared.stage)

    async def fresh() -> tuple[exchange_pb2.PushRequest, Any]:
        request = (await sealed_by(sender, shared)).request()
        return request, request.envelope

    request, envelope = await fresh()
    one, other = envelope.fields[0].kept, envelope.fields[1].kept
    one.ciphertext, other.ciphertext = other.ciphertext, one.ciphertext
    assert await push_code(sender, request) == "signature-wrong"

    request, envelope = await fresh()
    envelope.fields[0].kept.ciphertext = envelope.fields[0].kept.ciphertext[:-1]
    assert await push_code(sender, request) == "malformed-request"  # shorter than any ciphertext
    envelope.fields[0].kept.ciphertext += b"\0\0"
    assert await push_code(sender, request) == "signature-wrong"

    request, envelope = await fresh()
    del envelope.fields[2]
    assert await push_code(sender, request) == "signature-wrong"  # missing from the manifest

    request, envelope = await fresh()
    envelope.fields[0].kept.name, envelope.fields[1].kept.name = "law", "establishment_number"
    assert await push_code(sender, request) == "signature-wrong"

    request, envelope = await fresh()
    envelope.fields[0].kept.commitment = bytes(32)
    assert await push_code(sender, request) == "signature-wrong"

    request, envelope = await fresh()
    envelope.signature = bytes(64)
    assert await push_code(sender, request) == "signature-wrong"

    request, envelope = await fresh()
    envelope.wrapped_key = (await fresh())[1].wrapped_key
    assert await push_code(sender, request) == "signature-wrong"

    request, envelope = await fresh()
    header = Header.decode(envelope.header)
    changed = replace(header, claims={**header.claims, "decided_on": "2026-01-01"})
    envelope.header = changed.encode()
    assert await push_code(sender, request) == "signature-wrong"
    assert log_size(shared.stage) == size


async def test_a_message_over_the_limit_is_refused(sender: Kit, shared: Scene) -> None:
    request = (await sealed_by(sender, shared)).request()
    request.envelope.header = bytes(MAX_MESSAGE)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sender.connections.exchange.Push(request)
    error = from_rpc_error(caught.value)  # grpc itself refuses it, without ErrorInfo
    assert isinstance(error, InvalidInput)
    assert error.code == "message-too-large"


async def stream(kit: Kit, *frames: list[exchange_pb2.PushRequest]) -> list[exchange_pb2.PushStreamResponse]:
    async def each() -> AsyncIterator[exchange_pb2.PushStreamRequest]:
        for frame in frames:
            yield exchange_pb2.PushStreamRequest(pushes=frame)

    return [answer async for answer in kit.connections.exchange.PushStream(each())]


async def test_too_many_pushes_in_a_frame_are_refused_and_a_wrong_one_stands_alone(
    sender: Kit, shared: Scene
) -> None:
    size = log_size(shared.stage)
    request = (await sealed_by(sender, shared)).request()

    async def frame() -> AsyncIterator[exchange_pb2.PushStreamRequest]:
        yield exchange_pb2.PushStreamRequest(pushes=[request] * 101)

    assert await refusal(sender.connections.exchange.PushStream(frame())) == "batch-too-large"
    assert log_size(shared.stage) == size

    bad = (await sealed_by(sender, shared)).request()
    bad.envelope.signature = bytes(64)
    keyless = (await sealed_by(sender, shared)).request("no spaces")
    (answer,) = await stream(sender, [bad, request, keyless])
    assert [result.WhichOneof("outcome") for result in answer.results] == ["error", "answer", "error"]
    assert [answer.results[at].error.code for at in (0, 2)] == ["signature-wrong", "malformed-request"]
    assert answer.results[1].answer.decision.effect == envelope_pb2.EFFECT_PERMIT


async def test_an_idempotency_key_has_one_effect_and_one_content(sender: Kit, shared: Scene) -> None:
    first, other = [await sealed_by(sender, shared) for _ in range(2)]
    key = "the-very-same-key"
    answer = await sender.connections.exchange.Push(first.request(key))
    size = log_size(shared.stage)
    again = await sender.connections.exchange.Push(first.request(key))
    assert again.repeated_request
    assert (again.receipt, again.entry) == (answer.receipt, answer.entry)
    assert await push_code(sender, other.request(key)) == "idempotency-conflict"
    strict = first.request(key)
    strict.strict = True
    assert await push_code(sender, strict) == "idempotency-conflict"
    assert await push_code(sender, first.request("another-key")) == "signal-exists"  # a replay
    # Within one frame too, where nothing has been committed yet.
    twin = replace(other.header, signal_id=new_uuid7(now_ms()))
    sealed = seal_again(sender, twin, other.fields, other.recipient_key)
    (frame,) = await stream(sender, [other.request("in-one-frame")] * 2 + [sealed.request("in-one-frame")])
    assert [result.WhichOneof("outcome") for result in frame.results] == ["answer", "answer", "error"]
    assert [result.answer.repeated_request for result in frame.results] == [False, True, False]
    assert frame.results[2].error.code == "idempotency-conflict"
    assert log_size(shared.stage) == size + 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"agreement": "waadi-15b"}, "UNKNOWN_AGREEMENT"),
        ({"kind": "FINE_WAIVED"}, "UNKNOWN_KIND"),
        ({"purpose": "NIEUWSGIERIGHEID"}, "UNKNOWN_PURPOSE"),
        ({"recipient": Oin("00000099000000777000")}, "UNKNOWN_PARTY"),
        ({"claims": {"shoe_size": "43"}}, "UNKNOWN_CLAIM"),
        ({"claims": {"decided_on": "gisteren"}}, "CLAIM_MALFORMED"),
        ({"claims": {}}, "PROVISION_NOT_LISTED"),
        ({"pseudonym": bytes(16)}, "NO_CERTIFICATE"),
    ],
)
async def test_what_no_rule_permits_is_a_logged_denial(
    sender: Kit, shared: Scene, changes: dict[str, Any], reason: str
) -> None:
    entry = await logged_denial(sender, shared, await sealed_by(sender, shared, **changes), reason)
    if reason.startswith("UNKNOWN"):
        # A word that the catalogue does not know could be anything: it is not repeated in the log.
        assert not [word for word in changes.values() if str(word).encode() in entry]


async def test_an_epoch_that_was_never_announced_is_refused(sender: Kit, shared: Scene) -> None:
    sealed = await sealed_by(sender, shared, epoch="1999")
    size = log_size(shared.stage)
    assert await push_code(sender, sealed.request()) == "unknown-epoch"
    assert log_size(shared.stage) == size


async def logged_denial(sender: Kit, shared: Scene, sealed: Sealed, reason: str) -> bytes:
    await shared.receive()
    answer = await sender.connections.exchange.Push(sealed.request())
    assert answer.decision.effect == envelope_pb2.EFFECT_DENY
    assert answer.decision.reasons[0].code == reason
    sender.trust.check_receipt(answer.receipt, answer.entry)
    entry = json.loads(answer.entry)
    assert (entry["operation"], entry["decision"], entry["outcome"]) == ("signal.push", "deny", "refused")
    assert entry["reasons"][0]["code"] == reason
    async with shared.kit(shared.stage.cast.officer) as officer:
        assert await officer.auditor.entry(answer.receipt.log_index) == answer.entry
    assert await shared.receive() == []
    return answer.entry


async def test_an_unknown_field_is_a_logged_denial(sender: Kit, shared: Scene) -> None:
    sealed = await sealed_by(sender, shared)
    extra = Field(name="shoe_size", category="ordinary", value=b"43")
    header = replace(sealed.header, signal_id=new_uuid7(now_ms()))
    again = seal_again(sender, header, (*sealed.fields, extra), sealed.recipient_key)
    await logged_denial(sender, shared, again, "UNKNOWN_FIELD")


async def test_what_was_sealed_for_another_is_refused_by_the_recipient_and_the_rest_arrives(
    sender: Kit, shared: Scene
) -> None:
    cast = shared.stage.cast
    await shared.receive()
    sealed = await sealed_by(sender, shared)
    other = await sender.trust.card(cast.bodies[0].oin)
    wrong = seal_again(sender, sealed.header, sealed.fields, other.sealing_key)
    lying = await sealed_by(sender, shared)
    untrue = tuple(replace(f, value=b"WML 7") if f.name == "law" else f for f in lying.fields)
    lying = seal_again(sender, lying.header, untrue, lying.recipient_key)
    classic = await sealed_by(sender, shared, suite=Suite.X25519)
    requests = [wrong.request(), lying.request(), classic.request()]
    (answer,) = await stream(sender, requests)
    assert all(r.answer.decision.effect == envelope_pb2.EFFECT_PERMIT for r in answer.results)
    received: list[Any] = []

    async def keep(signals: Any) -> None:
        received.extend(signals)

    async with shared.kit(cast.foundation) as kit:
        report = await kit.receiver.receive(keep)
        assert [item.code for item in report.refused or []] == ["ciphertext-wrong", "unknown-value"]
        assert [signal.header.signal_id for signal in received] == [classic.header.signal_id]
        # They stay with the broker as evidence; here they are put away for the tests that follow.
        indexes = [item.log_index for item in report.refused or []]
        request = exchange_pb2.AcknowledgeRequest(log_indexes=indexes)
        assert (await kit.connections.exchange.Acknowledge(request)).acknowledged == 2


async def test_a_question_that_is_malformed_or_too_large_is_refused(sender: Kit, shared: Scene) -> None:
    async with shared.kit(shared.stage.cast.bodies[0]) as kit:
        (epoch,) = await kit.pseudonymiser.epochs(kit.agreement, kit.oin)

        async def ask(**changes: Any) -> exchange_pb2.MatchResponse:
            request = {
                "idempotency_key": f"match-{time.time_ns()}",
                "agreement": kit.agreement,
                "purpose": "CERTIFICAATBEOORDELING",
                "kind": "FINE_IMPOSED",
                "epoch": epoch,
                "pseudonyms": bytes(16),
            } | changes

            async def frames() -> AsyncIterator[exchange_pb2.MatchRequest]:
                yield exchange_pb2.MatchRequest(**request)

            (answer,) = [answer async for answer in kit.connections.exchange.Match(frames())]
            return answer

        assert (await ask(pseudonyms=bytes(16 * 4097))).error.code == "batch-too-large"
        assert (await ask(pseudonyms=bytes(17))).error.code == "malformed-request"
        assert (await ask(idempotency_key="")).error.code == "malformed-request"
        for unknown in ({"agreement": "waadi-15b"}, {"kind": "?"}, {"purpose": "?"}):
            denied = (await ask(**unknown)).answer
            assert denied.decision.effect == envelope_pb2.EFFECT_DENY
            kit.trust.check_receipt(denied.receipt, denied.entry)
        assert not (await ask()).answer.hits
        assert (await ask(epoch="1999", pseudonyms=b"")).error.code == "unknown-epoch"
        many = exchange_pb2.AcknowledgeRequest(log_indexes=range(1001))
        assert await refusal(kit.connections.exchange.Acknowledge(many)) == "batch-too-large"
        huge = exchange_pb2.AcknowledgeRequest(log_indexes=[(1 << 64) - 1])
        assert await refusal(kit.connections.exchange.Acknowledge(huge)) == "malformed-request"


async def test_a_client_that_opens_a_stream_and_vanishes_leaves_whole_signals(
    sender: Kit, shared: Scene
) -> None:
    await shared.receive()
    requests = [(await sealed_by(sender, shared)).request() for _ in range(40)]

    async def frames() -> AsyncIterator[exchange_pb2.PushStreamRequest]:
        for start in range(0, 40, 10):
            yield exchange_pb2.PushStreamRequest(pushes=requests[start : start + 10])
        await asyncio.sleep(60)

    call: Any = sender.connections.exchange.PushStream(frames())
    assert len((await call.read()).results) == 10
    call.cancel()
    host, port = shared.stage.broker.address.rsplit(":", 1)
    for said in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):  # or never really came
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(said)
    # Sent again, whatever had landed gets its first answer and the rest is new: each arrives once.
    answers = await stream(sender, *(requests[start : start + 10] for start in range(0, 40, 10)))
    results = [result.answer for answer in answers for result in answer.results]
    assert sum(result.repeated_request for result in results) >= 10
    assert len({result.receipt.log_index for result in results}) == 40
    assert {s.log_index for s in await shared.receive()} == {r.receipt.log_index for r in results}


async def test_readers_who_do_not_read_stall_nobody(sender: Kit, shared: Scene) -> None:
    await shared.receive()
    await shared.push(300)
    async with shared.kit(shared.stage.cast.foundation) as kit:
        request = exchange_pb2.ReceiveRequest(follow=True)
        slow: list[Any] = [kit.connections.exchange.Receive(request) for _ in range(12)]
        for call in slow:
            assert (await call.read()).deliveries
        began = time.monotonic()
        await shared.push(20)
        await shared.audit()
        assert time.monotonic() - began < 5
        for call in slow:
            call.cancel()
    assert len(await shared.receive()) == 320
