# SPDX-License-Identifier: EUPL-1.2
"""A term that ends while the broker runs: the record, an empty row, a log that verifies, a replay that says so."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

from tests.scenarios.scene import Scene
from tests.scenarios.test_cli import sluis

LIFE_MS, PATIENCE_SECONDS = 4_000, 30.0


def rows(scene: Scene, query: str) -> list[tuple[Any, ...]]:
    """What stands in the broker's tables."""
    with closing(sqlite3.connect(scene.stage.database.removeprefix("sqlite:///"))) as database:
        return database.execute(query).fetchall()


def records(scene: Scene) -> list[dict[str, Any]]:
    entries = [
        json.loads(entry) for (entry,) in rows(scene, "SELECT entry FROM log_entry ORDER BY log_index")
    ]
    return [entry for entry in entries if entry["operation"] == "signal.destroy"]


def test_a_running_broker_destroys_what_has_ended(scene: Scene) -> None:
    first, second = scene.drafts(2)
    ending = replace(first, expires_at_ms=int(time.time() * 1000) + LIFE_MS)

    async def push() -> None:
        async with scene.kit(scene.stage.cast.inspectorate) as kit:
            outcomes = await kit.sender.push([ending, second])
        assert all(outcome.permitted for outcome in outcomes)

    asyncio.run(push())
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := records(scene)) and time.monotonic() < until:
        time.sleep(0.2)
    (record,) = found
    assert (record["counted_from"], record["outcome"]) == ("expiry", "destroyed")
    kept = rows(scene, "SELECT length(envelope) > 0, length(pseudonym) FROM signal ORDER BY pushed_index")
    assert sorted(kept) == [(0, 0), (1, 16)]

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
