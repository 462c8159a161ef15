# SPDX-License-Identifier: EUPL-1.2
"""An audit that is interrupted goes on where it was, and misses nothing of what it has not read yet."""

from collections.abc import Callable

import pytest

from sluis.client import auditor
from sluis.client.auditor import AuditReport
from sluis.errors import NotAuthentic
from tests.scenarios.calls import log_size
from tests.scenarios.played import Played, audit, database, flip_in

CHUNK = 100


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditor, "CHUNK", CHUNK)
    monkeypatch.setattr(auditor, "STEP", 10)


def stop_at(limit: int) -> Callable[[int, int], None]:
    def progress(done: int, size: int) -> None:
        if done >= limit:
            raise Interrupted

    return progress


async def interrupt(played: Played, at: int) -> None:
    """Audit as the officer until so many entries were read."""
    async with played.scene.kit(played.scene.stage.cast.officer) as kit:
        with pytest.raises(Interrupted):
            await kit.auditor.verify(progress=stop_at(at), resume=True)


async def go_on(played: Played) -> AuditReport:
    async with played.scene.kit(played.scene.stage.cast.officer) as kit:
        return await kit.auditor.verify(resume=True)


def start(played: Played) -> None:
    played.scene.stage.witness.start()
    played.scene.stage.broker.start()


async def test_an_interrupted_audit_goes_on_after_the_last_whole_portion(stopped: Played) -> None:
    start(stopped)
    whole = await stopped.scene.audit()
    await interrupt(stopped, 455)
    first = log_size(stopped.scene.stage)
    report = await go_on(stopped)
    assert report.resumed_at == 400
    assert report.log
    assert report.log.size > first
    with database(stopped.scene.stage.broker) as rows:
        entries = rows.execute(
            "SELECT entry FROM log_entry WHERE log_index >= ? ORDER BY log_index", (first,)
        )
        read = [entry.decode() for (entry,) in entries]
    assert any('"first":400' in entry for entry in read)  # and none of what was read before
    assert not any('"first":300' in entry or '"first":0' in entry for entry in read)
    # Counted once, though in two runs.
    assert report.decisions == whole.decisions
    assert report.operations - whole.operations == {
        "log.read": report.operations["log.read"] - whole.operations["log.read"]
    }
    assert (await go_on(stopped)).resumed_at == 0  # it was finished


async def test_the_command_goes_on_or_starts_again(stopped: Played) -> None:
    start(stopped)
    await interrupt(stopped, 300)
    done = audit(stopped)
    assert done.returncode == 0, done.stderr
    assert "went on after 200 entries" in done.stderr
    await interrupt(stopped, 300)
    again = audit(stopped, "verify", "--from-start")
    assert again.returncode == 0, again.stderr
    assert "went on after" not in again.stderr


async def test_what_changes_after_it_was_read_is_found_from_the_start_only(stopped: Played) -> None:
    start(stopped)
    await interrupt(stopped, 300)
    flip_in(stopped, "log_entry", "entry", "log_index = 50", at=40)
    assert (await go_on(stopped)).resumed_at == 200
    with pytest.raises(NotAuthentic, match="entry 50 does not fit its stored leaf hash"):
        await stopped.scene.audit()


async def test_what_changes_before_it_is_read_is_found_and_ends_the_run(stopped: Played) -> None:
    start(stopped)
    await interrupt(stopped, 300)
    flip_in(stopped, "log_entry", "entry", "log_index = 350", at=40)
    with pytest.raises(NotAuthentic, match="entry 350 does not fit its stored leaf hash"):
        await go_on(stopped)
    flip_in(stopped, "log_entry", "entry", "log_index = 350", at=40)
    assert (await go_on(stopped)).resumed_at == 0


async def test_a_changed_hash_of_the_stored_tree_is_remembered_through_an_interruption(
    stopped: Played,
) -> None:
    flip_in(stopped, "log_tile", "hashes", "level = 0 AND tile_index = 0", at=32 * 255)
    start(stopped)
    await interrupt(stopped, 560)
    with pytest.raises(NotAuthentic, match="a hash of its stored tree was changed") as caught:
        await go_on(stopped)
    assert caught.value.where == "entry 0"
