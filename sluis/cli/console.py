# SPDX-License-Identifier: EUPL-1.2
"""`sluis console link`: let an officer sign in to the console once, where there is no identity provider."""

import sys
from typing import Annotated

import typer

from sluis.cli.operator import Config, open_broker
from sluis.cli.output import say
from sluis.identifiers import Oin

app = typer.Typer(help="The privacy officers' console.", no_args_is_help=True)


@app.callback()
def console() -> None:
    """The privacy officers' console."""


@app.command()
def link(
    reference: Annotated[str, typer.Argument(help="A reference such as fg-1; never a name.")],
    organisation: Annotated[str, typer.Option("--organisation", help="The officer's organisation, by OIN.")],
    role: Annotated[str, typer.Option("--role", help="officer, authority or operator.")] = "officer",
    config: Config = None,
) -> None:
    """Print an address that signs an officer in, once and within ten minutes. It is logged that it was made."""
    store, _, settings = open_broker(config)
    from broker.console.people import SIGN_IN, Officer, People, Role
    from sluis.rpc.server import utc_now

    try:
        officer = Officer(reference=reference, organisation=Oin.parse(organisation), role=Role.parse(role))
        token = People(store, utc_now).create_link(officer)
    finally:
        store.close()
    say(f"for {officer.reference}, {officer.role.value}; works once, within ten minutes")
    sys.stdout.write(f"{settings.console_address}{SIGN_IN}?link={token}\n")
