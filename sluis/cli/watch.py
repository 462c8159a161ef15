# SPDX-License-Identifier: EUPL-1.2
"""`sluis watch`: leave your client base as a watch list, so that you hear of a signal when it arrives."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from adapters.certification_body import ask, watch_clients
from adapters.certified_register import CertifiedFirm, read_certified
from adapters.json_lines import as_json, keep_in
from sluis.cli.audit_receipts import check_receipts
from sluis.cli.output import EXIT_DENIED, EXIT_FAILED, progress_bar, say
from sluis.cli.reports import TOML, Config, Json, file_report, finish, tell_problems, today
from sluis.client import Kit, KitSettings
from sluis.client.registrar import LoadOutcome, WatchList

RENEW_WITHIN_DAYS = 14


def watch(
    clients: Annotated[Path | None, typer.Argument(help="Your clients: a certified.csv.")] = None,
    config: Config = TOML,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to keep what lies there already; one JSON object a line."),
    ] = None,
    body: Annotated[
        str | None, typer.Option("--body", help="Only firms with this certificerende_instelling.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=0, help="For how many days after today.")] = 90,
    stop: Annotated[bool, typer.Option("--stop", help="Take your list back.")] = False,
    as_data: Json = False,
) -> None:
    """Leave your clients as a watch list in place of the one before; without a file: tell what you have left.

    A signal about one of them comes to your mailbox (`sluis receive`). What lies there already is asked for at once.
    """
    if clients is not None and (out is None or stop):
        raise typer.BadParameter("a list of clients goes with --out, and not with --stop")
    asyncio.run(_watch(clients, config, out, body, days, stop, as_data))


async def _watch(
    clients: Path | None,
    config: Path,
    out: Path | None,
    body: str | None,
    days: int,
    stop: bool,
    as_data: bool,
) -> None:
    async with Kit.open(KitSettings.load(config)) as kit:
        if clients is not None and out is not None:
            await _leave(kit, clients, out, body, days, as_data)
            return
        if stop:
            await watch_clients(kit, [], today=today(), days=0)
            say("your list was taken back; the broker has erased it")
        lists = await kit.registrar.watch_lists()
        epochs = await kit.pseudonymiser.epochs(kit.agreement, kit.oin, to_load=True)
        lacking = unwatched([each for each in lists if each.agreement == kit.agreement], epochs)
    _tell(lists)
    for epoch in lacking:
        say(f"epoch {epoch}: your list is not there, so you hear of no signal in it; leave it again")
    report = {"lists": [_list_report(each) for each in lists], "epochs_without_list": lacking}
    finish(report, as_data, 0)


def unwatched(lists: Sequence[WatchList], epochs: Sequence[str]) -> list[str]:
    """The epochs that began, or will, after a list was left: it is not in them. None when there is no list at all."""
    watched = {each.epoch for each in lists}
    return [epoch for epoch in epochs if epoch not in watched] if watched else []


async def _leave(kit: Kit, clients: Path, out: Path, body: str | None, days: int, as_data: bool) -> None:
    file = read_certified(clients, today=today())
    tell_problems(clients, file)
    firms = [firm for firm in file.accepted if body is None or firm.certified_by == body]
    outcomes = await _left(kit, firms, days)
    report: dict[str, object] = {
        **file_report(file),
        "lists": [
            {"epoch": each.epoch, "entries": each.entries, "permitted": each.permitted, "reason": each.reason}
            for each in outcomes
        ],
    }
    denied = [each for each in outcomes if not each.permitted]
    for each in denied:
        say(f"epoch {each.epoch}: denied: {each.reason}")
    if denied:
        finish(report, as_data, EXIT_DENIED)
    # Only after the list is there: a signal that comes in between is told by it.
    with progress_bar("ask", len(firms)) as progress:
        answer = await ask(kit, [firm.establishment for firm in firms], keep_in(out), progress=progress)
    alarm = await check_receipts(kit)
    say(f"watched: {len(firms)} clients, for {days} days after today; {len(answer.hits)} have a signal now")
    report["hits"] = [
        {"subject": subject.value, "signals": [as_json(signal) for signal in signals]}
        for subject, signals in answer.hits.items()
    ]
    finish(report, as_data, EXIT_FAILED if answer.deliveries.refused else 0, alarm=alarm)


async def _left(kit: Kit, firms: list[CertifiedFirm], days: int) -> list[LoadOutcome]:
    with progress_bar("pseudonymise", len(firms)) as progress:
        return await watch_clients(
            kit, [firm.establishment for firm in firms], today=today(), days=days, progress=progress
        )


def _tell(lists: list[WatchList]) -> None:
    if not lists:
        say("you have no watch list at the broker")
    for each in lists:
        left = (each.valid_until - today()).days
        ends = f"{left} days left" if left >= 0 else "ended"
        again = "; leave it again to go on" if left < RENEW_WITHIN_DAYS else ""
        say(f"{each.name} ({each.epoch}): {each.entries} clients until {each.valid_until}, {ends}{again}")


def _list_report(each: WatchList) -> dict[str, object]:
    return {
        "agreement": each.agreement,
        "name": each.name,
        "epoch": each.epoch,
        "entries": each.entries,
        "valid_until": each.valid_until.isoformat(),
    }
