# SPDX-License-Identifier: EUPL-1.2
"""Epochs in the play: the operator announces and closes them, evaluators keep and destroy seeds, parties follow.

A party knows the epochs as of the last time that it asked (a real `EpochBook`, which remembers what it was shown), so
it may miss a rotation. An evaluator destroys a seed as its command does (`evaluator/ending.py`), from a real seed file.
"""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from broker.epochs import EpochKeeper, EpochOffice
from evaluator import ending
from evaluator.settings import EvaluatorSettings
from evaluator.shares import EvaluatorShares
from sluis.epoch_log import KeyDestruction
from sluis.epochs import EpochCalendar
from sluis.errors import SluisError
from sluis.keys import KeyFolder
from sluis.merkle import leaf_hash
from sluis.v1 import directory_pb2
from tests.actors import Actor
from tests.retention_world import Office
from tests.simulation.model import DAY, Age
from tests.simulation.play import Play
from tests.simulation.process import expect
from tests.simulation.signals import FIRMS
from tests.simulation.trouble import Trouble
from tests.unit.epoch_samples import Evaluators, desk_of, directory, forget_epochs
from tests.unit.match_samples import pseudonym_of
from tests.world import ORIGIN, FakeContext, Refused, make_database, open_world

FIRST = "2026"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
OFFICERS: dict[str, Any] = {}  # keys of the officers in the template


def seed_file(folder: Path, actor: Actor) -> Path:
    """Where an evaluator keeps its seeds."""
    return folder / f"seeds-{actor.oin}.json"


async def make_template(folder: Path) -> Path:
    """A database in which the first epoch has begun, with keys, registers and officers; seed files lie beside it."""
    path = folder / "made"
    path.mkdir()
    async with open_world(path, make_database(folder)) as world:
        forget_epochs(world)
        shares = {
            actor: EvaluatorShares.create(seed_file(path, actor), oin=actor.oin, epochs=[FIRST])
            for actor in world.cast.evaluators
        }
        evaluators = Evaluators(world, shares, {})
        for recipient in (world.cast.sna, world.cast.body):
            await evaluators.publish(FIRST, recipient)
        EpochOffice(world.store, world.clock).announce(FIRST, BEGUN, "the first")
        for recipient in (world.cast.sna, world.cast.body):
            pseudonyms = [pseudonym_of(firm, FIRST) for firm in FIRMS.values()]
            await world.certify(*pseudonyms, recipient=recipient, epoch=FIRST, valid_until="2029-12-31")
        OFFICERS.update(Office(world).keys)
    return path / "broker.db"


