# SPDX-License-Identifier: EUPL-1.2
"""`sluis demo` as a person starts it: a process that starts processes; none of them outlives the test."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRun:
    """A demo that has ended: its exit code, what it told, its report, and the folder that it kept."""

    code: int
    said: str
    report: dict[str, Any]
    folder: Path


def run_demo(folder: Path, *options: str, run: int = 1) -> DemoRun:
    """Run `sluis demo --once` to its end, with everything kept below a folder."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    with started_demo("--once", "--dir", str(folder), "--report", str(report), *options) as process:
        _, said = process.communicate(timeout=SECONDS)
    return DemoRun(
        code=process.returncode,
        said=said,
        report=json.loads(report.read_text("utf-8")) if report.exists() else {},
        folder=folder / f"run-{run}",
    )


@contextmanager
def started_demo(*options: str) -> Iterator["subprocess.Popen[str]"]:
    """Start `sluis demo`; whatever of it still runs when the block ends is ended, each by its own id."""
    with subprocess.Popen(
        [sys.executable, "-m", "sluis", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    children = services_of(process)
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        for child in children:
            os.kill(child, signal.SIGKILL)


def services_of(process: "subprocess.Popen[str]") -> list[int]:
    """The process ids of a demo's services (Linux; elsewhere none are found)."""
    listing = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in listing.read_text().split()] if listing.exists() else []
