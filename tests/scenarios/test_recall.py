# SPDX-License-Identifier: EUPL-1.2
"""A signal that 20 parties hold is recalled while three of them are away, and everything crashes in between.

The broker is killed (`kill -9`) again and again, each kit is cut off once after it destroyed a copy and before it
could note so, others give up at once, and all begin anew with what is on their disks. In the end each holder has
destroyed its copy, once, and the sender has 20 signed receipts, no more.
"""

import asyncio
import functools
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest

from adapters.json_lines import JsonLines
from broker.storage.open import open_store
from demo.cast import CastMember
from sluis.canonical import parse_canonical
from sluis.errors import SluisError
from sluis.followup import Act, FollowUp
from sluis.policy.bundle import load_bundle
from tests.scenarios.held import file_of, held_by_all
from tests.scenarios.scene import Scene, set_scene

BODIES = tuple(f"Waarmerk {number:02}" for number in range(19))
AWAY = 3


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A stage with 19 certification bodies, of which only the broker is going to run.

    Its many short-lived kits share the rules, whose reading would take most of the time.
    """
    monkeypatch.setattr("sluis.client.kit.load_bundle", functools.cache(load_bundle))
    with set_scene(tmp_path, firms=1, bodies=BODIES) as made:
        yield made


class CutOff(Exception):
    """The process of a kit ends here."""


class Crashing:
    """Copies in a file, of a kit that is cut off right after it destroyed one, the first time."""

    def __init__(self, path: Path) -> None:
        self._copies = JsonLines((path,))
        self.cut = False

    def mark(self, signal_id: UUID, statement: FollowUp) -> bool:
        """Nothing is marked in this story."""
        raise AssertionError(f"{signal_id} was to be destroyed by {statement.act}")

    def destroy(self, signal_id: UUID, statement: FollowUp) -> bool:
        """Destroy the copy, and be cut off before anybody can note it."""
        found = self._copies.destroy(signal_id, statement)
        if not self.cut:
            self.cut = True
            raise CutOff
        return found


async def read_until_done(scene: Scene, member: CastMember) -> None:
    """Read the inbox with one kit after another, until one comes to the end."""
    copies = Crashing(file_of(member))
    while True:
        with suppress(CutOff, SluisError):
            async with scene.kit(member, patience_seconds=random.choice([0.0, 15.0])) as kit:
                report = await kit.follow_ups.read(copies)
            # After a kill nothing is cosigned until the dead broker's lease has ended: that is for the next kit.
            assert {item.code for item in report.refused} <= {"not-witnessed"}
            if copies.cut and not report.refused:
                return
        await asyncio.sleep(1.0)


async def kill_now_and_then(scene: Scene, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(random.uniform(0.02, 0.3))
        scene.stage.broker.kill()
        await asyncio.to_thread(scene.stage.broker.start)


async def recall(scene: Scene, signal_id: UUID) -> int:
    """Recall, with kits that give up at once and begin again, until it is answered."""
    while True:
        with suppress(SluisError):
            async with scene.kit(scene.stage.cast.inspectorate, patience_seconds=0.0) as kit:
                answer = await kit.follow_ups.say(Act.RECALL, signal_id, {"reason": "WRONG_SUBJECT"})
                return answer.holders
        await asyncio.sleep(0.25)


def logged(scene: Scene) -> Counter[str]:
    store = open_store(scene.stage.database)
    try:
        entries = [parse_canonical(row.entry) for row in store.entries(0, store.head().tree.size)]
    finally:
        store.close()
    return Counter(str(entry["operation"]) for entry in entries)


async def test_a_recall_ends_in_a_receipt_of_each_holder_whatever_crashes(scene: Scene) -> None:
    cast = scene.stage.cast
    holders = (cast.foundation, *cast.bodies)
    signal_id = await held_by_all(scene.stage)
    scene.stage.witness.start()  # a holder proves from the log whose key signed
    scene.stage.broker.start()
    away, present = holders[-AWAY:], holders[:-AWAY]

    reached, _ = await asyncio.gather(recall(scene, signal_id), kill_now_and_then(scene, 1))
    assert reached == len(holders) == 20
    await asyncio.gather(kill_now_and_then(scene, 2), *(read_until_done(scene, member) for member in present))
    async with scene.kit(cast.inspectorate) as kit:
        waited = {duty.debtor_oin for duty in await kit.follow_ups.duties(overdue_only=False)}
    assert waited == {member.oin for member in away}

    await asyncio.gather(*(read_until_done(scene, member) for member in away))
    async with scene.kit(cast.inspectorate) as kit:
        assert (await kit.follow_ups.read(JsonLines(()))).refused == []
        receipts = [item.statement for item in kit.follow_ups.book.history()]
        assert await kit.follow_ups.duties(overdue_only=False) == []
    assert sorted(str(one.author) for one in receipts) == sorted(member.oin for member in holders)
    assert {(one.act, one.codes["done"]) for one in receipts} == {(Act.FULFIL, "DESTROYED")}
    for member in holders:
        (line,) = [json.loads(line) for line in file_of(member).read_text("utf-8").splitlines()]
        assert line.keys() == {"signal_id", "destroyed"}
    log = logged(scene)
    assert log["followup.recall"] == 1
    assert log["followup.notify"] == log["followup.fulfil"] == len(holders)
