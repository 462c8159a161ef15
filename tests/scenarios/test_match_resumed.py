# SPDX-License-Identifier: EUPL-1.2
"""A long question over real processes: the broker is killed under it, the kit is ended, and nothing is asked twice."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from adapters.certification_body import ask
from broker.storage.open import open_store
from sluis.client import matcher
from sluis.client.matcher import MatchReport
from sluis.client.receiver import ReceivedSignal
from sluis.identifiers import Identifier
from tests.scenarios.scene import Scene, running_scene
from tests.scenarios.test_crash import deposit

FIRMS = 24
FRAME = 3


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A scene with a signal about each firm, and a kit that asks about three at a time."""
    monkeypatch.setattr(matcher, "FRAME", FRAME)
    monkeypatch.setattr(matcher, "IN_FLIGHT", 2)
    with running_scene(tmp_path_factory.mktemp("resumed"), firms=FIRMS) as made:
        asyncio.run(fill(made))
        yield made


async def fill(scene: Scene) -> None:
    await scene.keep_registers()
    await scene.push(FIRMS)
    await deposit(scene, await scene.receive())


def clients_of(scene: Scene) -> list[Identifier]:
    body = scene.stage.cast.bodies[0]
    return [firm.establishment for firm in scene.firms if firm.certified_by == body.name]


def entries(scene: Scene, operation: str) -> list[dict[str, Any]]:
    store = open_store(scene.stage.database)
    try:
        found = [json.loads(row.entry) for row in store.entries(0, store.head().tree.size)]
    finally:
        store.close()
    return [entry for entry in found if entry["operation"] == operation]


async def question(scene: Scene, keep: Any, *, private: bool = False) -> MatchReport:
    async with scene.kit(scene.stage.cast.bodies[0]) as kit:
        return await ask(kit, clients_of(scene), keep, private=private)


@pytest.mark.parametrize("private", [False, True])
async def test_a_killed_broker_and_an_ended_kit_cost_no_second_question(scene: Scene, private: bool) -> None:
    kept: list[ReceivedSignal] = []
    clients = clients_of(scene)
    assert len(clients) == FIRMS // 2

    async def keep(signals: Sequence[ReceivedSignal]) -> None:
        """Kill the broker under the first hits, and the kit's work under the third."""
        if not kept:
            scene.stage.broker.kill()
            starting = asyncio.to_thread(scene.stage.broker.start)
            kept.extend(signals)
            await starting
            return
        if len(kept) >= 2 * FRAME and not done:
            done.append(True)
            raise asyncio.CancelledError
        kept.extend(signals)

    done: list[bool] = []
    with pytest.raises(asyncio.CancelledError):
        await question(scene, keep, private=private)
    assert 0 < len(kept) < len(clients)
    report = await question(scene, keep, private=private)
    assert report.resumed
    assert report.earlier | report.hits.keys() == set(clients)
    assert report.misses == 0
    ids = [signal.header.signal_id for signal in kept]
    assert len(ids) == len(set(ids)) == len(clients)
    asked = entries(scene, "match.question")
    assert sum(entry["asked"] for entry in asked) == len(clients)
    assert sum(entry["hits"] for entry in asked) == len(clients)
    assert len(entries(scene, "signal.release")) == len(clients)
    digests = entries(scene, "match.digest")
    assert len(digests) == private
    if private:
        assert {entry["missed"] for entry in asked} == {0}


async def test_with_a_digest_only_those_found_are_seen_by_the_broker(scene: Scene) -> None:
    async def keep(signals: Sequence[ReceivedSignal]) -> None:
        """Nothing."""

    body = scene.stage.cast.bodies[0]
    strangers = [Identifier.parse(clients_of(scene)[0].type, f"7{number:011}") for number in range(400)]
    async with scene.kit(body) as kit:
        report = await ask(kit, [*clients_of(scene), *strangers], keep, private=True)
    assert report.hits.keys() == set(clients_of(scene))
    assert report.claimed is not None
    assert FIRMS // 2 <= report.claimed < FIRMS // 2 + 20
    assert sum(entry["asked"] for entry in entries(scene, "match.question")) == report.claimed
