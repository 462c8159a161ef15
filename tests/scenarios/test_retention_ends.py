# SPDX-License-Identifier: EUPL-1.2
"""A term that ends while the broker runs: the record, an empty row, the recipient's copy, a log that verifies."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.scene import Scene
from tests.scenarios.test_cli import sluis

LIFE_MS, PATIENCE_SECONDS = 10_000, 30.0


def rows(scene: Scene, query: str) -> list[tuple[Any, ...]]:
    """What stands in the broker's tables."""
    with closing(sqlite3.connect(scene.stage.database.removeprefix("sqlite:///"))) as database:
        return database.execute(query).fetchall()


def records(scene: Scene) -> list[dict[str, Any]]:
    entries = [
        json.loads(entry) for (entry,) in rows(scene, "SELECT entry FROM log_entry ORDER BY log_index")
    ]
    return [entry for entry in entries if entry["operation"] == "signal.destroy"]


@pytest.fixture
def scene(new_scene: Callable[..., AbstractContextManager[Scene]]) -> Iterator[Scene]:
    """A scene whose broker looks often for what has ended."""
    with new_scene(broker={"retention_seconds": 0.5}) as made:
        asyncio.run(made.keep_registers())
        yield made


def test_a_running_broker_and_the_recipient_destroy_what_has_ended(scene: Scene, tmp_path: Path) -> None:
    config, facts = scene.stage.write_config(scene.stage.cast.foundation), tmp_path / "facts.jsonl"
    first, second = scene.drafts(2)
    ending = replace(first, expires_at_ms=int(time.time() * 1000) + LIFE_MS)

    async def push() -> None:
        async with scene.kit(scene.stage.cast.inspectorate) as kit:
            outcomes = await kit.sender.push([ending, second])
        assert all(outcome.permitted for outcome in outcomes)

    asyncio.run(push())
    assert sluis("receive", "--out", facts, "--config", config).code == 0
    assert len(facts.read_text().splitlines()) == 2
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := records(scene)) and time.monotonic() < until:
        time.sleep(0.2)
    (record,) = found
    assert (record["counted_from"], record["outcome"]) == ("expiry", "destroyed")
    kept = rows(scene, "SELECT length(envelope) > 0, length(pseudonym) FROM signal ORDER BY pushed_index")
    assert sorted(kept) == [(0, 0), (1, 16)]

    taken_in = sluis("inbox", "--out", facts, "--json", "--config", config)
    assert taken_in.code == 0, taken_in.said
    assert (taken_in.data["fulfilled"], taken_in.data["refused"]) == (1, [])
    lines = [json.loads(line) for line in facts.read_text().splitlines()]
    assert [set(line) for line in lines if "destroyed" in line] == [{"signal_id", "destroyed"}]
    assert rows(scene, "SELECT count(*) FROM duty WHERE act = 'fulfil' AND done_index IS NULL") == [(0,)]

    report = asyncio.run(scene.audit())
    assert report.log is not None
    assert report.log.size <= scene_size(scene)
    replayed = sluis("policy", "replay", "--config", scene.stage.broker.folder / "broker.toml")
    assert replayed.code == 0, replayed.said
    assert (replayed.data["destroyed"], replayed.data["changed"]) == (1, [])
    assert "what they were decided on is destroyed" in replayed.said
    expired = sluis("broker", "expire", "--config", scene.stage.broker.folder / "broker.toml")
    assert expired.data == {"overdue": []}


def scene_size(scene: Scene) -> int:
    return int(rows(scene, "SELECT size FROM log_head")[0][0])
