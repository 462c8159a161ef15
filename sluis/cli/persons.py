# SPDX-License-Identifier: EUPL-1.2
"""`sluis push --kind`, `sluis match --kind`: persons of whom no number is known, between public bodies."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import typer

from adapters.json_lines import as_json, keep_in
from adapters.persons import ask_persons, push_findings, read_findings, read_persons
from sluis.cli.audit_receipts import check_receipts
from sluis.cli.output import EXIT_FAILED, progress_bar, say
from sluis.cli.reports import ASK_FIRST_FROM, file_report, finish, tell_problems, tell_push, today
from sluis.client import Kit, KitSettings
from sluis.identifiers import Oin

COMPARE = (
    "a possible match is not a proven one: names and dates of birth can agree by chance, so a person must compare "
    "before anything is done with it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is exchanged about persons, and for what."""

    kind: str
    purpose: str


def about_persons(kind: str | None, purpose: str | None) -> About | None:
    """What the options say, if anything; one without the other is wrong usage."""
    if kind is None and purpose is None:
        return None
    if kind is None or purpose is None:
        raise typer.BadParameter("--kind and --purpose go together")
    return About(kind=kind, purpose=purpose)


def push_persons(
    path: Path, to: str, config: Path, about: About, *, ask_first: bool | None, as_data: bool
) -> None:
    """Leave persons ready for a recipient until it asks about them. A wrong row is told; the others go on."""
    file = read_findings(path, today=today())
    tell_problems(path, file)
    asking = len(file.accepted) >= ASK_FIRST_FROM if ask_first is None else ask_first

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            with progress_bar("push", len(file.accepted)) as progress:
                report = await push_findings(
                    kit,
                    file,
                    Oin.parse(to),
                    kind=about.kind,
                    purpose=about.purpose,
                    ask_first=asking,
                    progress=progress,
                )
            alarm = await check_receipts(kit)
        finish(tell_push(report), as_data, EXIT_FAILED if report.errors else 0, alarm=alarm)

    asyncio.run(run())


def match_persons(path: Path, out: Path, config: Path, about: About, *, anew: bool, as_data: bool) -> None:
    """Ask about persons, and tell for each whether there may be a signal."""
    file = read_persons(path)
    tell_problems(path, file)

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            matches, report = await ask_persons(
                kit, file.accepted, keep_in(out), kind=about.kind, purpose=about.purpose, anew=anew
            )
            alarm = await check_receipts(kit)
        asked = len(file.accepted)
        misses = asked - len(matches)
        say(
            f"asked about {asked} persons by {report.asked} keys: {len(matches)} possible matches, {misses} without"
        )
        for each in matches:
            when = "in a run that was broken off" if each.earlier else f"{len(each.signals)} signals"
            say(f"{path}: line {each.described.line}: possible match ({when})")
        if matches:
            say(COMPARE)
        data = {
            **file_report(file),
            "asked": asked,
            "keys": report.asked,
            "misses": misses,
            "resumed": report.resumed,
            "compare": COMPARE,
            "matches": [
                {
                    "line": each.described.line,
                    "possible": True,
                    "earlier": each.earlier,
                    "signals": [as_json(signal) for signal in each.signals],
                }
                for each in matches
            ],
        }
        finish(data, as_data, EXIT_FAILED if report.deliveries.refused else 0, alarm=alarm)

    asyncio.run(run())
