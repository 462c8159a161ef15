# SPDX-License-Identifier: EUPL-1.2
"""`sluis audit receipts` and `gossip`: does the broker keep its promises, and does it show everybody one history?

An alarm is exit code 4, a sentence on stderr, and an event `receipt.alarm` there as JSON.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import structlog
import typer

from sluis.cli.output import EXIT_FAILED, EXIT_VERIFICATION, print_json, say, say_error
from sluis.client import Kit, KitSettings
from sluis.client.gossip import MAX_NOTE, Gossip, Gossiped
from sluis.client.receipts import Alarm, ReceiptReport
from sluis.errors import NotAuthentic, NotFound, SluisError
from sluis.events import configure_logs

app = typer.Typer()

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
TOML = Path("sluis.toml")
MOST_SHOWN = 20


@app.command()
def receipts(
    config: Config = TOML,
    seconds: Annotated[float, typer.Option(help="How long this may take.", min=0.1)] = 300.0,
    as_data: Json = False,
) -> None:
    """Turn every receipt that you hold into a proof, and tell which promises the broker did not keep."""

    async def run() -> tuple[ReceiptReport, list[Alarm], dict[str, int]]:
        async with Kit.open(KitSettings.load(config)) as kit:
            told = kit.receipts.told()
            report = await kit.receipts.settle(seconds, wait=True)
            return report, told, kit.receipts.book.counts()

    report, told, counts = asyncio.run(run())
    alarms = [*told, *report.alarms]
    say(f"{counts.get('proven', 0)} receipts proven, {report.proven} of them now; {report.waiting} wait")
    if report.trouble:
        say(f"the broker did not answer in full: [{report.trouble}]")
    tell_alarms(alarms)
    if as_data:
        print_json(
            {
                "proven": counts.get("proven", 0),
                "proven_now": report.proven,
                "waiting": report.waiting,
                "broken": counts.get("broken", 0),
                "damaged": counts.get("damaged", 0),
                "trouble": report.trouble,
                "alarms": [
                    {
                        "kind": alarm.kind,
                        "log_index": alarm.log_index,
                        "evidence": str(alarm.evidence) if alarm.evidence else None,
                    }
                    for alarm in alarms
                ],
            }
        )
    if alarms:
        sys.exit(EXIT_VERIFICATION)
    if report.trouble:
        sys.exit(EXIT_FAILED)


@app.command()
def gossip(
    show: Annotated[bool, typer.Option("--show", help="Print your newest checkpoint, for others.")] = False,
    check: Annotated[
        str, typer.Option("--check", help="Another's checkpoint: a file, `-` for stdin, or the text itself.")
    ] = "",
    witness: Annotated[
        list[str] | None, typer.Option(help="Ask the witness at this address; else those in sluis.toml.")
    ] = None,
    config: Config = TOML,
) -> None:
    """Hold what others were shown of the log against what you were shown."""

    async def run() -> int:
        settings = KitSettings.load(config)
        async with Kit.open(settings) as kit:
            talk = Gossip(kit.trust, kit.receipts.book)
            try:
                if show:
                    sys.stdout.write(await talk.newest())
                    return 0
                if check:
                    _tell("the checkpoint", await talk.check(_text(check)))
                    return 0
                return await _ask(talk, witness or settings.witness_urls)
            except NotAuthentic as error:
                if error.code == "log-inconsistent":
                    evidence = kit.receipts.book.accusations.newest
                    tell_alarms([Alarm(kind="log-contradicts", message=error.message, evidence=evidence)])
                raise

    if code := asyncio.run(run()):
        sys.exit(code)


async def _ask(talk: Gossip, urls: Sequence[str]) -> int:
    """Ask all witnesses; one that is away does not keep the others from being asked."""
    if not urls:
        raise NotFound("not-found", "no witness is named: use --witness, or witness_urls in sluis.toml")
    away = 0
    for url in urls:
        try:
            _tell(url, await talk.ask_witness(url))
        except NotAuthentic:
            raise
        except SluisError as error:
            away += 1
            say_error(error)
    return EXIT_FAILED if away else 0


async def check_receipts(kit: Kit) -> bool:
    """Check receipts at the end of another command, as long as the settings allow; whether there was an alarm."""
    if not kit.receipts.seconds:
        return False
    report = await kit.receipts.settle(kit.receipts.seconds)
    tell_alarms(report.alarms)
    return bool(report.alarms)


def tell_alarms(alarms: Sequence[Alarm]) -> None:
    """Say each alarm to a person, and as an event to whatever watches."""
    if not alarms:
        return
    configure_logs("kit")
    log = structlog.get_logger("kit")
    for alarm in alarms:
        log.error(
            "receipt.alarm",
            kind=alarm.kind,
            log_index=alarm.log_index,
            evidence=str(alarm.evidence) if alarm.evidence else None,
        )
    for alarm in alarms[:MOST_SHOWN]:
        place = f" (entry {alarm.log_index})" if alarm.log_index is not None else ""
        say(f"ALARM: {alarm.message}{place} [{alarm.kind}]")
        if alarm.evidence:
            say(f"       evidence: {alarm.evidence}")
    if len(alarms) > MOST_SHOWN:
        say(f"       and {len(alarms) - MOST_SHOWN} more")


def _tell(what: str, found: Gossiped) -> None:
    by = f", cosigned by {', '.join(found.cosigners)}" if found.cosigners else ""
    say(f"one history: {what} has {found.theirs} entries{by}, yours {found.ours}")
    print_json({"consistent": True, "ours": found.ours, "theirs": found.theirs})


def _text(given: str) -> str:
    if "\n" in given:
        return given
    try:
        if given == "-":
            return sys.stdin.read(MAX_NOTE)
        with Path(given).open(encoding="utf-8") as stream:
            return stream.read(MAX_NOTE)
    except (OSError, UnicodeDecodeError, ValueError):
        raise NotFound("file-not-found", where=given) from None
