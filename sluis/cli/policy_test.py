# SPDX-License-Identifier: EUPL-1.2
"""`sluis policy test`, `check`, `at`, `show`, `read`: rules and cases in a directory, without a broker."""

import sys
from collections.abc import Sequence
from datetime import date
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluis.cli.extras import needs_extra
from sluis.cli.output import EXIT_FAILED, print_json, say
from sluis.errors import InvalidInput
from sluis.policy.bundle import Bundle, default_directory, load_bundle
from sluis.policy.cases import load_cases
from sluis.policy.reading import FOLDER, pages, rule_text, stale, write
from sluis.policy.rules import Rule, Status
from sluis.policy.schema import read_date

if TYPE_CHECKING:
    from broker.policy.cases import Outcome

app = typer.Typer(help="The rules, as they stand in files.", no_args_is_help=True)
Directory = Annotated[
    Path | None,
    typer.Argument(help="The directory of rules; without it, those that came with Sluis.", metavar="[DIR]"),
]
Json = Annotated[bool, typer.Option("--json", help="Print data instead of a table.")]


def place(directory: Path | None) -> Traversable | Path:
    """Where the rules are."""
    return default_directory() if directory is None else directory


@app.command("test")
def run_tests(
    directory: Directory = None,
    as_json: Json = False,
    only: Annotated[str, typer.Option("--only", help="Only cases with this text in name or file.")] = "",
) -> None:
    """Run all cases. Exit code 1: some case does not come out as written."""
    with needs_extra("broker"):
        from broker.policy.cases import run_cases
    bundle = load_bundle(place(directory))
    cases = load_cases(place(directory), bundle)
    chosen = [case for case in cases if only.casefold() in f"{case.file} {case.name}".casefold()]
    if not chosen:
        raise InvalidInput("unknown-value", "no case has this text in its name or file", where="--only")
    outcomes = run_cases(chosen, bundle)
    failed = [outcome for outcome in outcomes if outcome.differences]
    if as_json:
        print_json([_data(outcome) for outcome in outcomes])
    else:
        rows = [_row(outcome) for outcome in outcomes]
        print_table(("file", "case", "outcome", "rule", "reason", "result"), rows)
    say(f"{len(outcomes)} cases, {len(failed)} not as written, under {bundle.digest}")
    if failed:
        sys.exit(EXIT_FAILED)


def _row(outcome: "Outcome") -> tuple[str, ...]:
    result = "; ".join(outcome.differences) or "ok"
    return (outcome.case.file, outcome.case.name, outcome.verdict, outcome.rule, outcome.reason, result)


def _data(outcome: "Outcome") -> dict[str, object]:
    return {
        "case": outcome.case.name,
        "where": outcome.case.where,
        "outcome": outcome.verdict,
        "rule": outcome.rule,
        "reason": outcome.reason,
        "ok": not outcome.differences,
        "differences": list(outcome.differences),
    }


def print_table(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table on a terminal; elsewhere lines with a tab between columns, for `grep` and `cut`."""
    console = Console(highlight=False)
    if not console.is_terminal:
        sys.stdout.writelines("\t".join(row) + "\n" for row in (heading, *rows))
        return
    table = Table(*heading)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


@app.command()
def check(directory: Directory = None, as_json: Json = False) -> None:
    """Load all rules and check them. Exit code 1: a file is refused, and why."""
    bundle = load_bundle(place(directory))
    counts = {status.value: sum(rule.status is status for rule in bundle.rules.values()) for status in Status}
    if as_json:
        print_json({"digest": bundle.digest, "agreements": len(bundle.agreements), "rules": counts})
        return
    sys.stdout.write(f"{bundle.digest}\n")
    by_status = ", ".join(f"{count} {status}" for status, count in counts.items())
    say(f"{len(bundle.agreements)} agreements, {len(bundle.rules)} rules: {by_status}")


@app.command("at")
def in_force_at(
    day: Annotated[str, typer.Argument(help="The day, YYYY-MM-DD.", metavar="DATE")],
    directory: Directory = None,
    as_json: Json = False,
) -> None:
    """List the rules that decide on a day, by agreement."""
    bundle = load_bundle(place(directory))
    found = _standing(bundle, _day(day))
    if as_json:
        print_json(
            [
                {"agreement": name, "rule": rule.id, "status": rule.status.value, "effect": rule.effect.value}
                for name, rule in found
            ]
        )
    else:
        rows = [(name, rule.id, rule.effect.value, rule.status.value, rule.title) for name, rule in found]
        print_table(("agreement", "rule", "effect", "status", "title"), rows)
    say(f"{len(found)} rules decide on {day}, under {bundle.digest}")


def _day(text: str) -> date:
    try:
        return read_date(text)
    except ValueError:
        raise InvalidInput("date-format", "a date such as `2026-07-01` is due", where="DATE") from None


def _standing(bundle: Bundle, day: date) -> list[tuple[str, Rule]]:
    return [
        (name, rule)
        for name, agreement in sorted(bundle.agreements.items())
        for rule in agreement.rules
        if rule.status is not Status.DRAFT and rule.holds_on(day)
    ]


@app.command()
def show(
    rule: Annotated[str, typer.Argument(help="The id of a rule.", metavar="RULE")],
    directory: Directory = None,
) -> None:
    """Print one rule in plain Dutch, as its reading version has it."""
    bundle = load_bundle(place(directory))
    if rule not in bundle.rules:
        raise InvalidInput("unknown-value", "there is no rule with this id", where=rule)
    sys.stdout.write(rule_text(rule, bundle, load_cases(place(directory), bundle)))


@app.command("read")
def reading_version(
    directory: Directory = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="Where the pages go; without it, `leesversie` in the directory of rules."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 when a page is stale.")
    ] = False,
) -> None:
    """Write the reading version: the rules in plain Dutch, a page for each agreement."""
    bundle = load_bundle(place(directory))
    fresh = pages(bundle, load_cases(place(directory), bundle))
    folder = output or place(directory).joinpath(FOLDER)
    if check:
        if wrong := stale(fresh, folder):
            sys.stdout.writelines(f"{name}\n" for name in wrong)
            say(f"{len(wrong)} pages are stale: run `sluis policy read`")
            sys.exit(EXIT_FAILED)
        say(f"{len(fresh)} pages are up to date with {bundle.digest}")
        return
    if not isinstance(folder, Path):
        raise InvalidInput("malformed-config", "the rules lie in an archive: name a folder", where="--output")
    changed = stale(fresh, folder)
    write(fresh, folder)
    sys.stdout.writelines(f"{name}\n" for name in changed)
    say(f"{len(fresh)} pages, {len(changed)} of them changed, in {folder}")
