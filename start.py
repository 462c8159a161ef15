#!/usr/bin/env python3
# SPDX-License-Identifier: EUPL-1.2
# ruff: noqa: S603, S606  the command lines are our own
"""From a clean clone to a running demo, or to passing tests: `python3 start.py demo`, `python3 start.py test`.

Makes `.venv` beside this file, installs Sluis into it (again only when pyproject.toml has changed), and hands
over to `sluis demo` or to pytest with the arguments that follow. Needs Python 3.11 or newer and pip's network;
nothing else. Exit codes are those of the command; 2 for wrong usage, 1 when the installation fails.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  the sentence is for those who have an older one
    sys.exit("Sluis needs Python 3.11 or newer, and this is Python " + sys.version.split()[0] + ".")

import contextlib
import hashlib
import importlib.util
import json
import os
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "sluis-start.json"
UNFINISHED = ROOT / ".venv.unfinished"
USAGE = """usage: python3 start.py demo [--once] ...    a day of exchanges between invented parties, on this machine
       python3 start.py test [-k NAME] ...   the tests (pytest), by three workers; by one with -n 0
"""
# What another environment left behind would make ours import the wrong things, or compile them in every process.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


class Refusal(Exception):
    """Something that the user must mend, in a sentence."""


def main(arguments: list[str]) -> int:
    """Install what is missing, then run the command."""
    if arguments[:1] in (["-h"], ["--help"], ["help"]):
        sys.stdout.write(f"{__doc__}\n{USAGE}")
        return 0
    if arguments[:1] not in (["demo"], ["test"]):
        sys.stderr.write(USAGE)
        return 2
    command, rest = arguments[0], arguments[1:]
    try:
        with _alone():
            _install(command)
        return _run(command, rest)
    except Refusal as refusal:
        _say(str(refusal))
        return 1
    except OSError as error:
        _say(f"cannot set up {VENV}: {error.strerror or error}")
        return 1


def _install(extra: str) -> None:
    """Bring `.venv` up to date for an extra; `test` includes `demo`."""
    found = _stamp()
    version = _version()
    half_made = UNFINISHED.exists() or (not found and _ask("import pip") is None)
    if version is None or half_made or found.get("python", version) != version:
        version = _make_venv()
        found = {}
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    due = {"python": version, "root": str(ROOT), "pyproject": digest}
    if due.items() <= found.items() and found.get("extra") in (extra, "test"):
        return
    options = ["--quiet", "--no-input", "--no-user", "--disable-pip-version-check"]
    pip = [*_pip(), "install", *options, "--editable", f".[{extra}]"]
    _say("installing Sluis and its libraries into .venv (once; this takes a minute)")
    if subprocess.run(pip, cwd=ROOT, env=_environment(), check=False).returncode:
        raise Refusal("pip could not install Sluis; its reason stands above. Nothing was started.")
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps({**due, "extra": extra}), "utf-8")
    fresh.replace(STAMP)
    if UNFINISHED.exists():
        UNFINISHED.rmdir()


def _make_venv() -> str:
    """Make `.venv` anew, with pip where this Python can do that; return its version."""
    _say(f"making .venv with Python {sys.version_info[0]}.{sys.version_info[1]}")
    UNFINISHED.mkdir(exist_ok=True)  # so that one that was broken off is made anew
    make = venv.EnvBuilder(clear=True, symlinks=os.name != "nt", with_pip=_has("ensurepip"))
    try:
        make.create(VENV)
    except subprocess.CalledProcessError:  # an ensurepip that does not work
        venv.EnvBuilder(clear=True, symlinks=os.name != "nt").create(VENV)
    version = _version()
    if version is None:
        raise Refusal(f"the Python in {VENV} does not run; remove that folder and try again")
    return version


def _pip() -> list[str]:
    """Return pip for `.venv`: its own, or the one of this Python. Raises Refusal when there is none."""
    if _ask("import pip") is not None:
        return [str(PYTHON), "-m", "pip"]
    if _has("pip"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    raise Refusal(
        "this Python has neither ensurepip nor pip. On Debian and Ubuntu: `apt install python3-venv`; "
        "then run this again."
    )


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _version() -> str | None:
    """The version of the Python in `.venv`, or None when there is none that runs and is new enough."""
    answer = _ask("import sys; print(sys.version_info >= (3, 11), *sys.version_info[:2], sep='.')")
    return answer.removeprefix("True.") if answer and answer.startswith("True.") else None


def _ask(code: str) -> str | None:
    """Run a line in `.venv`'s Python; None when that fails."""
    try:
        done = subprocess.run([PYTHON, "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _stamp() -> dict[str, str]:
    try:
        found = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one start.py install at a time; a second one waits."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (ROOT / "pyproject.toml").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: str, rest: list[str]) -> int:
    """Hand over to the command. Where the system can, this process becomes it: Ctrl-C and exit codes are its own."""
    module = ["-m", "pytest", *_workers(rest)] if command == "test" else ["-P", "-m", "sluis", "demo"]
    line = [str(PYTHON), *module, *rest]
    if command == "test":
        os.chdir(ROOT)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        return subprocess.run(line, env=_environment(), check=False).returncode
    os.execve(PYTHON, line, _environment())


def _workers(rest: list[str]) -> list[str]:
    """Divide the tests over three workers, unless there is one core or the arguments divide them otherwise.

    On two cores: many tests wait for processes and clocks, and meanwhile another has the core.
    """
    said = ("-n", "--numprocesses", "--dist", "--pdb", "--trace")
    own = any(word.startswith(said) or word.endswith("no:xdist") for word in rest)
    if own or (os.cpu_count() or 1) < 2:
        return []
    return ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def _say(text: str) -> None:
    print(f"start.py: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(130)
