# SPDX-License-Identifier: EUPL-1.2
"""`sluis policy diff` and `analyse`: data on stdout, exit codes, the installed rules by default."""

import json
import re
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from sluis.cli.policy_change import app
from tests.unit.decide_samples import FILES
from tests.unit.test_policy_diff import edited


def write(directory: Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return str(directory)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_command_line_compares_with_the_installed_rules(tmp_path: Path) -> None:
    wider = write(tmp_path / "wider", edited("retention: P5Y", "retention: P6Y"))
    data: dict[str, Any] = json.loads(run("diff", wider, "--json"))
    assert data["verdict"] == "wider"
    assert data["exact"] is True
    assert [item["function"] for item in data["required_approvals"]] == ["legal", "privacy"]
    assert data["lines"][0]["dutch"] == "bewaartermijn 5 jaar -> 6 jaar"
    assert data["flows"][0]["duties"] == [{"duty": "retention", "before": "P5Y", "after": "P6Y"}]
    back = json.loads(run("diff", wider, write(tmp_path / "installed", dict(FILES)), "--json"))
    assert back["verdict"] == "narrower"
    assert back["before"] == data["after"]


def test_the_command_line_prints_a_line_for_each_change(tmp_path: Path) -> None:
    wider = write(tmp_path, edited("retention: P5Y", "retention: P6Y"))
    (row,) = run("diff", wider).splitlines()
    agreement, flow, mark, text = row.split("\t")
    assert (agreement, mark, text) == ("waadi-14b", "ruimer", "bewaartermijn 5 jaar -> 6 jaar")
    assert re.match("Nederlandse Arbeidsinspectie -> stichting", flow)
    assert "\twider\tretention 5 years -> 6 years\n" in run("diff", wider, "--english")


def test_the_command_line_fails_on_what_can_never_apply_when_asked_to(tmp_path: Path) -> None:
    rows = run("analyse", "--strict").splitlines()
    assert all(len(row.split("\t")) == 4 for row in rows)
    never = edited(
        "    conditions:\n",
        "    conditions:\n      - claim: provision\n        one_of: [WML 13a]\n        dutch: Alleen dit.\n"
        "        otherwise: PROVISION_NOT_LISTED\n",
    )
    words = "catalog/laws.yaml"
    article = b'      - article: "13"\n        valid_from: 2025-07-01\n'
    more = article.replace(b'"13"', b"13a") + b"        mark: verified\n        source: bedacht\n"
    never[words] = never[words].replace(article, more + article, 1)
    directory = write(tmp_path, never)
    data = json.loads(run("analyse", directory, "--json"))
    assert [item["rule"] for item in data if item["kind"] == "never-applies"] == [
        "fine-to-foundation-from-2026-07-01"
    ]
    assert "never-applies\t" in run("analyse", directory, "--strict", code=1)
