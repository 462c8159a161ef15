# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit statistics` against running services: who may read the log counts the year anew, others may not."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from demo.cast import CastMember
from sluis.cli import audit_statistics
from sluis.errors import SluisError
from tests.scenarios.scene import Scene

SIGNALS = 12


async def counted(scene: Scene, member: CastMember, year: int) -> Any:
    """The command of a participant, in this process."""
    words = ["--year", str(year), "--config", str(scene.stage.write_config(member))]
    done = await asyncio.to_thread(CliRunner().invoke, audit_statistics.app, words)
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout)


async def test_the_year_is_counted_from_a_log_that_was_verified(
    shared: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, year = shared.stage.cast.officer, shared.today.year
    before = await counted(shared, officer, year - 1)
    assert before["signals_by_kind"]["total"]["total"] == 0
    with pytest.raises(SluisError) as refused:
        await counted(shared, officer, year)
    assert refused.value.code == "malformed-request"

    await shared.push(SIGNALS)
    monkeypatch.setattr(audit_statistics, "this_year", lambda: year + 1)
    found = await counted(shared, officer, year)
    report = await shared.audit()
    assert found["year"] == year
    pushed = report.decisions["signal.push permit"]
    assert pushed >= SIGNALS
    delivered = found["signals_by_kind"]["other"]["may-inform"]
    assert delivered is not None
    assert abs(delivered - pushed) <= 2 + report.decisions["signal.release permit"]
    assert found["signals_by_kind"]["A1_VERDICT"]["total"] == 0
    assert found["register_entries"].keys() == {"certificates"}
    assert found["outcomes"]["parts"].keys() >= {"none"}


async def test_who_may_not_read_the_log_counts_nothing(shared: Scene) -> None:
    with pytest.raises(SluisError) as refused:
        await counted(shared, shared.stage.cast.inspectorate, shared.today.year - 1)
    assert refused.value.code == "not-your-role"
