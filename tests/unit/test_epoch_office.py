# SPDX-License-Identifier: EUPL-1.2
"""Epochs at the broker: what is announced, closed and retired, what each refuses, and what the log says of it."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.epochs import EpochKeeper
from broker.storage.all_tables import METADATA
from broker.storage.epoch_tables import EPOCH_DATA, NO_EPOCH_DATA
from sluis.canonical import canonical_json
from sluis.encoding import lp
from sluis.epoch_log import KeyDestruction, read_epoch
from sluis.errors import SluisError
from sluis.merkle import Hash, leaf_hash
from sluis.v1 import directory_pb2
from sluis.wire import receipt_from_wire
from tests.actors import Actor, cast
from tests.unit.epoch_samples import (
    MOMENTS,
    Evaluators,
    both_evaluators,
    directory,
    forget_epochs,
    office,
    sql,
)
from tests.world import FIRM, ORIGIN, OTHER_FIRM, FakeContext, Refused, World

PERMIT = 1


@pytest.fixture
def evaluators(world: World, tmp_path: Path) -> Iterator[Evaluators]:
    """A world in which no epoch is announced yet."""
    forget_epochs(world)
    with both_evaluators(world, tmp_path) as made:
        yield made


def code(act: Callable[[], object]) -> str:
    """The code of a refusal."""
    with pytest.raises(SluisError) as caught:
        act()
    return caught.value.code


async def refused(call: Any) -> str:
    """The code of a refused call."""
    with pytest.raises((SluisError, Refused)) as caught:
        await call
    error = caught.value
    return error.error.code if isinstance(error, Refused) else error.code


async def begin(world: World, evaluators: Evaluators) -> None:
    """Let 2026 begin, with keys and registers."""
    await evaluators.publish("2026")
    office(world).announce("2026", MOMENTS["2026"], "the first")
    await world.certify(FIRM, OTHER_FIRM)


async def test_every_act_stands_in_the_log(world: World, evaluators: Evaluators) -> None:
    before = world.size
    office(world).announce("2026", MOMENTS["2026"], "the first")
    office(world).announce("2026-b", None, "now")
    world.clock.move(hours=1)
    office(world).rotate("2026-c", "2026-b", "found in a bin")
    world.clock.move(hours=1)
    office(world).compromise("2026-b", "and the other", stop_questions=True)
    rows = [{k: v for k, v in entry.items() if k not in ("v", "time")} for entry in world.entries(before)]
    assert rows == [
        {
            "operation": "epoch.announce",
            "epoch": "2026",
            "begins": "2026-01-01T00:00:00.000Z",
            "reason": "the first",
        },
        {
            "operation": "epoch.announce",
            "epoch": "2026-b",
            "begins": "2026-06-22T10:00:00.000Z",
            "reason": "now",
        },
        {
            "operation": "epoch.compromise",
            "epoch": "2026-b",
            "since": "2026-06-22T11:00:00.000Z",
            "questions": "asked",
            "reason": "found in a bin",
        },
        {
            "operation": "epoch.announce",
            "epoch": "2026-c",
            "begins": "2026-06-22T11:00:00.000Z",
            "reason": "found in a bin",
        },
        {
            "operation": "epoch.compromise",
            "epoch": "2026-b",
            "since": "2026-06-22T11:00:00.000Z",
            "questions": "stopped",
            "reason": "and the other",
        },
    ]


def test_an_announcement_that_makes_no_sense_is_refused(world: World, evaluators: Evaluators) -> None:
    office(world).announce("2026", MOMENTS["2026"], "the first")
    size = world.size
    later = world.clock.now + timedelta(days=1)
    assert code(lambda: office(world).announce("2026", later, "again")) == "epoch-exists"
    assert code(lambda: office(world).announce("no good", later, "x")) == "unknown-epoch"
    past = world.clock.now - timedelta(days=1)
    assert code(lambda: office(world).announce("2025-b", past, "x")) == "date-order"
    office(world).announce("2027", MOMENTS["2027"], "next")
    assert code(lambda: office(world).announce("2027-b", MOMENTS["2027"], "x")) == "wrong-state"
    assert code(lambda: office(world).compromise("1999", "x")) == "unknown-epoch"
    assert code(lambda: office(world).rotate("2028", "1999", "x")) == "unknown-epoch"
    office(world).compromise("2026", "x")
    assert code(lambda: office(world).compromise("2026", "x")) == "wrong-state"
    assert world.size == size + 2  # a refused act leaves nothing


async def test_an_epoch_waits_for_both_evaluators_keys(world: World, evaluators: Evaluators) -> None:
    await begin(world, evaluators)
    assert code(lambda: office(world).announce("2027", MOMENTS["2027"], "x")) == "wrong-state"
    first = next(iter(evaluators.shares))
    both = evaluators.shares
    evaluators.shares = {first: both[first]}
    await evaluators.publish("2027")
    assert code(lambda: office(world).announce("2027", MOMENTS["2027"], "x")) == "wrong-state"
    evaluators.shares = both
    await evaluators.publish("2027")
    office(world).announce("2027", MOMENTS["2027"], "x")


async def test_a_push_in_another_epoch_is_refused_with_its_code(world: World, evaluators: Evaluators) -> None:
    await begin(world, evaluators)
    await evaluators.publish("2026-2")
    size = world.size
    assert await refused(world.push(world.envelope(FIRM, epoch="1999"))) == "unknown-epoch"
    office(world).announce("2026-2", world.clock.now + timedelta(days=1), "next")
    assert await refused(world.push(world.envelope(FIRM, epoch="2026-2"))) == "epoch-not-begun"
    assert (await world.push(world.envelope(FIRM))).decision.effect == PERMIT
    late = world.envelope(FIRM)  # sealed before the next one began
    world.clock.move(days=2)
    assert (await world.push(late)).decision.effect == PERMIT
    assert await refused(world.push(world.envelope(FIRM))) == "epoch-closed"
    assert await refused(world.certify(FIRM, epoch="1999")) == "unknown-epoch"
    assert world.size == size + 3


async def test_what_was_taken_keeps_its_first_answer_in_a_closed_epoch(
    world: World, evaluators: Evaluators
) -> None:
    await begin(world, evaluators)
    envelope = world.envelope(FIRM)
    first = await world.push(envelope, key="the-same-key")
    office(world).compromise("2026", "a seed is suspected")
    again = await world.push(envelope, key="the-same-key")
    assert (again.repeated_request, again.receipt) == (True, first.receipt)
    assert await refused(world.push(world.envelope(OTHER_FIRM))) == "epoch-closed"
    # However late: not even its age comes before the first answer.
    world.clock.move(days=300)
    assert (await world.push(envelope, key="the-same-key")).receipt == first.receipt
    assert len(world.waiting(world.cast.sna)) == 1


async def test_a_compromised_epoch_is_still_asked_and_kept_up_until_questions_stop(
    world: World, evaluators: Evaluators
) -> None:
    await begin(world, evaluators)
    body = world.cast.body
    await world.certify(FIRM, recipient=body)
    assert (await world.push(world.deposit(FIRM))).decision.effect == PERMIT
    office(world).compromise("2026", "a seed is suspected")
    assert [hit.position for hit in (await world.ask(FIRM)).hits] == [0]
    assert (await world.certify(recipient=body)).decision.effect == PERMIT  # the certificate is withdrawn
    assert not (await world.ask(FIRM)).hits
    office(world).compromise("2026", "so is the other", stop_questions=True)
    assert await refused(world.ask(FIRM)) == "epoch-closed"
    assert await refused(world.certify(FIRM)) == "epoch-closed"


async def test_an_epoch_is_retired_when_nothing_is_left_and_nothing_can_come(
    world: World, evaluators: Evaluators
) -> None:
    await begin(world, evaluators)
    assert (await world.push(world.envelope(FIRM))).decision.effect == PERMIT
    await evaluators.publish("2027")
    office(world).announce("2027", MOMENTS["2027"], "next")
    world.clock.now = datetime(2027, 1, 20, tzinfo=UTC)
    assert (
        code(lambda: office(world).retire("2026")) == "wrong-state"
    )  # sealed in December, it may still come
    world.clock.now = datetime(2027, 2, 2, tzinfo=UTC)
    assert code(lambda: office(world).retire("2026")) == "wrong-state"  # a signal is kept
    assert code(lambda: office(world).retire("2027")) == "wrong-state"
    assert office(world).retire_all() == []
    sql(world, "UPDATE signal SET pseudonym = x''")  # as destruction leaves it
    before = world.size
    EpochKeeper(world.store, world.clock).once()
    (entry,) = world.entries(before)
    assert (entry["operation"], entry["epoch"], entry["registers"]) == ("key.retire", "2026", 1)
    assert code(lambda: office(world).retire("2026")) == "wrong-state"
    assert await refused(world.ask(FIRM)) == "epoch-closed"
    assert await refused(world.certify(FIRM)) == "epoch-closed"
    with world.store.transaction() as tx:
        assert tx.register_owners("waadi-14b", "certificates", world.cast.sna.oin, "2026") == frozenset()


async def test_a_register_of_another_epoch_stays_when_one_is_retired(
    world: World, evaluators: Evaluators
) -> None:
    await begin(world, evaluators)
    await evaluators.publish("2026-2")
    office(world).rotate("2026-2", "2026", "a seed is suspected")
    await world.certify(FIRM, epoch="2026-2")
    office(world).retire("2026")
    answer = await world.push(world.envelope(FIRM, epoch="2026-2"))
    assert answer.decision.effect == PERMIT


def test_every_table_with_an_epoch_is_known_to_keep_it_alive_or_not() -> None:
    with_epoch = {name for name, table in METADATA.tables.items() if "epoch" in table.columns}
    assert with_epoch == {*EPOCH_DATA, *NO_EPOCH_DATA}
    assert all("pseudonym" in METADATA.tables[name].columns for name in EPOCH_DATA)


async def test_epochs_of_a_database_from_before_are_announced_once(
    world: World, evaluators: Evaluators
) -> None:
    await evaluators.publish("2026")
    await evaluators.publish("voorjaar")
    assert office(world).adopt() == ["2026", "voorjaar"]
    assert office(world).adopt() == []
    begins = {one.name: one.begins_at_ms for one in office(world).calendar().epochs}
    assert begins == {"2026": int(MOMENTS["2026"].timestamp() * 1000), "voorjaar": world.clock.ms()}
    assert world.operations()[-2:] == ["epoch.announce"] * 2


async def test_the_list_of_epochs_proves_itself(world: World, evaluators: Evaluators) -> None:
    await begin(world, evaluators)
    await evaluators.publish("2026-2")
    world.clock.move(hours=1)
    office(world).rotate("2026-2", "2026", "a seed is suspected")
    office(world).retire("2026")
    answer = await directory(world).ListEpochs(directory_pb2.ListEpochsRequest(), FakeContext(world.cast.nla))
    read = []
    for record in answer.epochs:
        entries = []
        for name in ("announced", "compromised", "retired"):
            logged = getattr(record, name) if record.HasField(name) else None
            if logged is not None:
                receipt = receipt_from_wire(logged.receipt)
                receipt.verify(world.receipt_key.public, log_origin=ORIGIN, entry=logged.entry)
                assert world.raw_entries(receipt.log_index)[0] == logged.entry
            entries.append(logged and (logged.receipt.log_index, logged.entry))
        read.append(read_epoch(*entries))
    assert tuple(sorted(read, key=lambda epoch: epoch.place)) == office(world).calendar().epochs


# destroyed seeds


def statement(world: World, evaluator: Actor, **changes: Any) -> KeyDestruction:
    """A statement about the entry that retired 2026."""
    (row,) = [row for row in world.store.epochs.all() if row.name == "2026"]
    index = row.retired_index or 0
    values = {
        "log_origin": ORIGIN,
        "evaluator": evaluator.oin,
        "epoch": "2026",
        "retired_index": index,
        "retired_leaf": leaf_hash(world.raw_entries(index)[0]),
        "destroyed_at_ms": world.clock.ms(),
        **changes,
    }
    return KeyDestruction(**values)


async def state(world: World, by: Actor, told: KeyDestruction, *, signed_by: Actor | None = None) -> Any:
    """Publish a statement."""
    request = directory_pb2.PublishKeyDestructionRequest(
        statement=told.encode(), signature=told.sign((signed_by or by).signing)
    )
    return await directory(world).PublishKeyDestruction(request, FakeContext(by))


async def test_a_statement_of_destruction_stands_in_the_log_whole(
    world: World, evaluators: Evaluators
) -> None:
    await begin(world, evaluators)
    one, other = world.cast.evaluators
    assert await refused(state(world, one, statement(world, one))) == "wrong-state"  # not retired yet
    office(world).compromise("2026", "test")
    office(world).retire("2026")
    told, before = statement(world, one), world.size
    answer = await state(world, one, told)
    assert KeyDestruction.from_entry(answer.logged.entry, ORIGIN) == told
    (entry,) = world.entries(before)
    told.verify(one.signing.public, bytes.fromhex(entry["signature"]))
    later = statement(world, one, destroyed_at_ms=world.clock.ms() + 5)
    assert (await state(world, one, later)).logged == answer.logged  # the first stays
    assert world.size == before + 1
    await state(world, other, statement(world, other))
    listed = await directory(world).ListEpochs(directory_pb2.ListEpochsRequest(), FakeContext(one))
    assert len(listed.epochs[0].destroyed) == 2


async def test_a_statement_that_does_not_hold_is_refused(world: World, evaluators: Evaluators) -> None:
    await begin(world, evaluators)
    office(world).compromise("2026", "test")
    office(world).retire("2026")
    one, other = world.cast.evaluators
    size = world.size
    assert await refused(state(world, one, statement(world, other))) == "not-your-identity"
    assert await refused(state(world, one, statement(world, one), signed_by=other)) == "signature-wrong"
    assert await refused(state(world, world.cast.nla, statement(world, world.cast.nla))) == "not-your-role"
    for wrong in (
        {"retired_index": 0},
        {"retired_leaf": Hash(bytes(32))},
        {"log_origin": "another.example/log"},
    ):
        assert await refused(state(world, one, statement(world, one, **wrong))) == "wrong-state"
    assert await refused(state(world, one, statement(world, one, epoch="1999"))) == "unknown-epoch"
    request = directory_pb2.PublishKeyDestructionRequest(statement=b"x", signature=bytes(64))
    call = directory(world).PublishKeyDestruction(request, FakeContext(one))
    assert await refused(call) == "malformed-encoding"
    assert world.size == size


def test_a_statement_is_read_as_it_was_written() -> None:
    told = KeyDestruction(
        log_origin=ORIGIN,
        evaluator=cast().evaluators[0].oin,
        epoch="2026",
        retired_index=7,
        retired_leaf=Hash(hashlib.sha256(b"leaf").digest()),
        destroyed_at_ms=1_782_122_400_123,
    )
    assert KeyDestruction.decode(told.encode()) == told
    for wrong in (told.encode()[:-1], told.encode() + b"x", lp("sluis/v1/other"), b""):
        assert code(lambda wrong=wrong: KeyDestruction.decode(wrong)) == "malformed-encoding"  # type: ignore[misc]
    entry = {"operation": "key.destroy", "evaluator": told.evaluator, "epoch": "2026", "retired": 7}
    for changes in ({"leaf": "zz"}, {"leaf": "00" * 32, "destroyed_at": "gisteren"}, {"retired": "7"}):
        assert code(
            lambda changes=changes: KeyDestruction.from_entry(  # type: ignore[misc]
                canonical_json({**entry, **changes}), ORIGIN
            )
        ) in ("log-inconsistent", "malformed-encoding")


async def test_two_replicas_retire_an_epoch_once(world: World, evaluators: Evaluators) -> None:
    await begin(world, evaluators)
    office(world).compromise("2026", "test")
    before = world.size
    results = await asyncio.gather(
        *(asyncio.to_thread(office(world).retire, "2026") for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(result, SluisError) for result in results) == 2
    assert world.operations(before) == ["key.retire"]
