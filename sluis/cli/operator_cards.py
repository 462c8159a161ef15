# SPDX-License-Identifier: EUPL-1.2
"""`sluis broker revoke-card`: what a stolen key signed is not to be believed."""

from typing import Annotated

import typer

from sluis.cli.operator import Config, Reason, open_broker
from sluis.cli.operator_epochs import moment
from sluis.cli.output import print_json, say
from sluis.errors import InvalidInput

app = typer.Typer()


@app.command("revoke-card")
def revoke_card(
    oin: Annotated[str, typer.Argument(help="The participant's OIN.")],
    reason: Reason,
    card: Annotated[str, typer.Option("--card", help="SHA-256 of the card; empty: the present one.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="From when it is not to be believed; empty: from now on.")
    ] = "",
    config: Config = None,
    as_data: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Revoke a participant's card, because its keys were stolen; new keys are due. (A renewal needs no such act.)"""
    if not reason.strip():
        raise InvalidInput("malformed-request", "a reason is due", where="--reason")
    store, _, _ = open_broker(config)
    from broker.cards import CardOffice
    from sluis.rpc.server import utc_now

    try:
        at = moment(since, "--since") if since else None
        logged = CardOffice(store, utc_now).revoke(oin, card, at, reason)
    finally:
        store.close()
    say(f"revoked a card of {oin}")
    if as_data:
        print_json({"party": oin, "log_index": logged.index})
