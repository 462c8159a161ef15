# SPDX-License-Identifier: EUPL-1.2
"""Reading the log over the wire: proofs for every participant, entries for privacy officers, and that is logged."""

from collections.abc import Awaitable
from datetime import timedelta
from functools import partial

import pytest

from broker.audit.checkpointer import Checkpointer
from broker.wire import audit_service
from broker.wire.audit_service import AuditService
from broker.wire.portions import portions
from sluis.checkpoint import verify_checkpoint
from sluis.checkpoint_signers import log_signers, new_secret
from sluis.envelope import MAX_FIELDS, Field
from sluis.errors import SluisError
from sluis.header import MAX_CLAIMS
from sluis.merkle import Hash, leaf_hash, verify_consistency, verify_inclusion
from sluis.rpc.server import MAX_MESSAGE
from sluis.v1 import audit_pb2
from tests.actors import Actor, make_actor
from tests.world import FIRM, ORIGIN, FakeContext, Refused, World

SIGNERS = log_signers(ORIGIN, new_secret())


def service(world: World) -> AuditService:
    return AuditService(world.broker.desk, world.store, world.clock)


async def refused(call: Awaitable[object]) -> SluisError:
    with pytest.raises(Refused) as caught:
        await call
    return caught.value.error


async def entries(
    world: World, actor: Actor | None, start: int = 0, end: int = 0
) -> list[list[audit_pb2.LogEntry]]:
    request = audit_pb2.ListEntriesRequest(start=start, end=end)
    answers = service(world).ListEntries(request, FakeContext(actor))
    return [list(answer.entries) async for answer in answers]


async def inclusion(world: World, index: int, size: int, actor: Actor | None = None) -> list[Hash]:
    request = audit_pb2.GetInclusionProofRequest(log_index=index, tree_size=size)
    answer = await service(world).GetInclusionProof(request, FakeContext(actor or world.cast.body))
    return [Hash(item) for item in answer.hashes]


async def consistency(world: World, first: int, second: int) -> list[Hash]:
    request = audit_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
    answer = await service(world).GetConsistencyProof(request, FakeContext(world.cast.body))
    return [Hash(item) for item in answer.hashes]


async def checkpoint(world: World, minimum: int = 0) -> str:
    request = audit_pb2.GetCheckpointRequest(minimum_size=minimum)
    answer = await service(world).GetCheckpoint(request, FakeContext(world.cast.body))
    return str(answer.checkpoint)


async def test_an_officer_reads_the_entries_and_that_is_logged_first(world: World) -> None:
    await world.push(world.envelope(FIRM))
    size = world.size
    (frame,) = await entries(world, world.cast.officer)
    assert [row.log_index for row in frame] == list(range(size))
    assert [row.entry for row in frame] == world.raw_entries()[:size]
    assert all(row.leaf_hash == leaf_hash(row.entry) for row in frame)
    (own,) = world.entries(size)
    assert (own["operation"], own["reader"]) == ("log.read", world.cast.officer.oin)
    assert (own["first"], own["end"]) == (0, size)


async def test_entries_come_in_frames(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_service, "FRAME", 3)
    frames = await entries(world, world.cast.officer, 1, 6)
    assert [[row.log_index for row in frame] for frame in frames] == [[1, 2, 3], [4, 5]]


