# SPDX-License-Identifier: EUPL-1.2
"""Stages for the scenarios: one that all share who do no harm, and one each for those who break things."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.scenarios.demo_process import DemoRun, run_demo
from tests.scenarios.played import Played, as_it_stopped, played_day
from tests.scenarios.scene import Scene, running_scene

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here: whole processes take seconds."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene on SQLite with its registers loaded, for tests that leave it as they found it."""
    with running_scene(tmp_path_factory.mktemp("shared")) as scene:
        asyncio.run(scene.keep_registers())
        yield scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A scene on SQLite with its registers loaded, of this test alone."""
    with running_scene(tmp_path) as made:
        asyncio.run(made.keep_registers())
        yield made


@pytest.fixture
def new_scene(tmp_path: Path) -> Callable[..., AbstractContextManager[Scene]]:
    """Make a running scene of this test alone, with options of its own."""
    return partial(running_scene, tmp_path)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A day that was played, with its processes stopped; use `stopped`."""
    with played_day(tmp_path_factory.mktemp("tamper"), tmp_path_factory.mktemp("copy")) as made:
        yield made


@pytest.fixture
def stopped(played: Played) -> Iterator[Played]:
    """The day as it was when the broker stopped; whatever the test starts is ended."""
    with as_it_stopped(played) as made:
        yield made


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    """A `sluis demo --once` that has ended, with everything it kept."""
    return run_demo(tmp_path_factory.mktemp("demo"))
