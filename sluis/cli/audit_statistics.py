# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit statistics`: the yearly numbers, counted anew from a log that was just verified."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from sluis.cli.output import print_json, progress_bar, say
from sluis.client import Kit, KitSettings
from sluis.errors import InvalidInput
from sluis.policy.bundle import ZONE

app = typer.Typer()

TOML = Path("sluis.toml")


@app.command()
def statistics(
    year: Annotated[int, typer.Option("--year", min=2000, max=2998, help="A year that is over.")],
    config: Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")] = TOML,
) -> None:
    """Verify the whole log, and print the yearly numbers with small ones hidden, as the console shows them.

    They come from the entries alone, so that they can be held against the published ones. A hidden number is null.
    """
    if year >= this_year():
        raise InvalidInput("malformed-request", "a year is published when it is over", where="--year")
    from broker.oversight.recount import Recount
    from broker.storage.projected import Days

    count = Recount(Days(date(year, 1, 1), date(year, 12, 31)))

    async def run() -> dict[str, Any]:
        async with Kit.open(KitSettings.load(config)) as kit:
            checkpoint = await kit.trust.checkpoint()
            with progress_bar("verify", checkpoint.size) as progress:
                seen = [0]

                def step(done: int, _size: int) -> None:
                    progress(done - seen[0])
                    seen[0] = done

                report = await kit.auditor.verify(progress=step, on_entry=count.add)
            return {"year": year, "entries": report.operations.total()} | _released(count, kit)

    found = asyncio.run(run())
    say(f"the log is intact; the numbers of {year} follow from it")
    print_json(found)


def this_year() -> int:
    """The year in the Netherlands."""
    return datetime.now(UTC).astimezone(ZoneInfo(ZONE)).year


def _released(count: Any, kit: Kit) -> dict[str, Any]:
    from broker.oversight.statistics import MIN_PERSONS, Released, ReleasedSeries
    from broker.oversight.yearly import release_year

    counted = count.year()
    year = release_year(counted, kit.bundle, count.role_of)

    def table(one: Released) -> dict[str, dict[str, int | None]]:
        rows = dict.fromkeys(cell[0] for cell in one.shown)
        return {row: {cell[1]: value for cell, value in one.shown.items() if cell[0] == row} for row in rows}

    def series(one: ReleasedSeries) -> dict[str, Any]:
        return {"total": one.total, "parts": {name or "none": value for name, value in one.shown.items()}}

    return {
        "decisions_by_agreement": table(year.agreements),
        "decisions_by_role": table(year.roles),
        "signals_by_kind": table(year.kinds),
        "outcomes": series(year.outcomes),
        "median_days_to_feedback": counted.came.median_days(MIN_PERSONS),
        "measures": series(year.measures),
        "certificates_gone": series(year.lost),
        "searches_for_access": series(year.looked),
        "taken_back": dict(year.taken_back),
        "breach": dict(year.breach),
        "register_entries": dict(year.registers),
    }