async def test_large_entries_come_in_messages_of_a_size(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal may hold many claims and fields that no rule knows, and each is a reason in the entry."""
    monkeypatch.setattr(audit_service, "portions", partial(portions, limit=50_000))
    claims = {f"c{number}": "" for number in range(MAX_CLAIMS)}
    fields = [Field(name=f"f{number}", category="meta", value=b"") for number in range(MAX_FIELDS)]
    answers = [await world.push(world.envelope(FIRM, claims=claims, fields=fields)) for _ in range(25)]
    assert 5_000 < len(answers[0].entry) < MAX_MESSAGE / 100
    frames = [
        audit_pb2.ListEntriesResponse(entries=frame) for frame in await entries(world, world.cast.officer)
    ]
    assert sum(len(frame.entries) for frame in frames) == world.size - 1
    assert len(frames) > 2
    assert max(frame.ByteSize() for frame in frames) <= 1.2 * 50_000


async def test_reading_no_entries_is_logged_too(world: World) -> None:
    size = world.size
    assert await entries(world, world.cast.officer, size, size) == []
    assert world.operations(size) == ["log.read"]


@pytest.mark.parametrize(("start", "end"), [(5, 4), (0, 8), (8, 0), (1 << 63, 0), (0, 1 << 63)])
async def test_entries_that_are_not_there_are_refused(world: World, start: int, end: int) -> None:
    assert world.size == 7
    assert (await refused(entries(world, world.cast.officer, start, end))).code == "malformed-request"
    assert world.size == 7


@pytest.mark.parametrize("who", ["nla", "sna", "body"])
async def test_entries_are_for_officers_alone(world: World, who: str) -> None:
    size = world.size
    assert (await refused(entries(world, getattr(world.cast, who)))).code == "not-your-role"
    assert world.size == size


async def test_who_calls_is_checked_before_anything_else(world: World) -> None:
    assert (await refused(entries(world, None))).code == "no-certificate"
    assert (await refused(entries(world, world.cast.stranger))).code == "party-unknown"
    assert (await refused(inclusion(world, 0, 1, world.cast.stranger))).code == "party-unknown"
    ends = make_actor(5, "privacy-officer", "FG", valid_until=world.clock() + timedelta(hours=1))
    assert await entries(world, ends)
    world.clock.move(hours=2)
    assert (await refused(entries(world, ends))).code == "certificate-expired"


async def test_every_entry_has_a_proof_that_it_is_in_the_tree(world: World) -> None:
    await world.push(world.envelope(FIRM))
    size, root = world.size, world.store.head().tree.root()
    for index, entry in enumerate(world.raw_entries()):
        verify_inclusion(leaf_hash(entry), index, size, await inclusion(world, index, size), root)


async def test_every_earlier_tree_has_a_proof_that_it_is_the_beginning_of_this_one(world: World) -> None:
    first, root = world.size, world.store.head().tree.root()
    for _ in range(4):
        await world.push(world.envelope(FIRM))
        proof = await consistency(world, first, world.size)
        verify_consistency(first, world.size, proof, root, world.store.head().tree.root())
    assert await consistency(world, first, first) == []


@pytest.mark.parametrize(("index", "size"), [(7, 7), (3, 3), (0, 0), (0, 8), (1 << 63, (1 << 64) - 1)])
async def test_a_proof_of_what_is_not_there_is_refused(world: World, index: int, size: int) -> None:
    assert (await refused(inclusion(world, index, size))).code == "malformed-request"


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (1, 8), (8, 8)])
async def test_a_consistency_proof_outside_the_log_is_refused(world: World, first: int, second: int) -> None:
    assert (await refused(consistency(world, first, second))).code == "malformed-request"


async def test_a_checkpoint_is_the_newest_or_the_first_that_covers_a_size(world: World) -> None:
    assert (await refused(checkpoint(world))).code == "not-found"
    checkpointer = Checkpointer(world.store, SIGNERS, [], world.clock, 1.0)
    await checkpointer.once()
    await world.push(world.envelope(FIRM))
    await checkpointer.once()
    vkeys = [signer.vkey for signer in SIGNERS]
    notes = [await checkpoint(world, minimum) for minimum in (0, 1, 7, 8)]
    assert [verify_checkpoint(note, vkeys, [], 0).checkpoint.size for note in notes] == [8, 7, 7, 8]
    assert (await refused(checkpoint(world, 9))).code == "not-found"
    assert (await refused(checkpoint(world, (1 << 64) - 1))).code == "not-found"
