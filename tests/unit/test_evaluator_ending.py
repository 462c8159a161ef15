# SPDX-License-Identifier: EUPL-1.2
"""The end of a seed at an evaluator: never before the log says so, finished after a crash, and gone from the disk."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from evaluator import ending
from evaluator.settings import EvaluatorSettings
from evaluator.shares import EvaluatorShares
from sluis.errors import Conflict, InvalidInput, SluisError, Unavailable
from sluis.keys import KeyFolder
from tests.unit.epoch_samples import MOMENTS, Evaluators, both_evaluators, desk_of, forget_epochs, office
from tests.world import World


@pytest.fixture
def evaluators(world: World, tmp_path: Path) -> Iterator[Evaluators]:
    """A world with an epoch of which nothing is kept."""
    forget_epochs(world)
    with both_evaluators(world, tmp_path) as made:
        office(world).announce("2026", MOMENTS["2026"], "the first")
        yield made


@pytest.fixture
def settings(
    world: World, evaluators: Evaluators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> EvaluatorSettings:
    """The first evaluator's settings, with a seed file, at a desk without sockets."""
    actor = world.cast.evaluators[0]
    keys = KeyFolder.create(tmp_path / "keys", name=actor.name, oin=actor.oin)
    (keys.path / "signing.key").write_text(actor.signing.to_bytes().hex() + "\n")
    EvaluatorShares.create(tmp_path / "seeds.json", oin=actor.oin, epochs=["2026", "2027"])
    made = EvaluatorSettings(
        keys=keys.path, seeds=tmp_path / "seeds.json", state=tmp_path, parties=tmp_path / "parties.toml"
    )

    @asynccontextmanager
    async def open_desk(_: EvaluatorSettings) -> AsyncIterator[Any]:
        with desk_of(world, evaluators, actor, tmp_path / "log") as desk:
            yield ending.Desk(
                settings=made, connections=desk.connections, trust=desk.trust, epochs=desk.epochs
            )

    monkeypatch.setattr(ending, "open_desk", open_desk)
    return made


def seeds(settings: EvaluatorSettings) -> tuple[str, ...]:
    """The epochs of which there is a seed."""
    return EvaluatorShares.load(settings.seeds).epochs


async def test_no_seed_goes_before_the_log_says_so(world: World, settings: EvaluatorSettings) -> None:
    with pytest.raises(Conflict, match="does not say"):
        await ending.destroy(settings, "2026")
    office(world).compromise("2026", "test")
    with pytest.raises(Conflict, match="does not say"):
        await ending.destroy(settings, "2026")
    with pytest.raises(InvalidInput):
        await ending.destroy(settings, "1999")
    assert seeds(settings) == ("2026", "2027")
    assert list(settings.state.glob("destroyed-*")) == []


@pytest.mark.parametrize("step", ["forget_epoch", "_publish"])
async def test_a_crash_on_the_way_is_finished_with_the_same_statement(
    world: World, settings: EvaluatorSettings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    office(world).compromise("2026", "test")
    office(world).retire("2026")
    before = world.size

    def crash(*_: object) -> Any:
        raise Unavailable("peer-unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(EvaluatorShares if step == "forget_epoch" else ending, step, crash)
        with pytest.raises(Unavailable):
            await ending.destroy(settings, "2026")
    statement = (settings.state / "destroyed-2026.json").read_bytes()
    world.clock.move(hours=1)
    index = await ending.destroy(settings, "2026")
    assert index == before
    assert (settings.state / "destroyed-2026.json").read_bytes() == statement
    assert seeds(settings) == ("2027",)
    assert world.operations(before) == ["key.destroy"]
    assert await ending.destroy(settings, "2026") == index
    assert world.size == before + 1


def test_a_seed_file_that_changed_is_taken_over_by_a_running_evaluator(
    world: World, settings: EvaluatorSettings
) -> None:
    running = EvaluatorShares.load(settings.seeds)
    assert not running.reload(settings.seeds)
    EvaluatorShares.load(settings.seeds).add_epoch(settings.seeds, "2028")
    assert running.reload(settings.seeds)
    assert running.epochs == ("2026", "2027", "2028")
    EvaluatorShares.load(settings.seeds).forget_epoch(settings.seeds, "2026")
    assert running.reload(settings.seeds)
    assert running.epochs == ("2027", "2028")
    settings.seeds.unlink()
    EvaluatorShares.create(settings.seeds, oin=running.oin, epochs=["2027"])
    with pytest.raises(SluisError) as caught:
        running.reload(settings.seeds)
    assert caught.value.code == "key-weak"
    assert running.epochs == ("2027", "2028")


def test_the_file_from_which_a_seed_was_taken_is_overwritten(settings: EvaluatorSettings) -> None:
    shares = EvaluatorShares.load(settings.seeds)
    secret = shares._seeds["2026"].hex()
    link = settings.seeds.with_name("another name for the same bytes")
    link.hardlink_to(settings.seeds)
    assert secret in link.read_text()
    shares.forget_epoch(settings.seeds, "2026")
    assert link.read_text().strip() == ""
    assert secret not in settings.seeds.read_text()


async def test_without_keys_of_the_log_nothing_is_destroyed(tmp_path: Path) -> None:
    bare = EvaluatorSettings(
        keys=tmp_path, seeds=tmp_path / "s", state=tmp_path, parties=tmp_path / "p", broker="broker.example:1"
    )
    with pytest.raises(InvalidInput, match="proven log"):
        await ending.destroy(bare, "2026")
