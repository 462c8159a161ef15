# SPDX-License-Identifier: EUPL-1.2
"""`sluis broker epoch ...`: begin, close and end epochs of pseudonyms. Each act is logged."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.operator import Config, Reason, open_broker
from sluis.cli.output import print_json, say
from sluis.errors import InvalidInput

if TYPE_CHECKING:
    from broker.epochs import EpochOffice
    from broker.storage.port import Store

app = typer.Typer(help="Epochs of pseudonyms: announce, close, retire.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The epoch, such as 2027 or 2026-2.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
StopQuestions = Annotated[
    bool,
    typer.Option(
        "--stop-questions", help="Nobody asks in it any more either: when both seeds are suspected."
    ),
]


@app.command("list")
def list_epochs(config: Config = None, as_data: Json = False) -> None:
    """List the epochs in their order, with the state of each."""
    with _office(config) as (office, store):
        calendar, now_ms = office.calendar(), office.now_ms()
        gone = {(row.epoch, row.evaluator) for row in store.epochs.destructions()}
    rows = [
        {
            "epoch": epoch.name,
            "begins": _text(epoch.begins_at_ms),
            "state": calendar.state(epoch, now_ms).value,
            "questions": "stopped" if epoch.questions_stopped else "asked",
            "announced": epoch.announced_index,
            "retired": epoch.retired_index,
            "destroyed_by": sorted(oin for name, oin in gone if name == epoch.name),
        }
        for epoch in calendar.epochs
    ]
    for row in rows:
        say(f"{row['epoch']:16} {row['state']:12} from {row['begins']}")
    if as_data:
        print_json(rows)


@app.command()
def announce(
    name: Name,
    begins: Annotated[
        str, typer.Option("--begins", help="When, such as 2027-01-01T00:00:00+01:00; empty: now.")
    ] = "",
    reason: Reason = "scheduled",
    config: Config = None,
    as_data: Json = False,
) -> None:
    """Announce an epoch, after both evaluators have published its keys."""
    with _office(config) as (office, _):
        row = office.announce(name, moment(begins, "--begins") if begins else None, _said(reason))
    say(f"epoch {name} begins at {_text(row.begins_at_ms)}")
    if as_data:
        print_json({"epoch": name, "begins": _text(row.begins_at_ms), "announced": row.announced_index})


@app.command()
def compromise(
    name: Name,
    reason: Reason,
    stop_questions: StopQuestions = False,
    config: Config = None,
    as_data: Json = False,
) -> None:
    """Take no new signals in an epoch, because a seed is suspected. There is no way back."""
    with _office(config) as (office, _):
        office.compromise(name, _said(reason), stop_questions=stop_questions)
    say(f"epoch {name} takes no new signals" + (" and no questions" if stop_questions else ""))
    if as_data:
        print_json({"epoch": name, "questions": "stopped" if stop_questions else "asked"})


@app.command()
def rotate(
    name: Name,
    compromised: Annotated[str, typer.Option("--compromised", help="The epoch whose seed is suspected.")],
    reason: Reason,
    stop_questions: StopQuestions = False,
    config: Config = None,
    as_data: Json = False,
) -> None:
    """Close a compromised epoch and begin another at once, after both evaluators have published its keys."""
    with _office(config) as (office, _):
        row = office.rotate(name, compromised, _said(reason), stop_questions=stop_questions)
    say(f"epoch {compromised} takes no new signals; {name} has begun: registers are to be loaded now")
    if as_data:
        print_json({"epoch": name, "begins": _text(row.begins_at_ms), "compromised": compromised})


@app.command()
def retire(name: Name, config: Config = None, as_data: Json = False) -> None:
    """Log that nothing of an epoch is left; a running broker does this by itself, once an hour."""
    with _office(config) as (office, _):
        logged = office.retire(name)
    say(f"epoch {name} is retired: both evaluators may destroy its seed")
    if as_data:
        print_json({"epoch": name, "retired": logged.index})


@contextmanager
def _office(config: Path | None) -> "Iterator[tuple[EpochOffice, Store]]":
    store, _, _ = open_broker(config)
    from broker.epochs import EpochOffice
    from sluis.rpc.server import utc_now

    try:
        yield EpochOffice(store, utc_now), store
    finally:
        store.close()


def _said(reason: str) -> str:
    if not reason.strip():
        raise InvalidInput("malformed-request", "a reason is due", where="--reason")
    return reason


def moment(text: str, where: str) -> datetime:
    """Read a moment with its offset. Raises InvalidInput `date-format`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput(
            "date-format", "a moment with its offset is due, as 2027-01-01T00:00:00+01:00", where=where
        )
    return at


def _text(time_ms: int) -> str:
    from broker.step import rfc3339

    return rfc3339(time_ms)
