# SPDX-License-Identifier: EUPL-1.2
"""Epochs as a kit follows them: proven, held against what was seen, and caught up with after years away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sluis.client.registrar import Registrar
from sluis.errors import SluisError
from sluis.pseudonyms import PseudonymisationDomain
from sluis.v1 import directory_pb2
from tests.unit.epoch_samples import (
    MOMENTS,
    Desk,
    Evaluators,
    asked_epochs,
    both_evaluators,
    desk_of,
    firm,
    forget_epochs,
    office,
    sql,
)
from tests.world import AGREEMENT, World

FIRMS = [firm(number) for number in range(3)]


@pytest.fixture
async def evaluators(world: World, tmp_path: Path) -> AsyncIterator[Evaluators]:
    """Evaluators with keys of 2026, which is announced."""
    forget_epochs(world)
    with both_evaluators(world, tmp_path) as made:
        await made.publish("2026")
        office(world).announce("2026", MOMENTS["2026"], "the first")
        yield made


@pytest.fixture
def desk(world: World, evaluators: Evaluators, tmp_path: Path) -> Iterator[Desk]:
    """The inspectorate's kit."""
    with desk_of(world, evaluators, world.cast.nla, tmp_path / "nla") as made:
        yield made


async def code(call: Any) -> str:
    """The code of a refusal."""
    with pytest.raises(SluisError) as caught:
        await call
    return caught.value.code


async def current(desk: Desk) -> str:
    """The epoch in which this kit seals, asked anew."""
    desk.pseudonymiser.forget_epochs()
    return await desk.pseudonymiser.current_epoch(AGREEMENT, desk.trust.world.cast.sna.oin)  # type: ignore[attr-defined]


async def computed(desk: Desk, *epochs: str) -> dict[str, list[bytes]]:
    """Pseudonyms of the firms in the foundation's domain."""
    sna = desk.trust.world.cast.sna.oin  # type: ignore[attr-defined]
    return {
        epoch: list(await desk.pseudonymiser.pseudonyms(FIRMS, AGREEMENT, sna, epoch)) for epoch in epochs
    }


async def test_an_announced_epoch_begins_at_its_moment_and_not_by_its_name(
    desk: Desk, world: World, evaluators: Evaluators
) -> None:
    await evaluators.publish("zomer")
    assert await current(desk) == "2026"
    office(world).announce("zomer", datetime(2026, 7, 1, tzinfo=UTC), "test")
    assert await current(desk) == "2026"
    sna = world.cast.sna.oin
    assert await desk.pseudonymiser.epochs(AGREEMENT, sna) == ["2026"]
    assert await desk.pseudonymiser.epochs(AGREEMENT, sna, to_load=True) == ["2026", "zomer"]
    world.clock.move(days=10)
    assert await current(desk) == "zomer"
    assert await desk.pseudonymiser.epochs(AGREEMENT, sna) == ["2026", "zomer"]


async def test_a_register_is_loaded_in_an_epoch_that_was_announced_a_moment_ago(
    desk: Desk, world: World, evaluators: Evaluators, monkeypatch: pytest.MonkeyPatch
) -> None:
    sna = world.cast.sna.oin
    assert await desk.pseudonymiser.epochs(AGREEMENT, sna, to_load=True) == ["2026"]  # and kept for a minute
    await evaluators.publish("2027")
    office(world).announce("2027", MOMENTS["2027"], "test")
    registrar = Registrar(
        oin=sna,
        agreement=AGREEMENT,
        keys=desk.ring,
        connections=desk.connections,
        trust=desk.trust,
        pseudonymiser=desk.pseudonymiser,
    )
    loaded: list[str] = []

    async def note(_register: str, _recipient: str, epoch: str, *_: object) -> None:
        loaded.append(epoch)

    monkeypatch.setattr(registrar, "_load", note)
    await registrar.load("certificates", sna, [], kind="CERTIFICATE_STATUS", purpose="CERTIFICAATBEOORDELING")
    assert loaded == ["2026", "2027"]


