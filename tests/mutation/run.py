# SPDX-License-Identifier: EUPL-1.2
"""Run the tests of the decision against mutants made by hand, and say which survive.

    python -m tests.mutation.run [WORD]        only mutants whose name or module holds WORD

Each mutant is one replacement in a copy of the code. It is killed when a test fails; a test that hangs counts as
killed too. Exit code 1 when one survives that is not listed in EQUIVALENT. Takes minutes; not part of the suite.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("sluis", "policies", "tests", "pyproject.toml")
TESTS = (
    "tests/unit/test_conditions.py",
    "tests/unit/test_working_days.py",
    "tests/unit/test_decide.py",
    "tests/unit/test_decide_reasons.py",
    "tests/unit/test_decide_properties.py",
)
SECONDS = 120
# Mutants that no test can tell from the original; tests/mutation/README.md says why.
EQUIVALENT: frozenset[str] = frozenset()


def mutated(mutant: Mutant, root: Path = ROOT) -> str:
    """The text of the module with the mistake in it. Raises ValueError when the piece is not there once."""
    text = (root / "broker" / "decide" / f"{mutant.module}.py").read_text("utf-8")
    if text.count(mutant.right) != 1:
        raise ValueError(f"{mutant.name}: the text to replace stands {text.count(mutant.right)} times")
    return text.replace(mutant.right, mutant.wrong)


def survives(mutant: Mutant | None) -> bool:
    """Whether all tests pass with the mistake; without one, whether they pass at all."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "broker", copy / "broker")
        for name in LINKED:
            (copy / name).symlink_to(ROOT / name)
        if mutant is not None:
            (copy / "broker" / "decide" / f"{mutant.module}.py").write_text(mutated(mutant), "utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--noconftest",
            "-p",
            "no:cacheprovider",
            *TESTS,
        ]
        environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            run = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return False
    if run.returncode not in (0, 1, 2):  # 2: the module does not even load
        raise RuntimeError(run.stdout.decode()[-2000:])
    return run.returncode == 0


def main() -> int:
    """Run all, print a line for each, and the count."""
    chosen = [item for item in MUTANTS if all(word in f"{item.module} {item.name}" for word in sys.argv[1:])]
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