class Epochs:
    """The operator's and the evaluators' part of a play."""

    def __init__(self, play: Play, template: Path) -> None:
        self.play, self.world, self.model = play, play.world, play.model
        self.shares: dict[Actor, EvaluatorShares] = {}
        for actor in play.cast.evaluators:
            place = seed_file(self.world.folder, actor)
            shutil.copy(seed_file(template.parent, actor), place)
            self.shares[actor] = EvaluatorShares.load(place)
        self.known: dict[str, EpochCalendar] = {}
        seeds: set[str] = {actor.oin for actor in self.shares}
        self.model.ages[FIRST] = Age(name=FIRST, begins_ms=int(BEGUN.timestamp() * 1000), seeds=seeds)
        self.names = [FIRST]

    @property
    def office(self) -> EpochOffice:
        """The operator's office."""
        return EpochOffice(self.world.store, self.world.clock)

    # what parties know

    def learn(self, actor: Actor) -> EpochCalendar:
        """Ask the broker which epochs there are, and believe what is proven."""

        async def ask() -> EpochCalendar:
            with desk_of(self.world, self._evaluators(), actor, self.world.folder / actor.oin) as desk:
                return await desk.epochs.calendar()

        self.known[actor.oin] = self.play.run(ask())
        return self.known[actor.oin]

    def believed(self, actor: Actor) -> str | None:
        """The epoch in which a party now seals, as far as it knows."""
        calendar = self.known.get(actor.oin) or self.learn(actor)
        current = calendar.current(self.world.clock.ms())
        return current.name if current else None

    def to_ask(self, actor: Actor) -> list[str]:
        """The epochs in which a party asks, as far as it knows."""
        calendar = self.known.get(actor.oin) or self.learn(actor)
        return [epoch.name for epoch in calendar.to_ask(self.world.clock.ms())]

    # what the operator does

    def publish(self, name: str, *, by: int = 2) -> None:
        """So many evaluators draw a seed, and publish their keys in each domain."""
        shares = dict(list(self.shares.items())[:by])
        for actor, mine in shares.items():
            if name not in mine.epochs:
                mine.add_epoch(seed_file(self.world.folder, actor), name)
        some = Evaluators(self.world, shares, {})
        for recipient in (self.play.cast.sna, self.play.cast.body):
            self.play.run(some.publish(name, recipient))
        if by == len(self.shares):
            self.names.append(name)

    def new_name(self) -> str:
        """A name that no epoch has; it says nothing of the order."""
        return f"{9 - len(self.names)}-{len(self.names)}"

    def announce(self, name: str, begins_ms: int) -> str:
        """Announce an epoch; returns what it was refused with."""
        taken = begins_ms in {age.begins_ms for age in self.model.ages.values()}
        expected = "epoch-exists" if name in self.model.ages else "wrong-state" if taken else ""
        if name not in self.names:
            expected = "wrong-state"  # without keys of both it would stop all exchange
        begins = datetime.fromtimestamp(begins_ms / 1000, UTC)
        told = self._told(lambda: self.office.announce(name, begins, "rotation"), expected)
        if not told:
            self._announced(name, begins_ms)
        return told

    def compromise(self, name: str, *, silent: bool) -> str:
        """Close an epoch, and its questions too when asked."""
        expected = self._closed(name, silent=silent)
        told = self._told(
            lambda: self.office.compromise(name, "a seed is suspected", stop_questions=silent), expected
        )
        if not told:
            self._compromised(name, silent=silent)
        return told

    def rotate(self, name: str, old: str) -> str:
        """Close an epoch and begin another, in one act."""
        now = self.model.now()
        taken = now in {age.begins_ms for age in self.model.ages.values()}
        expected = self._closed(old, silent=False) or ("wrong-state" if taken else "")
        told = self._told(lambda: self.office.rotate(name, old, "a seed is suspected"), expected)
        if not told:
            self._compromised(old, silent=False)
            self._announced(name, now)
        return told

    def retire(self, name: str) -> str:
        """Retire an epoch by hand; the model knows whether that can be."""
        expected = "" if self.model.may_retire(name) else "wrong-state"
        told = self._told(lambda: self.office.retire(name), expected)
        if not told:
            self.model.retire(name)
        return told

    def keep(self) -> None:
        """The broker's own look, once an hour: what can be retired is retired, and nothing else."""
        expected = [name for name in self.model.ages if self.model.may_retire(name)]
        EpochKeeper(self.world.store, self.world.clock).once()
        for name in expected:
            self.model.retire(name)
        assert {epoch.name for epoch in self.office.calendar().epochs if epoch.retired_index is not None} == {
            age.name for age in self.model.ages.values() if age.retired
        }

    def _closed(self, name: str, *, silent: bool) -> str:
        age = self.model.ages[name]
        return "wrong-state" if age.retired or age.silent or (age.compromised and not silent) else ""

    def _compromised(self, name: str, *, silent: bool) -> None:
        age = self.model.ages[name]
        age.never = age.never or (not age.compromised and self.model.now() < age.begins_ms)
        age.compromised, age.silent = True, age.silent or silent
        self.model.log.append(("epoch.compromise", name))

    def _announced(self, name: str, begins_ms: int) -> None:
        seeds: set[str] = {actor.oin for actor in self.shares}
        self.model.ages[name] = Age(name=name, begins_ms=begins_ms, seeds=seeds)
        self.model.log.append(("epoch.announce", name))

    def _told(self, act: Callable[[], object], expected: str) -> str:
        try:
            act()
            told = ""
        except SluisError as error:
            told = error.code
        return expect(told, expected)

    # what evaluators do

    def destroy(self, number: int, name: str, trouble: Trouble) -> str:
        """An evaluator's people destroy a seed, if the log says that they may; returns what it was refused with."""
        actor = self.play.cast.evaluators[number]
        age = self.model.ages[name]
        expected = "" if age.retired else "wrong-state"
        told = ""
        trouble = Trouble.NONE if trouble is Trouble.TWICE else trouble  # one command at a time
        try:
            self.play.call(trouble, lambda: self._destroy(actor, name))
        except SluisError as error:
            told = error.code
        expect(told, expected)
        self.shares[actor] = EvaluatorShares.load(seed_file(self.world.folder, actor))
        if not told and actor.oin in age.seeds:
            age.seeds.remove(actor.oin)
            self.model.log.append(("key.destroy", name))
        return told

    def state_too_early(self, number: int, name: str) -> None:
        """An evaluator states that it destroyed a seed; the broker takes that of a retired epoch only."""
        actor = self.play.cast.evaluators[number]
        if self.model.ages[name].retired:
            return
        told = KeyDestruction(
            log_origin=ORIGIN,
            evaluator=actor.oin,
            epoch=name,
            retired_index=0,
            retired_leaf=leaf_hash(self.world.raw_entries()[0]),
            destroyed_at_ms=self.model.now(),
        )
        request = directory_pb2.PublishKeyDestructionRequest(
            statement=told.encode(), signature=told.sign(actor.signing)
        )
        with pytest.raises(Refused) as caught:
            self.play.run(directory(self.world).PublishKeyDestruction(request, FakeContext(actor)))
        expect(caught.value.error.code, "wrong-state")

    async def _destroy(self, actor: Actor, name: str) -> int:
        folder = self.world.folder / f"evaluator-{actor.oin}"
        if not folder.exists():
            keys = KeyFolder.create(folder / "keys", name=actor.name, oin=actor.oin)
            (keys.path / "signing.key").write_text(actor.signing.to_bytes().hex() + "\n")
        settings = EvaluatorSettings(
            keys=folder / "keys",
            seeds=seed_file(self.world.folder, actor),
            state=folder,
            parties=folder / "parties.toml",
        )

        @asynccontextmanager
        async def open_desk(_: EvaluatorSettings) -> AsyncIterator[Any]:
            with desk_of(self.world, self._evaluators(), actor, folder / "log") as desk:
                yield ending.Desk(
                    settings=settings, connections=desk.connections, trust=desk.trust, epochs=desk.epochs
                )

        with patch.object(ending, "open_desk", open_desk):
            return await ending.destroy(settings, name)

    def _evaluators(self) -> Evaluators:
        return Evaluators(self.world, self.shares, {})

    def coming(self, days: int) -> int:
        """A moment so many days from now, Unix milliseconds."""
        return self.model.now() + days * DAY
