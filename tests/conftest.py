# SPDX-License-Identifier: EUPL-1.2
"""Three workers (pytest-xdist): what they share among them, and in which order.

A file goes to one worker, so that a fixture of a file or a scene is made once; so do the files that look at the
same run of the demo, which also wants the documented ports for itself, and those that share a browser. What takes
longest goes first. Temporary files lie in memory where there is room: a database waits for its disk at every commit,
and no test is about a machine that loses power.
"""

import gc
import os
import shutil
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

SCENARIOS = Path(__file__).parent / "scenarios"
DEMO = ("tests/scenarios/test_canary.py", "tests/scenarios/test_demo.py")
BROWSER = "tests/browser/"
APART = "tests/scenarios/test_crash.py"  # its tests share nothing, and are the longest
FIRST = ("test_crash.py", "test_canary.py", "test_demo.py")

# Beside another worker an example may wait for a core longer than hypothesis's 200 ms.
settings.register_profile("workers", deadline=None)
settings.load_profile("workers")

MEMORY = Path("/dev/shm")  # pytest makes folders in it that only this user can read
ROOM = 2 << 30
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# As it is by default, but for a traceback's local values: formatting them takes seconds.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.set_exc_info,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


class ByFile(LoadFileScheduling):
    """Files to workers, those of the demo as one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if file == APART:
            return nodeid
        if file.startswith(BROWSER):
            return BROWSER
        return DEMO[0] if file in DEMO else file


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile | None:
    """Share the work as described, when asked for whole files."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None  # type: ignore[arg-type]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with whole processes, so that no worker ends with a long file when the others are done."""
    if hasattr(config, "workerinput"):
        items.sort(key=_place)


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay until the end; the garbage collector need not look at them each time."""
    gc.collect()
    gc.freeze()


def _place(item: pytest.Item) -> int:
    if item.path.parent != SCENARIOS:
        return len(FIRST) + 1
    return FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST)
