# SPDX-License-Identifier: EUPL-1.2
"""`sluis register`, `push`, `receive`, `match`: what a participant does, with its `sluis.toml`."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from adapters.certification_body import ask
from adapters.certified_register import CertifiedFirm, read_certified
from adapters.fines import read_fines
from adapters.foundation import certification_bodies, load_registers, pass_on
from adapters.json_lines import as_json, keep_in
from adapters.labour_inspectorate import push_fines
from adapters.table import ParsedFile
from sluis.cli.audit_receipts import check_receipts
from sluis.cli.output import EXIT_DENIED, EXIT_FAILED, EXIT_VERIFICATION, print_json, progress_bar, say
from sluis.client import Kit, KitSettings
from sluis.client.matcher import MatchReport
from sluis.client.receiver import Keep, ReceivedSignal
from sluis.identifiers import Oin

Config = Annotated[Path, typer.Option("--config", help="Your sluis.toml.", envvar="SLUIS_CONFIG")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Out = Annotated[Path, typer.Option("--out", help="Where to keep opened signals, one JSON object a line.")]

TOML = Path("sluis.toml")
ASK_FIRST_FROM = 20
MOST_SHOWN = 20


def register(
    certified: Annotated[Path, typer.Argument(help="certified.csv")],
    config: Config = TOML,
    as_data: Json = False,
) -> None:
    """Load the list of certified firms into the pseudonymised register at the broker (for SNA)."""
    file = read_certified(certified, today=today())
    tell_problems(certified, file)

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            bodies = await certification_bodies(kit)
            with progress_bar("pseudonymise", 2 * len(file.accepted)) as progress:
                outcomes = await load_registers(kit, file.accepted, bodies, progress=progress)
        denied = [outcome for outcome in outcomes if not outcome.permitted]
        report = {
            **file_report(file),
            "snapshots": [
                {
                    "recipient": outcome.recipient,
                    "epoch": outcome.epoch,
                    "entries": outcome.entries,
                    "permitted": outcome.permitted,
                    "reason": outcome.reason,
                    "log_index": outcome.log_index,
                }
                for outcome in outcomes
            ],
        }
        say(f"register in force: {len(file.accepted)} firms in {len(outcomes) - len(denied)} domains")
        finish(report, as_data, EXIT_DENIED if denied else 0)

    asyncio.run(run())


def push(
    fines: Annotated[Path, typer.Argument(help="fines.csv")],
    to: Annotated[str, typer.Option("--to", help="The recipient's OIN (the designated foundation).")],
    config: Config = TOML,
    ask_first: Annotated[
        bool | None,
        typer.Option(
            "--ask-first/--offer-all",
            help="Ask the broker beforehand, and leave out what it would refuse; by itself from 20 rows on.",
        ),
    ] = None,
    as_data: Json = False,
) -> None:
    """Push fines as sealed signals (for the Labour Inspectorate). A wrong row is told; the others go on."""
    file = read_fines(fines, today=today())
    tell_problems(fines, file)
    asking = len(file.accepted) >= ASK_FIRST_FROM if ask_first is None else ask_first

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            with progress_bar("push", len(file.accepted)) as progress:
                report = await push_fines(kit, file, Oin.parse(to), ask_first=asking, progress=progress)
            alarm = await check_receipts(kit)
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
        data = {
            **file_report(file),
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
        finish(data, as_data, EXIT_FAILED if report.errors else 0, alarm=alarm)

    asyncio.run(run())


def receive(
    out: Out,
    config: Config = TOML,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more until Ctrl-C.")] = False,
    pass_on_with: Annotated[
        Path | None,
        typer.Option(
            "--pass-on-with", help="certified.csv: pass each fact on to the firm's certifiers (SNA)."
        ),
    ] = None,
    as_data: Json = False,
) -> None:
    """Receive what waits in your mailbox: verified, opened, kept, then acknowledged."""
    firms: tuple[CertifiedFirm, ...] = ()
    if pass_on_with:
        firms = read_certified(pass_on_with, today=today()).accepted

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            keep = await _passing_on(kit, out, firms) if pass_on_with else keep_in(out)
            report = await kit.receiver.receive(keep, follow=follow)
            alarm = await check_receipts(kit)
        refused = [asdict(item) for item in report.refused or []]
        say(f"{report.delivered} new, {report.repeated} seen before, {len(refused)} refused")
        for item in refused[:MOST_SHOWN]:
            say(f"log index {item['log_index']}: {item['message']} [{item['code']}]")
        data = {"delivered": report.delivered, "repeated": report.repeated, "refused": refused}
        finish(data, as_data, EXIT_FAILED if refused else 0, alarm=alarm)

    asyncio.run(run())


def match(
    clients: Annotated[Path, typer.Argument(help="Your clients: a certified.csv.")],
    out: Out,
    config: Config = TOML,
    body: Annotated[
        str | None, typer.Option("--body", help="Only firms with this certificerende_instelling.")
    ] = None,
    private: Annotated[
        bool,
        typer.Option(
            "--private",
            help="Fetch a digest of what lies deposited, and let the broker see only the firms found in it.",
        ),
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin from the start, also when the last run was broken off.")
    ] = False,
    as_data: Json = False,
) -> None:
    """Ask which of the firms that you certify have a signal that you may know of.

    What is broken off (Ctrl-C, a lost connection) goes on where it was when you ask again within a day.
    """
    file = read_certified(clients, today=today())
    tell_problems(clients, file)
    firms = [firm.establishment for firm in file.accepted if body is None or firm.certified_by == body]

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            epochs = await kit.pseudonymiser.epochs(kit.agreement, kit.oin)
            with progress_bar("ask", 2 * len(firms) * len(epochs)) as progress:
                report = await ask(kit, firms, keep_in(out), private=private, anew=anew, progress=progress)
            alarm = await check_receipts(kit)
        _tell_match(report)
        data = {
            "asked": report.asked,
            "misses": report.misses,
            "resumed": report.resumed,
            "claimed": report.claimed,
            "digest_bytes": report.digest_bytes,
            "earlier_hits": sorted(subject.value for subject in report.earlier),
            "hits": [
                {"subject": subject.value, "signals": [as_json(signal) for signal in signals]}
                for subject, signals in report.hits.items()
            ],
        }
        finish(data, as_data, EXIT_FAILED if report.deliveries.refused else 0, alarm=alarm)

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        say("broken off; ask again within a day, and it goes on where it was")
        raise


def _tell_match(report: MatchReport) -> None:
    hits = len(report.hits.keys() | report.earlier)
    say(f"asked {report.asked}: {hits} hits, {report.misses} misses")
    if report.claimed is not None:
        say(f"the broker saw {report.claimed} of them; a digest of {report.digest_bytes} bytes was fetched")
    if report.resumed:
        say(f"went on with a run that was broken off: {len(report.earlier)} of the hits were kept then")


async def _passing_on(kit: Kit, out: Path, firms: tuple[CertifiedFirm, ...]) -> Keep:
    bodies = await certification_bodies(kit)
    keep = keep_in(out)

    async def keep_and_pass_on(signals: Sequence[ReceivedSignal]) -> None:
        await keep(signals)
        await pass_on(kit, signals, firms, bodies, today())

    return keep_and_pass_on


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
