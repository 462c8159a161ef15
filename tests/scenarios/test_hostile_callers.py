# SPDX-License-Identifier: EUPL-1.2
"""Callers who are not who they should be: at the broker, over real mTLS.

What TLS refuses has no code of ours: nothing of the call reached the broker. After every test an honest push
works and the log verifies.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from broker.storage.port import PartyStatus
from sluis.certificates import Authority
from sluis.client import Kit
from sluis.errors import NotAuthentic
from sluis.identifiers import Oin
from sluis.keys import ROOTS
from sluis.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    directory_pb2,
    directory_pb2_grpc,
    exchange_pb2,
    exchange_pb2_grpc,
)
from tests.scenarios.calls import (
    channel_of,
    fingerprint,
    log_size,
    make_keys,
    operator_of,
    refusal,
    seal_draft,
)
from tests.scenarios.scene import Scene

STRANGER = Oin("00000099000000777000")


@pytest_asyncio.fixture(autouse=True)
async def _honest_afterwards(shared: Scene) -> AsyncIterator[None]:
    yield
    await shared.push(1)
    await shared.audit()


async def parties(channel: grpc.aio.Channel) -> directory_pb2.ListPartiesResponse:
    stub = directory_pb2_grpc.DirectoryServiceStub(channel)
    return await stub.ListParties(directory_pb2.ListPartiesRequest(), timeout=5)


async def refused_by_tls(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await parties(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_without_a_certificate_nobody_gets_past_tls(shared: Scene) -> None:
    size = log_size(shared.stage)
    roots = (shared.stage.cast.officer.keys / ROOTS).read_bytes()
    credentials = grpc.ssl_channel_credentials(root_certificates=roots)
    for service in (shared.stage.broker, *shared.stage.evaluators):
        async with grpc.aio.secure_channel(service.address, credentials) as channel:
            await refused_by_tls(channel)
        async with grpc.aio.insecure_channel(service.address) as channel:
            await refused_by_tls(channel)
    assert log_size(shared.stage) == size


async def test_a_certificate_of_another_authority_is_refused_by_tls(shared: Scene, tmp_path: Path) -> None:
    cast = shared.stage.cast
    now = datetime.now(UTC)
    other = Authority.create(
        "Sluis demo authority",  # the same name, another key
        valid_from=now - timedelta(hours=1),
        valid_until=now + timedelta(hours=1),
    )
    keys = make_keys(tmp_path / "keys", cast.inspectorate.oin, other, roots=cast.authority)
    for service in (shared.stage.broker, *shared.stage.evaluators):
        async with channel_of(service.address, keys) as channel:
            await refused_by_tls(channel)


async def test_an_expired_certificate_is_refused_by_tls_and_the_kit_says_so_beforehand(
    shared: Scene, tmp_path: Path
) -> None:
    cast = shared.stage.cast
    keys = make_keys(tmp_path / "keys", cast.inspectorate.oin, cast.authority, starts=-3000, ends=-1)
    async with channel_of(shared.stage.broker.address, keys) as channel:
        await refused_by_tls(channel)
    with pytest.raises(NotAuthentic) as caught:
        async with shared.kit(cast.inspectorate, keys=keys, state=tmp_path / "state"):
            pass
    assert caught.value.code == "certificate-expired"


async def test_neither_a_connection_nor_a_stream_outlives_its_certificate(
    shared: Scene, tmp_path: Path
) -> None:
    cast = shared.stage.cast
    ends = time.time() + 2
    keys = make_keys(tmp_path / "keys", cast.inspectorate.oin, cast.authority, ends=2)
    async with channel_of(shared.stage.broker.address, keys) as channel:
        assert (await parties(channel)).parties
        exchange = exchange_pb2_grpc.ExchangeServiceStub(channel)
        waiting = refusal(exchange.Receive(exchange_pb2.ReceiveRequest(follow=True)))
        assert await asyncio.wait_for(waiting, 6) == "certificate-expired"
        assert time.time() >= ends - 1  # the certificate's times are whole seconds
        assert await refusal(parties(channel)) == "certificate-expired"


async def test_an_unknown_oin_is_refused_everywhere(shared: Scene, tmp_path: Path) -> None:
    keys = make_keys(tmp_path / "keys", STRANGER, shared.stage.cast.authority)
    size = log_size(shared.stage)
    async with shared.kit(shared.stage.cast.inspectorate) as kit:
        request = (await seal_draft(kit, shared.drafts(1)[0])).request()
    async with channel_of(shared.stage.broker.address, keys) as channel:
        exchange = exchange_pb2_grpc.ExchangeServiceStub(channel)
        audit = audit_pb2_grpc.AuditServiceStub(channel)
        assert await refusal(parties(channel)) == "party-unknown"
        assert await refusal(exchange.Push(request)) == "party-unknown"
        assert await refusal(exchange.Receive(exchange_pb2.ReceiveRequest())) == "party-unknown"
        acknowledge = exchange_pb2.AcknowledgeRequest(log_indexes=[1])
        assert await refusal(exchange.Acknowledge(acknowledge)) == "party-unknown"
        assert await refusal(audit.ListEntries(audit_pb2.ListEntriesRequest())) == "party-unknown"
        assert await refusal(audit.GetCheckpoint(audit_pb2.GetCheckpointRequest())) == "party-unknown"
    assert log_size(shared.stage) == size


async def test_a_certificate_of_another_party_than_the_header_is_refused(shared: Scene) -> None:
    cast = shared.stage.cast
    size = log_size(shared.stage)
    async with shared.kit(cast.inspectorate) as kit, shared.kit(cast.bodies[0]) as body:
        sealed = await seal_draft(kit, shared.drafts(1)[0])
        assert await refusal(body.connections.exchange.Push(sealed.request())) == "not-your-identity"
        claimed = await seal_draft(kit, shared.drafts(1)[0], sender=cast.bodies[0].oin)
        assert await refusal(kit.connections.exchange.Push(claimed.request())) == "not-your-identity"
        # With the header of the one and the certificate of the same, but the other's signature.
        assert await refusal(body.connections.exchange.Push(claimed.request())) == "signature-wrong"
    assert log_size(shared.stage) == size


async def next_push(kit: Kit, shared: Scene) -> str:
    sealed = await seal_draft(kit, shared.drafts(1)[0])
    return await refusal(kit.connections.exchange.Push(sealed.request()))


async def test_a_revoked_certificate_is_refused_from_the_next_call_on(shared: Scene) -> None:
    member = shared.stage.cast.inspectorate
    async with shared.kit(member) as kit:
        await seal_draft(kit, shared.drafts(1)[0])  # the broker knows this caller by now
        with operator_of(shared.stage) as operator:
            operator.stop("certificate", fingerprint(member), "lost")
            try:
                assert await next_push(kit, shared) == "certificate-revoked"
                await asyncio.sleep(1.1)  # what is only read may be remembered for a second
                call = kit.connections.exchange.Receive(exchange_pb2.ReceiveRequest())
                assert await refusal(call) == "certificate-revoked"
            finally:
                operator.resume("certificate", fingerprint(member), "found again")


async def test_a_stopped_party_is_refused_from_the_next_call_on_and_may_come_back(shared: Scene) -> None:
    member = shared.stage.cast.inspectorate
    async with shared.kit(member) as kit:
        await seal_draft(kit, shared.drafts(1)[0])
        with operator_of(shared.stage) as operator:
            operator.set_status(member.oin, PartyStatus.STOPPED, "an investigation")
            try:
                assert await next_push(kit, shared) == "party-stopped"
            finally:
                operator.set_status(member.oin, PartyStatus.ACTIVE, "cleared")
    await asyncio.sleep(1.1)  # a refusal is not remembered, an admission is, for a second
    await shared.push(1)


async def test_what_goes_to_a_stopped_recipient_is_a_logged_denial(shared: Scene) -> None:
    cast = shared.stage.cast
    async with shared.kit(cast.inspectorate) as kit:
        sealed = await seal_draft(kit, shared.drafts(1)[0])
        with operator_of(shared.stage) as operator:
            operator.set_status(cast.foundation.oin, PartyStatus.STOPPED, "an investigation")
            try:
                answer = await kit.connections.exchange.Push(sealed.request())
            finally:
                operator.set_status(cast.foundation.oin, PartyStatus.ACTIVE, "cleared")
    assert [reason.code for reason in answer.decision.reasons] == ["UNKNOWN_PARTY"]


async def test_a_stream_that_waits_for_more_ends_when_its_party_is_stopped(shared: Scene) -> None:
    member = shared.stage.cast.foundation
    await shared.receive()
    async with shared.kit(member) as kit:
        call = kit.connections.exchange.Receive(exchange_pb2.ReceiveRequest(follow=True))
        waiting = asyncio.create_task(refusal(call))
        with operator_of(shared.stage) as operator:
            operator.set_status(member.oin, PartyStatus.STOPPED, "an investigation")
            try:
                assert await asyncio.wait_for(waiting, 5) == "party-stopped"
            finally:
                operator.set_status(member.oin, PartyStatus.ACTIVE, "cleared")


async def test_only_a_privacy_officer_reads_entries(shared: Scene) -> None:
    cast = shared.stage.cast
    for member in (cast.inspectorate, cast.foundation, cast.bodies[0], cast.evaluators[0]):
        async with channel_of(shared.stage.broker.address, member.keys) as channel:
            call = audit_pb2_grpc.AuditServiceStub(channel).ListEntries(audit_pb2.ListEntriesRequest())
            assert await refusal(call) == "not-your-role"


async def test_one_party_cannot_take_what_waits_for_another(shared: Scene) -> None:
    cast = shared.stage.cast
    await shared.receive()
    (outcome,) = await shared.push(1)
    assert outcome.log_index is not None
    async with shared.kit(cast.bodies[0]) as kit:
        assert await shared.receive(cast.bodies[0]) == []
        request = exchange_pb2.AcknowledgeRequest(log_indexes=[outcome.log_index])
        answer = await kit.connections.exchange.Acknowledge(request)
        assert (list(answer.unknown), answer.acknowledged) == ([outcome.log_index], 0)
    assert [signal.log_index for signal in await shared.receive()] == [outcome.log_index]
