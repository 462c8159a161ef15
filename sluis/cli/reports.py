# SPDX-License-Identifier: EUPL-1.2
"""What the exchanging commands share: their options, and how they tell of files, pushes and receipts."""

import sys
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from adapters.labour_inspectorate import PushReport
from adapters.table import ParsedFile
from sluis.cli.output import EXIT_VERIFICATION, print_json, say

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Out = Annotated[Path, typer.Option("--out", help="Where to keep opened signals, one JSON object a line.")]

TOML = Path("sluis.toml")
ASK_FIRST_FROM = 20
MOST_SHOWN = 20


def tell_push(report: PushReport) -> dict[str, object]:
    """Say what became of a push; returns the same as data."""
    for group in report.left_out[:MOST_SHOWN]:
        say(f"{group.count} not offered, since the broker would refuse: {group.english}")
        for missing in group.missing:
            say(f"  {missing}")
    again = sum(outcome.sent_before for outcome in report.outcomes)
    say(f"{report.permitted} permitted" + (f" ({again} of them in an earlier run)" if again else ""))
    for reason, number in sorted(report.denied.items()):
        say(f"{number} denied: {reason}")
    for code, number in sorted(report.errors.items()):
        say(f"{number} failed: {code}")
    if any(outcome.assumed for outcome in report.outcomes):
        say("note: a deciding rule is `assumed`: it awaits legal sign-off")
    return {
        **file_report(report.file),
        "permitted": report.permitted,
        "sent_before": again,
        "not_offered": {
            reason: sum(group.count for group in report.left_out if group.reason == reason)
            for reason in sorted({group.reason for group in report.left_out})
        },
        "denied": report.denied,
        "errors": report.errors,
        "signals": [
            {"signal_id": str(outcome.signal_id), "log_index": outcome.log_index}
            for outcome in report.outcomes
            if outcome.permitted
        ],
    }


def today() -> date:
    """The day in the Netherlands."""
    return datetime.now(ZoneInfo("Europe/Amsterdam")).date()


def file_report(file: ParsedFile[Any]) -> dict[str, object]:
    """What there is to say of a file's rows, for a report."""
    return {
        "rows": file.rows,
        "accepted": len(file.accepted),
        "duplicates": file.duplicates,
        "rejected": [{"line": p.line, "column": p.column, "code": p.code} for p in file.rejected],
    }


def tell_problems(path: Path, file: ParsedFile[Any]) -> None:
    """Name the rows that are wrong, by line and reason."""
    for problem in file.rejected[:MOST_SHOWN]:
        where = f", column {problem.column}" if problem.column else ""
        say(f"{path}: line {problem.line}{where}: {problem.message} [{problem.code}]")
    if len(file.rejected) > MOST_SHOWN:
        rest = Counter(problem.code for problem in file.rejected[MOST_SHOWN:])
        say(f"{path}: and {sum(rest.values())} more: " + ", ".join(f"{n} {code}" for code, n in rest.items()))
    say(
        f"{path}: {file.rows} rows, {len(file.accepted)} good, {file.duplicates} repeated, "
        f"{len(file.rejected)} wrong"
    )


def finish(report: object, as_data: bool, code: int, *, alarm: bool = False) -> None:
    """Print the report and leave with the exit code; an alarm about receipts comes before everything."""
    if as_data:
        print_json(report)
    if alarm:
        sys.exit(EXIT_VERIFICATION)
    if code:
        sys.exit(code)
