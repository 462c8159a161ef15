# SPDX-License-Identifier: EUPL-1.2
"""A broker on an empty database, with everyone admitted (tests/world.py)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world import World, open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Open a world of its own for each test."""
    async with open_world(tmp_path) as opened:
        yield opened
