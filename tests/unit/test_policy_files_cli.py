# SPDX-License-Identifier: EUPL-1.2
"""The commands over files of rules: `test`, `check`, `at`, `show`, `read`."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sluis.cli.policy_test import app
from sluis.errors import InvalidInput
from sluis.policy.bundle import default_directory, load_bundle
from sluis.policy.cases import load_cases

BUNDLE = load_bundle(default_directory())


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the installed rules, to change."""
    with_pages = tmp_path / "rules"
    for folder in ("catalog", "agreements", "cases", "leesversie"):
        shutil.copytree(str(default_directory().joinpath(folder)), with_pages / folder)
    return with_pages


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(result: Result) -> InvalidInput:
    assert result.exit_code == 1
    assert isinstance(result.exception, InvalidInput)
    return result.exception


def change(path: Path, old: str, new: str) -> None:
    content = path.read_text("utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), "utf-8")


def test_all_cases_of_the_installed_rules_come_out_as_written() -> None:
    result = run("test")
    assert result.exit_code == 0, result.output
    heading, *rows = result.stdout.splitlines()
    assert heading.split("\t") == ["file", "case", "outcome", "rule", "reason", "result"]
    assert len(rows) == len(load_cases(default_directory(), BUNDLE))
    assert {row.split("\t")[-1] for row in rows} == {"ok"}
    assert "0 not as written" in result.stderr
    assert BUNDLE.digest in result.stderr


def test_a_case_that_fails_is_shown_with_what_differs_and_exit_code_1(rules: Path) -> None:
    change(rules / "cases" / "waadi-14b.yaml", "reden: LOOKBACK", "reden: NO_CERTIFICATE")
    result = run("test", rules, "--only", "x08")
    assert result.exit_code == 1
    assert "\treden: LOOKBACK instead of NO_CERTIFICATE" in result.stdout
    assert "1 not as written" in result.stderr


def test_the_results_as_data() -> None:
    items = json.loads(run("test", "--json", "--only", "X08 De boete is drie jaar oud").stdout)
    assert [(item["outcome"], item["reason"], item["ok"]) for item in items] == [
        ("geweigerd", "LOOKBACK", True)
    ]
    assert items[0]["where"].startswith("cases/waadi-14b.yaml:")


def test_no_case_to_run_is_a_failure() -> None:
    assert "no case" in refusal(run("test", "--only", "bestaat niet")).message


def test_check_prints_the_digest_or_the_refusal(rules: Path) -> None:
    assert run("check", rules).stdout == f"{BUNDLE.digest}\n"
    data = json.loads(run("check", rules, "--json").stdout)
    assert sum(data["rules"].values()) == len(BUNDLE.rules)
    change(rules / "agreements" / "waadi-14b.yaml", "kinds: [FINE_IMPOSED]", "kinds: [ZOMAAR]")
    assert refusal(run("check", rules)).where.startswith("agreements/waadi-14b.yaml:")


def test_the_rules_of_a_day() -> None:
    before, after = run("at", "2026-06-30").stdout, run("at", "2026-07-01").stdout
    assert "fine-to-foundation-until-2026-06-30" in before
    assert "fine-to-foundation-until-2026-06-30" not in after
    assert "fine-to-foundation-from-2026-07-01" in after
    listed = json.loads(run("at", "2026-07-01", "--json").stdout)
    assert {"agreement": "waadi-14b", "rule": "fine-to-foundation-from-2026-07-01"}.items() <= {
        **next(item for item in listed if item["rule"].startswith("fine-to-foundation"))
    }.items()
    assert all(item["status"] != "draft" for item in listed)
    assert refusal(run("at", "1-7-2026")).code == "date-format"


def test_one_rule_as_text() -> None:
    shown = run("show", "no-bsn-to-private").stdout
    assert "## Geen burgerservicenummer naar een private partij" in shown
    assert refusal(run("show", "geen-regel")).where == "geen-regel"


def test_reading_pages_are_checked_and_written(rules: Path, tmp_path: Path) -> None:
    assert run("read", rules, "--check").exit_code == 0
    rules.joinpath("leesversie", "index.md").write_text("anders")
    stale = run("read", rules, "--check")
    assert (stale.exit_code, stale.stdout) == (1, "index.md\n")
    assert run("read", rules).exit_code == 0
    assert run("read", rules, "--check").exit_code == 0
    change(rules / "agreements" / "waadi-14b.yaml", "title: Boete melden", "title: Boetes melden")
    assert run("read", rules, "--check").exit_code == 1
    elsewhere = tmp_path / "elders" / "pagina"
    assert run("read", rules, "--output", elsewhere).exit_code == 0
    assert "Boetes melden" in elsewhere.joinpath("waadi-14b.md").read_text("utf-8")


def test_a_broken_file_of_cases_stops_every_command_that_reads_it(rules: Path) -> None:
    change(rules / "cases" / "waadi-14b.yaml", "standaard:", "standard:")
    for command in (["test"], ["read"], ["show", "no-bsn-to-private"]):
        assert refusal(run(*command, rules)).where.startswith("cases/waadi-14b.yaml:")
