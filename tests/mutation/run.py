# SPDX-License-Identifier: EUPL-1.2
"""Run the tests of the decision against mutants made by hand, and say which survive.

    python -m tests.mutation.run [WORD]        only mutants whose name or module holds WORD

Each mutant is one replacement in one module, made while that module is imported, in a process of its own; no file
changes. It is killed when a test fails or hangs. The rules are read once, before the processes part; nothing of the
decision or its tests is. Exit code 1 when one survives that is not listed in EQUIVALENT. Not part of the suite.
"""

import functools
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import hypothesis.strategies  # noqa: F401  imported once, for all processes
import pytest

from sluis.policy import bundle
from tests.mutation import steady
from tests.mutation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
TESTS = (
    "test_decide",
    "test_decide_reasons",
    "test_conditions",
    "test_working_days",
    "test_decide_properties",
)
FIRST = {"conditions": "test_conditions", "working_days": "test_working_days"}
SECONDS = 120
WARNING = "ignore::pytest.PytestAssertRewriteWarning"  # hypothesis is imported before pytest looks at it
# Mutants that no test can tell from the original; tests/mutation/README.md says why.
EQUIVALENT = frozenset(
    {"a prohibition of other fields is named", "a permit in the catalogue withholds its fields"}
)


def mutated(mutant: Mutant) -> str:
    """The text of the module with the mistake in it. Raises ValueError when the piece is not there once."""
    text = _path(mutant).read_text("utf-8")
    if text.count(mutant.right) != 1:
        raise ValueError(f"{mutant.name}: the text to replace stands {text.count(mutant.right)} times")
    return text.replace(mutant.right, mutant.wrong)


def _path(mutant: Mutant) -> Path:
    return ROOT / "broker" / "decide" / f"{mutant.module}.py"


class _Mistaken(SourceFileLoader):
    """Loads a module with a mistake in it."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        """The code of the mistaken text."""
        return compile(self._text, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds one module mistaken, and leaves all others to Python."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = f"broker.decide.{mutant.module}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module, if it is the one."""
        if fullname != self._name:
            return None
        place = str(_path(self._mutant))
        return spec_from_file_location(
            fullname, place, loader=_Mistaken(fullname, place, mutated(self._mutant))
        )


def survives(mutant: Mutant | None) -> bool:
    """Whether all tests pass with the mistake; without one, whether they pass at all."""
    child = os.fork()
    if child == 0:
        _run_tests(mutant)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0


def _run_tests(mutant: Mutant | None) -> None:
    """In a process of its own: never returns."""
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)  # a mutant that hangs is killed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if mutant is not None:
            sys.meta_path.insert(0, _Finder(mutant))
        arguments = [
            "-x",
            "-q",
            "--noconftest",
            "-p",
            "no:cacheprovider",
            "-W",
            WARNING,
            "--rootdir",
            str(ROOT),
        ]
        first = FIRST.get(mutant.module if mutant else "", "")
        tests = sorted(TESTS, key=lambda name: name != first)  # the likeliest to fail first
        code = pytest.main([*arguments, *(f"{ROOT}/tests/unit/{name}.py" for name in tests)])
    finally:
        os._exit(code)


def main() -> int:
    """Run all, print a line for each, and the count."""
    chosen = [item for item in MUTANTS if all(word in f"{item.module} {item.name}" for word in sys.argv[1:])]
    steady.load_profile()
    bundle.load_bundle = functools.cache(bundle.load_bundle)
    bundle.load_bundle(bundle.default_directory())
    if any(name.startswith("broker.") for name in sys.modules):
        raise RuntimeError("the decision was imported before the processes part")
    if not survives(None):
        print("the tests fail without any mutant")
        return 1
    surviving = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, alive in zip(chosen, pool.map(survives, chosen), strict=True):
            print(f"{'SURVIVED' if alive else 'killed  '}  {mutant.module:12}  {mutant.name}", flush=True)
            surviving += [mutant.name] * alive
    print(f"{len(chosen)} mutants, {len(chosen) - len(surviving)} killed, {len(surviving)} survived")
    return int(bool(set(surviving) - EQUIVALENT))


if __name__ == "__main__":
    sys.exit(main())
