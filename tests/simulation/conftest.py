# SPDX-License-Identifier: EUPL-1.2
"""The database that every run begins with, made once."""

import asyncio

import pytest

from tests.simulation.epochs import make_template
from tests.simulation.stage import TEMPLATE


@pytest.fixture(scope="session", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A broker with parties, keys, registers and officers in the first epoch."""
    TEMPLATE[:] = [asyncio.run(make_template(tmp_path_factory.mktemp("simulation")))]
