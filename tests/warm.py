# SPDX-License-Identifier: EUPL-1.2
"""Processes of `sluis` that begin warm, in a tenth of the time: forked from one that has imported everything.

In all else they are what a command line gives: processes with a memory, an environment, signals, files and an exit
code of their own. That a fresh `python -m sluis` does the same is shown by the tests that start one by its command
line: those of the demo, which starts all services too, those of the environment, and a few commands. Elsewhere than
on Linux everything is started by its command line.

    done = run(["keys", "new", ...], env)                      # as subprocess.run
    launch([sys.executable, "-m", "sluis", ...], log, env)     # as subprocess.Popen, for demo.stage.Service
"""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import IO

from demo.stage import Running, spawn

OURS = [sys.executable, "-m", "sluis"]
SECONDS = 60.0
PR_SET_PDEATHSIG = 1


@lru_cache(maxsize=1)
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.warm_modules"])
    return context


class WarmProcess:
    """As much of subprocess.Popen as the tests ask for."""

    def __init__(self, words: Sequence[str], out: Path, err: Path, env: Mapping[str, str]) -> None:
        self.args = [*OURS, *words]
        # A daemon: what still runs when the tests end is ended.
        self._process: ForkServerProcess = _server().Process(
            target=_become, args=(list(words), str(out), str(err), dict(env), os.getcwd()), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """As `returncode`."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def launch(command: list[str], log: IO[bytes], env: Mapping[str, str]) -> Running:
    """Start a service, warm when it is a command of ours."""
    if sys.platform != "linux" or command[:3] != OURS:
        return spawn(command, log, env)
    return WarmProcess(command[3:], Path(log.name), Path(log.name), env)


def run(words: Sequence[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    if sys.platform != "linux":
        return run_cold(words, env)
    with tempfile.TemporaryDirectory(prefix="sluis-warm-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = WarmProcess(words, out, err, env)
        try:
            code = process.wait(SECONDS)
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(process.args, code, out.read_text("utf-8"), err.read_text("utf-8"))


def run_cold(words: Sequence[str], env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command by its command line."""
    return subprocess.run(
        [*OURS, *words], capture_output=True, text=True, check=False, timeout=SECONDS, env=dict(env)
    )


def _become(words: list[str], out: str, err: str, env: dict[str, str], folder: str) -> None:
    """In the child: take on what a command line would have given, and run the command."""
    os.setsid()
    # When the tests are killed the process that forked this one ends, and nothing stays behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]  # it waits for this
    for path, number in ((out, 1), (err, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = ["sluis", *words]

    from sluis.cli import main

    main()
