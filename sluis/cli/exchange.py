# SPDX-License-Identifier: EUPL-1.2
"""`sluis register`, `push`, `receive`, `match`: what a participant does, with its `sluis.toml`."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from adapters.certification_body import ask
from adapters.certified_register import CertifiedFirm, read_certified
from adapters.fines import read_fines
from adapters.foundation import certification_bodies, load_registers, pass_on
from adapters.json_lines import as_json, keep_in
from adapters.labour_inspectorate import push_fines
from sluis.cli.audit_receipts import check_receipts
from sluis.cli.output import EXIT_DENIED, EXIT_FAILED, progress_bar, say
from sluis.cli.persons import about_persons, match_persons, push_persons
from sluis.cli.reports import (
    ASK_FIRST_FROM,
    MOST_SHOWN,
    TOML,
    Config,
    Json,
    Out,
    file_report,
    finish,
    tell_problems,
    tell_push,
    today,
)
from sluis.client import Kit, KitSettings
from sluis.client.matcher import MatchReport
from sluis.client.receiver import Keep, ReceivedSignal
from sluis.errors import NotPermitted
from sluis.identifiers import Oin

PersonKind = Annotated[
    str | None, typer.Option("--kind", help="A kind about persons without a number, such as WAV-PERSOON.")
]
PersonPurpose = Annotated[
    str | None, typer.Option("--purpose", help="With --kind: what the data are for, such as WAV-TOEZICHT.")
]


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
    rows: Annotated[Path, typer.Argument(help="fines.csv; with --kind: persons.csv.")],
    to: Annotated[
        str, typer.Option("--to", help="The recipient's OIN (for fines, the designated foundation).")
    ],
    config: Config = TOML,
    kind: PersonKind = None,
    purpose: PersonPurpose = None,
    ask_first: Annotated[
        bool | None,
        typer.Option(
            "--ask-first/--offer-all",
            help="Ask the broker beforehand, and leave out what it would refuse; by itself from 20 rows on.",
        ),
    ] = None,
    as_data: Json = False,
) -> None:
    """Push fines as sealed signals (for the Labour Inspectorate). A wrong row is told; the others go on.

    With --kind and --purpose the rows are persons without a number: each lies ready until the recipient asks about it.
    """
    if about := about_persons(kind, purpose):
        push_persons(rows, to, config, about, ask_first=ask_first, as_data=as_data)
        return
    file = read_fines(rows, today=today())
    tell_problems(rows, file)
    asking = len(file.accepted) >= ASK_FIRST_FROM if ask_first is None else ask_first

    async def run() -> None:
        async with Kit.open(KitSettings.load(config)) as kit:
            with progress_bar("push", len(file.accepted)) as progress:
                report = await push_fines(kit, file, Oin.parse(to), ask_first=asking, progress=progress)
            alarm = await check_receipts(kit)
        finish(tell_push(report), as_data, EXIT_FAILED if report.errors else 0, alarm=alarm)

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
    clients: Annotated[Path, typer.Argument(help="Your clients: a certified.csv; with --kind: persons.csv.")],
    out: Out,
    config: Config = TOML,
    kind: PersonKind = None,
    purpose: PersonPurpose = None,
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
    With --kind and --purpose: ask about persons without a number, a few at a time (for public bodies).
    """
    if about := about_persons(kind, purpose):
        if private:
            raise NotPermitted("persons-not-in-bulk", where="--private")
        if body is not None:
            raise typer.BadParameter("--body is for firms")
        match_persons(clients, out, config, about, anew=anew, as_data=as_data)
        return
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
        code = EXIT_FAILED if report.deliveries.refused else 0
        finish(_match_data(report), as_data, code, alarm=alarm)

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


def _match_data(report: MatchReport) -> dict[str, object]:
    return {
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


async def _passing_on(kit: Kit, out: Path, firms: tuple[CertifiedFirm, ...]) -> Keep:
    bodies = await certification_bodies(kit)
    keep = keep_in(out)

    async def keep_and_pass_on(signals: Sequence[ReceivedSignal]) -> None:
        await keep(signals)
        await pass_on(kit, signals, firms, bodies, today())

    return keep_and_pass_on
