# SPDX-License-Identifier: EUPL-1.2
"""A broker on a database of its own, with everyone admitted (tests/world.py)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit import flow_samples
from tests.world import World, make_database, open_world

flow = flow_samples.flow
year_evaluators = flow_samples.year_evaluators


@pytest.fixture(scope="session")
def admitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the database that every world starts from."""
    return make_database(tmp_path_factory.mktemp("world"))


@pytest.fixture
async def world(tmp_path: Path, admitted: Path) -> AsyncIterator[World]:
    """Open a world of its own for each test."""
    async with open_world(tmp_path, admitted) as opened:
        yield opened
