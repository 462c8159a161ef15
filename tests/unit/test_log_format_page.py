# SPDX-License-Identifier: EUPL-1.2
"""The script on docs/log-format.md does what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from log_samples import LOG_KEYS, OTHER_LOG_KEYS, SampleLog

from sluis.tlog_proof import TlogProof

PAGE = Path(__file__).parents[2] / "docs" / "log-format.md"
LOG = SampleLog(11)


def run(folder: Path, entry: bytes, proof: str, vkey: str) -> subprocess.CompletedProcess[str]:
    [script] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "verify.py").write_text(script, encoding="utf-8")
    (folder / "entry.json").write_bytes(entry)
    (folder / "entry.tlog-proof").write_text(proof, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "verify.py", "entry.json", "entry.tlog-proof", vkey],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("index", [0, 6, 10])
def test_the_script_accepts_what_is_in_the_log_and_nothing_else(tmp_path: Path, index: int) -> None:
    proof = TlogProof(
        index=index, hashes=tuple(LOG.inclusion(index, 11)), checkpoint=LOG.witnessed(), extra=b"note"
    ).format()
    vkey = str(LOG_KEYS[0].vkey)
    good = run(tmp_path, LOG.entries[index], proof, vkey)
    assert good.returncode == 0, good.stderr
    assert good.stdout == f"entry {index} of 11 is in the log broker.example/log\n"
    assert run(tmp_path, LOG.entries[index] + b" ", proof, vkey).returncode != 0
    assert run(tmp_path, LOG.entries[index], proof.replace("\n11\n", "\n12\n"), vkey).returncode != 0
    assert run(tmp_path, LOG.entries[index], proof, str(OTHER_LOG_KEYS[0].vkey)).returncode != 0


def test_every_attack_on_the_page_is_shown_by_tests_that_exist() -> None:
    """The last column of the table of attacks names tests; a renamed one would leave the page untrue."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition("## Which attack is noticed")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    tests = PAGE.parents[1] / "tests"
    defined = {
        name
        for folder in ("unit", "scenarios")
        for path in (tests / folder).glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for row in rows:
        shown = re.findall(r"`(test_\w+)`", row[-1])
        assert shown, row[0]
        assert set(shown) <= defined, row[0]
