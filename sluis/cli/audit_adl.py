# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit adl`: all decided entries of the log as records of the Authorization Decision Log, JSON Lines."""

import asyncio
import json
import shutil
import sys
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Annotated
from zoneinfo import ZoneInfo

import typer

from sluis.cli.output import progress_bar, say
from sluis.client import Kit, KitSettings
from sluis.decision_log import Span, entry_record, entry_span
from sluis.policy.bundle import ZONE

app = typer.Typer(help="The log for others.", no_args_is_help=True)

TOML = Path("sluis.toml")


@app.callback()
def _audit() -> None:
    """The log for others."""


class Export:
    """Writes records of the entries between two days (in Amsterdam, both inclusive)."""

    def __init__(self, out: IO[str], origin: str, first: datetime | None, last: datetime | None) -> None:
        self._out = out
        self._origin = origin
        self._first = first.date() if first else date.min
        self._last = last.date() if last else date.max
        self._zone = ZoneInfo(ZONE)
        self._spans: dict[int, Span] = {}  # of the entries that a later one may still follow
        self.written = 0

    def add(self, index: int, entry: dict[str, object]) -> None:
        """Take the next entry."""
        previous = entry.get("previous")
        before = self._spans.pop(previous, None) if isinstance(previous, int) else None
        record = entry_record(index, entry, self._origin, before)
        if record is None:
            return
        if "exchange" in entry:
            self._spans[index] = entry_span(entry)
        day = datetime.fromisoformat(str(entry["time"])).astimezone(self._zone).date()
        if self._first <= day <= self._last:
            self._out.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            self.written += 1


@app.command()
def adl(
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, inclusive.")
    ] = None,
    config: Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")] = TOML,
) -> None:
    """Verify the whole log, then print a decision log record (ADL) for every decided exchange, one a line."""

    async def run(out: IO[str]) -> Export:
        async with Kit.open(KitSettings.load(config)) as kit:
            checkpoint = await kit.trust.checkpoint()
            export = Export(out, checkpoint.origin, first, last)
            with progress_bar("verify", checkpoint.size) as progress:
                seen = [0]

                def step(done: int, _size: int) -> None:
                    progress(done - seen[0])
                    seen[0] = done

                await kit.auditor.verify(progress=step, on_entry=export.add)
        return export

    # Nothing is printed before the log has proven whole.
    with TemporaryFile("w+", encoding="utf-8") as out:
        export = asyncio.run(run(out))
        out.seek(0)
        shutil.copyfileobj(out, sys.stdout)
    say(f"the log is intact; {export.written} decision log records")
