# SPDX-License-Identifier: EUPL-1.2
"""`sluis broker expire|hold|lift|holds`: destruction and legal holds at the broker's host."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluis.cli.operator import open_broker
from sluis.cli.output import print_json, say
from sluis.errors import InvalidInput, NotFound
from sluis.hold import HoldStatement, SubjectOpening

if TYPE_CHECKING:
    from broker.settings import BrokerSettings
    from broker.storage.port import Store
    from broker.storage.retention_port import LegalHold

app = typer.Typer()

Config = Annotated[
    Path | None, typer.Option("--config", help="The broker's TOML file; the environment wins over it.")
]
Statements = Annotated[list[Path], typer.Argument(help="The signed statements of two officers.")]


@app.command()
def expire(
    now: Annotated[
        bool, typer.Option("--now", help="Destroy what has ended; without it only say what is overdue.")
    ] = False,
    clock_is: Annotated[
        str,
        typer.Option(
            "--clock-is", help="Today's date in UTC, YYYY-MM-DD: believe the clock again; it is logged."
        ),
    ] = "",
    config: Config = None,
) -> None:
    """Destroy what has come to its end, at once; the broker does the same every minute."""
    store, _, settings = open_broker(config)
    from broker.retention.keeper import confirm_clock
    from sluis.rpc.server import utc_now

    try:
        if clock_is:
            confirm_clock(store, utc_now, _day(clock_is))
            say("the clock is believed again")
        if now:
            print_json(_sweep(store, settings))
        else:
            print_json(_overdue(store))
    finally:
        store.close()


def _sweep(store: "Store", settings: "BrokerSettings") -> dict[str, int]:
    from broker.facts import FactProver
    from broker.keys import BrokerKeys
    from broker.policy.active import stored_bundle
    from broker.retention.asking import Asker
    from broker.retention.clock import TrustedClock
    from broker.retention.keeper import Alone, Keeper
    from broker.signer import ReceiptSigner
    from sluis.rpc.server import utc_now

    bundle = stored_bundle(store, store.activations()[-1].digest)
    keys = BrokerKeys.load(settings.keys, settings.origin)
    keeper = Keeper(
        store=store,
        carrier=Alone(store=store, clock=utc_now),
        clock=utc_now,
        trusted=TrustedClock(store, settings.witness_vkeys()),
        prover=lambda: FactProver(bundle),
        asker=Asker(signer=ReceiptSigner(keys.receipt, settings.origin), bundle=lambda: bundle),
        zone=bundle.zone,
    )
    swept = asyncio.run(keeper.sweep())
    say(f"destroyed {swept.signals} signals, {swept.links} links, {swept.registers} registers")
    if swept.held:
        say(f"{swept.held} stay under a legal hold")
    return {
        "signals": swept.signals,
        "links": swept.links,
        "registers": swept.registers,
        "ends_moved": swept.moved,
        "held": swept.held,
    }


def _overdue(store: "Store") -> dict[str, object]:
    from broker.retention.overdue import overdue
    from sluis.rpc.server import utc_now

    found = overdue(store, "", utc_now())
    say(f"{len(found)} signals ended and were not destroyed" if found else "nothing is overdue")
    return {"overdue": [item.exchange for item in found]}


@app.command()
def scrub(config: Config = None) -> None:
    """Write the tables anew without what was destroyed. PostgreSQL locks them meanwhile: pick a quiet hour."""
    store, _, _ = open_broker(config)
    try:
        store.retention.rewrite()
    finally:
        store.close()
    say("nothing that was destroyed before stands in the tables' files any more")


@app.command()
def hold(
    statements: Statements,
    opening: Annotated[
        Path | None, typer.Option("--opening", help="Of a hold on a subject: the file with its pseudonyms.")
    ] = None,
    config: Config = None,
) -> None:
    """Keep from destruction what two officers signed for."""
    signed = [HoldStatement.parse(_read(path)) for path in statements]
    secret = SubjectOpening.parse(_read(opening)) if opening else None
    store, _, _ = open_broker(config)
    from broker.retention.holds import Holds
    from sluis.rpc.server import utc_now

    try:
        row = Holds(store, utc_now).set(signed, secret)
    finally:
        store.close()
    say(f"kept from log index {row.set_index} on")
    print_json(_told(row))


@app.command("lift-hold")
def lift_hold(statements: Statements, config: Config = None) -> None:
    """End a hold, by the statements of two officers; what ended meanwhile is destroyed at the next sweep."""
    signed = [HoldStatement.parse(_read(path)) for path in statements]
    store, _, _ = open_broker(config)
    from broker.retention.holds import Holds
    from sluis.rpc.server import utc_now

    try:
        row = Holds(store, utc_now).lift(signed)
    finally:
        store.close()
    say(f"lifted the hold {row.hold_id}")
    print_json(_told(row))


@app.command()
def holds(config: Config = None) -> None:
    """List the holds in force."""
    store, _, _ = open_broker(config)
    try:
        print_json([_told(row) for row in store.retention.holds()])
    finally:
        store.close()


def _told(row: "LegalHold") -> dict[str, Any]:
    return {
        "hold": row.hold_id,
        "scope": row.scope,
        "target": row.target,
        "reason": row.reason,
        "organisation": row.organisation,
        "set_index": row.set_index,
    }


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise InvalidInput("date-format", where="--clock-is") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise NotFound("file-not-found", where=str(path)) from None