async def test_lists_of_several_epochs_come_from_one_blinding_and_then_from_the_cache(
    desk: Desk, world: World, evaluators: Evaluators
) -> None:
    await evaluators.publish("2027")
    office(world).announce("2027", MOMENTS["2027"], "test")
    world.clock.now = MOMENTS["2027"]
    sna, epochs = world.cast.sna.oin, ["2026", "2027"]
    for _ in range(2):
        await desk.pseudonymiser.prepare(FIRMS, AGREEMENT, sna, epochs)
        lists = {
            epoch: [made async for _, made in desk.pseudonymiser.lists(FIRMS, AGREEMENT, sna, epoch)]
            for epoch in epochs
        }
        assert asked_epochs(desk.evaluators) == [epochs] * 2
    assert lists == {epoch: [b"".join(made)] for epoch, made in (await computed(desk, *epochs)).items()}


async def test_live_epochs_are_evaluated_in_one_call_from_one_blinding(
    desk: Desk, world: World, evaluators: Evaluators
) -> None:
    await evaluators.publish("2027")
    office(world).announce("2027", MOMENTS["2027"], "test")
    sna = world.cast.sna.oin
    done: list[int] = []
    await desk.pseudonymiser.compute(FIRMS, AGREEMENT, sna, ["2026", "2027"], progress=done.append)
    assert asked_epochs(desk.evaluators) == [["2026", "2027"]] * 2
    assert sum(done) == len(FIRMS)
    both = await computed(desk, "2026", "2027")
    assert asked_epochs(desk.evaluators) == [["2026", "2027"]] * 2  # from the cache
    assert len({*both["2026"], *both["2027"]}) == 2 * len(FIRMS)
    # What is known in one epoch only is asked in the other only, and comes out the same.
    desk.cache.forget_epoch("2027")
    await desk.pseudonymiser.compute(FIRMS, AGREEMENT, sna, ["2026", "2027"])
    assert asked_epochs(desk.evaluators[:1])[1:] == [["2027"]]
    assert await computed(desk, "2026", "2027") == both


async def test_an_evaluator_that_leaves_out_an_epoch_is_caught(
    desk: Desk, world: World, evaluators: Evaluators, monkeypatch: pytest.MonkeyPatch
) -> None:
    await evaluators.publish("2027")
    office(world).announce("2027", MOMENTS["2027"], "test")
    service = next(iter(evaluators.services.values()))
    whole = service._evaluate
    monkeypatch.setattr(service, "_evaluate", lambda *given: whole(*given)[::-1])
    call = desk.pseudonymiser.compute(FIRMS, AGREEMENT, world.cast.sna.oin, ["2026", "2027"])
    assert await code(call) == "proof-wrong"


async def test_without_an_epoch_that_takes_signals_nothing_is_sealed(
    desk: Desk, world: World, evaluators: Evaluators
) -> None:
    office(world).compromise("2026", "a seed is suspected")
    assert await code(current(desk)) == "unknown-epoch"
    await evaluators.publish("2026-2")
    office(world).announce("2026-2", None, "in its place")
    assert await current(desk) == "2026-2"
    sna = world.cast.sna.oin
    assert await desk.pseudonymiser.epochs(AGREEMENT, sna) == ["2026", "2026-2"]  # questions go on
    office(world).compromise("2026", "so is the other seed", stop_questions=True)
    desk.pseudonymiser.forget_epochs()
    assert await desk.pseudonymiser.epochs(AGREEMENT, sna) == ["2026-2"]
    office(world).compromise("2026-2", "and this one", stop_questions=True)
    desk.pseudonymiser.forget_epochs()
    assert await code(desk.pseudonymiser.epochs(AGREEMENT, sna)) == "unknown-epoch"  # not: nothing found


