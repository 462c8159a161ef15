# SPDX-License-Identifier: EUPL-1.2
"""`sluis policy diff|analyse`: what a change of the rules does, and what stands out in a set of rules."""

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from sluis.cli.extras import needs_extra
from sluis.cli.output import EXIT_FAILED, print_json, say
from sluis.policy.bundle import Bundle, default_directory, load_bundle

if TYPE_CHECKING:
    from broker.policy.words import Text

app = typer.Typer(help="Changes of the rules.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
English = Annotated[bool, typer.Option("--english", help="Speak English.")]
_SIGNS = {"wider": "ruimer", "narrower": "enger", "both": "beide", "same": "-"}


@app.callback()
def _changes() -> None:
    """Changes of the rules."""


@app.command()
def diff(
    first: Annotated[
        Path, typer.Argument(help="A directory of rules; alone: compared with those installed.")
    ],
    second: Annotated[Path | None, typer.Argument(help="The directory that comes after it.")] = None,
    as_data: Json = False,
    english: English = False,
) -> None:
    """Say what changes between two sets of rules, by deciding every case that could differ."""
    with needs_extra("broker"):
        from broker.policy.diff import diff as compare
        from broker.policy.report import diff_data
        from broker.policy.words import Words
    before = _load(None if second is None else first)
    after = _load(first if second is None else second)
    found = compare(before, after)
    if as_data:
        print_json(diff_data(found, Words(after, before)))
        return
    rows = [
        (
            line.agreement or ("catalogue" if english else "catalogus"),
            _said(line.flow, english=english),
            line.mark.value if english else _SIGNS[line.mark],
            _said(line.text, english=english),
        )
        for line in found.lines
    ]
    titles = (
        ("agreement", "flow", "mark", "change") if english else ("afspraak", "stroom", "duiding", "wijziging")
    )
    _print_table(titles, rows)
    say(_said(found.summary, english=english))
    functions = [
        item.function or ("any function" if english else "elke functie") for item in found.required_approvals
    ]
    say(("Approval by: " if english else "Goedkeuring door: ") + ", ".join(functions))


@app.command()
def analyse(
    directory: Annotated[
        Path | None, typer.Argument(help="A directory of rules; else those installed.")
    ] = None,
    within: Annotated[
        int, typer.Option("--within", min=0, max=36500, help="Name what ends in so many days.")
    ] = 90,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1: a rule can never apply.")] = False,
    as_data: Json = False,
    english: English = False,
) -> None:
    """Say what can never apply, contradicts, ends soon or is used by nobody."""
    with needs_extra("broker"):
        from broker.policy.analyse import analyse as look_through
        from broker.policy.report import analysis_data
    bundle = _load(directory)
    found = look_through(bundle, datetime.now(bundle.zone).date(), within)
    if as_data:
        print_json(analysis_data(found))
    else:
        rows = [
            (item.kind, item.file, item.rule or item.term, _said(item.text, english=english))
            for item in found
        ]
        titles = (
            ("kind", "file", "rule", "observation") if english else ("soort", "bestand", "regel", "bevinding")
        )
        _print_table(titles, rows)
    never = sum(item.is_never for item in found)
    if strict and never:
        say(
            f"sluis: {never} rule(s) can never apply"
            if english
            else f"sluis: {never} regel(s) kunnen nooit gelden"
        )
        sys.exit(EXIT_FAILED)


def _load(directory: Path | None) -> Bundle:
    return load_bundle(default_directory() if directory is None else directory)


def _said(text: "Text", *, english: bool) -> str:
    return text.english if english else text.dutch


def _print_table(titles: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    """A table on a terminal; elsewhere a line for each row, with tabs."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join(row) + "\n")
        return
    table = Table(*titles, show_lines=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)
