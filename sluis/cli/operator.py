# SPDX-License-Identifier: EUPL-1.2
"""`sluis broker ...`: run the broker, and the acts of its operator, each of which is logged."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.certificates import read_certificates
from sluis.cli.extras import needs_extra
from sluis.cli.output import print_json, say
from sluis.errors import InvalidInput, NotFound
from sluis.signing import VerifyKey

if TYPE_CHECKING:
    from broker.administration import Operator
    from broker.settings import BrokerSettings
    from broker.storage.port import Store

app = typer.Typer(help="The broker, and its operator's acts.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option("--config", help="TOML file; the environment wins over it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the log.")]


@app.command()
def serve(config: Config = None) -> None:
    """Run the broker until SIGTERM (settings: SLUIS_BROKER_*)."""
    with needs_extra("broker"):
        from broker.settings import BrokerSettings
        from broker.wire.serve import serve as serve_broker
    serve_broker(BrokerSettings.load(config))


@app.command()
def admit(
    card: Annotated[Path, typer.Argument(help="The participant's card, from `sluis keys card`.")],
    role: Annotated[str, typer.Option("--role", help="Its role in the rules' catalogue.")],
    config: Config = None,
) -> None:
    """Register a participant, or renew its card, after checking it against the trusted roots."""
    store, operator, settings = open_broker(config)
    roots = read_certificates(_read(settings.keys / "ca.crt"))
    try:
        row = operator.admit(_read(card), role, roots)
    finally:
        store.close()
    say(f"admitted {row.name} as {row.role}")
    print_json({"oin": row.oin, "name": row.name, "role": row.role, "status": row.status.value})


@app.command()
def enrol(
    officer: Annotated[str, typer.Argument(help="A reference such as fg-1; never a name.")],
    organisation: Annotated[str, typer.Option("--organisation", help="The officer's participant, by OIN.")],
    function: Annotated[str, typer.Option("--function", help="privacy or legal.")],
    key: Annotated[str, typer.Option("--key", help="The public key that `sluis keys officer` printed.")],
    config: Config = None,
) -> None:
    """Let an officer sign changes of the rules."""
    store, _, _ = open_broker(config)
    from broker.policy.officers import OfficerFunction, Officers
    from sluis.rpc.server import utc_now

    try:
        row = Officers(store, utc_now).enrol(
            officer, organisation, OfficerFunction.parse(function), VerifyKey(_unhex(key))
        )
    finally:
        store.close()
    say(f"enrolled {row.officer} as {row.function} officer")
    print_json({"officer": row.officer, "organisation": row.organisation, "function": row.function})


@app.command()
def retire(
    officer: Annotated[str, typer.Argument(help="The officer's reference.")],
    reason: Reason,
    config: Config = None,
) -> None:
    """End an officer's power to sign."""
    store, _, _ = open_broker(config)
    from broker.policy.officers import Officers
    from sluis.rpc.server import utc_now

    try:
        Officers(store, utc_now).retire(officer, reason)
    finally:
        store.close()
    say(f"retired {officer}")


@app.command()
def stop(
    target: Annotated[str, typer.Argument(help="An OIN, agreement, rule id, or SHA-256 of a certificate.")],
    reason: Reason,
    scope: Annotated[str, typer.Option(help="party, agreement, rule or certificate.")] = "party",
    config: Config = None,
) -> None:
    """Stop a participant, an agreement, a rule or a certificate at once."""
    _switch(config, scope, target, reason, resume=False)


@app.command()
def resume(
    target: Annotated[str, typer.Argument(help="What was stopped.")],
    reason: Reason,
    scope: Annotated[str, typer.Option(help="party, agreement, rule or certificate.")] = "party",
    config: Config = None,
) -> None:
    """Lift a stop."""
    _switch(config, scope, target, reason, resume=True)


@app.command()
def reindex(config: Config = None) -> None:
    """Fill the console's tables anew from the log; exchanges go on meanwhile."""
    store, _, _ = open_broker(config)
    from broker.audit.projection import Projection

    try:
        store.exchange_index.clear()
        projection = Projection(store)
        while projection.advance():
            pass
        entries = store.exchange_index.position()
    finally:
        store.close()
    say(f"followed {entries} entries")
    print_json({"entries": entries})


def _switch(config: Path | None, scope: str, target: str, reason: str, *, resume: bool) -> None:
    if not reason.strip():
        raise InvalidInput("malformed-request", "a reason is due", where="--reason")
    store, operator, _ = open_broker(config)
    from broker.storage.port import PartyStatus

    try:
        if scope == "party":
            operator.set_status(target, PartyStatus.ACTIVE if resume else PartyStatus.STOPPED, reason)
        elif resume:
            operator.resume(scope, target, reason)
        else:
            operator.stop(scope, target, reason)
    finally:
        store.close()
    say(f"{'resumed' if resume else 'stopped'} {scope} {target}")


def open_broker(config: Path | None) -> "tuple[Store, Operator, BrokerSettings]":
    """Open the broker's database for an act of its operator; close the store afterwards."""
    with needs_extra("broker"):
        from broker.administration import Operator
        from broker.policy.active import stored_bundle
        from broker.settings import BrokerSettings
        from broker.storage.open import open_store
    from sluis.policy.bundle import default_directory, load_bundle
    from sluis.rpc.server import utc_now

    settings = BrokerSettings.load(config)
    store = open_store(settings.database)
    activations = store.activations()
    if activations:
        bundle = stored_bundle(store, activations[-1].digest)
    else:
        bundle = load_bundle(settings.policies or default_directory())
    return store, Operator(store, bundle, utc_now), settings


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidInput("malformed-request", "a public key is hexadecimal", where="--key") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise NotFound("file-not-found", where=str(path)) from None