async def test_a_kit_that_was_away_for_two_epochs_catches_up(
    world: World, evaluators: Evaluators, tmp_path: Path
) -> None:
    sna = world.cast.sna.oin
    with desk_of(world, evaluators, world.cast.nla, tmp_path / "nla") as desk:
        await computed(desk, "2026")
    for name, year in (("2027", 2027), ("2028", 2028)):
        await evaluators.publish(name)
        office(world).announce(name, datetime(year, 1, 1, tzinfo=UTC), "test")
    world.clock.now = datetime(2028, 3, 1, tzinfo=UTC)
    assert office(world).retire_all() == ["2026", "2027"]
    for shares in evaluators.shares.values():
        del shares._seeds["2026"], shares._seeds["2027"]
        shares._keys.clear()
    cleared: list[str] = []
    with desk_of(world, evaluators, world.cast.nla, tmp_path / "nla") as desk:
        desk.epochs.when_ended(cleared.append)
        assert await desk.pseudonymiser.epochs(AGREEMENT, sna) == ["2028"]
        assert sorted(cleared) == ["2026", "2027"]
        gone = PseudonymisationDomain(agreement=AGREEMENT, recipient=sna, epoch="2026")
        assert desk.cache.get_many(gone, FIRMS) == [None] * len(FIRMS)
        assert desk.state.pinned(world.cast.evaluators[0].oin, gone) is None
        assert await current(desk) == "2028"
        assert len(set((await computed(desk, "2028"))["2028"])) == len(FIRMS)
        assert len(cleared) == 2
    # What another version left, and would never be told of again, is cleared too.
    with desk_of(world, evaluators, world.cast.nla, tmp_path / "nla") as desk:
        desk.epochs.when_ended(cleared.append)
        await current(desk)
    assert sorted(cleared) == ["2026", "2026", "2027", "2027"]


async def test_a_broker_cannot_take_back_what_it_showed(
    desk: Desk, world: World, evaluators: Evaluators, monkeypatch: pytest.MonkeyPatch
) -> None:
    await evaluators.publish("2027")
    office(world).announce("2027", MOMENTS["2027"], "test")
    office(world).compromise("2026", "test")
    shown = await desk.directory.ListEpochs(directory_pb2.ListEpochsRequest())
    await desk.epochs.calendar()
    hidden, open_again = directory_pb2.ListEpochsResponse(), directory_pb2.ListEpochsResponse()
    hidden.epochs.append(shown.epochs[0])
    open_again.CopyFrom(shown)
    open_again.epochs[0].ClearField("compromised")
    # Announced twice: the same name with another beginning.
    world.clock.move(seconds=1)
    sql(world, "DELETE FROM epoch WHERE name = '2027'")
    office(world).announce("2027", datetime(2026, 12, 1, tzinfo=UTC), "test")
    moved = await desk.directory.ListEpochs(directory_pb2.ListEpochsRequest())
    for lie in (hidden, open_again, moved):

        async def lying(*_: object, lie: Any = lie, **__: object) -> Any:
            return lie

        monkeypatch.setattr(desk.connections, "directory", type("Liar", (), {"ListEpochs": lying})())
        desk.epochs.forget()
        assert await code(desk.epochs.calendar()) == "log-inconsistent"


async def test_an_epoch_that_is_not_in_the_log_counts_for_nothing(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = await desk.directory.ListEpochs(directory_pb2.ListEpochsRequest())
    entry = shown.epochs[0].announced.entry.replace(b"2026-01-01", b"2026-02-02")
    for lie in ("entry", "receipt", "none"):
        answer = directory_pb2.ListEpochsResponse()
        answer.CopyFrom(shown)
        if lie == "entry":
            answer.epochs[0].announced.entry = entry
        elif lie == "receipt":
            answer.epochs[0].announced.receipt.log_index += 1
        else:
            answer.epochs[0].ClearField("announced")

        async def lying(*_: object, answer: Any = answer, **__: object) -> Any:
            return answer

        monkeypatch.setattr(desk.connections, "directory", type("Liar", (), {"ListEpochs": lying})())
        desk.epochs.forget()
        assert await code(desk.epochs.calendar()) in ("signature-wrong", "log-inconsistent")


async def test_what_was_proven_is_not_proven_again(desk: Desk, world: World) -> None:
    await desk.epochs.calendar()
    proven: list[int] = []

    async def count(log_index: int, _: bytes) -> None:
        proven.append(log_index)

    desk.trust.prove_inclusion = count  # type: ignore[method-assign, assignment]
    desk.epochs.forget()
    await desk.epochs.calendar()
    assert proven == []
    world.clock.move(seconds=1)
    await asyncio.to_thread(office(world).compromise, "2026", "test")
    desk.epochs.forget()
    await desk.epochs.calendar()
    assert len(proven) == 1
