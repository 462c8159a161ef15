# SPDX-License-Identifier: EUPL-1.2
"""`sluis policy odrl`: an agreement as an ODRL 2.2 policy, for partners in data spaces."""

from pathlib import Path
from typing import Annotated

import typer

from sluis.cli.output import print_json
from sluis.policy.bundle import default_directory, load_bundle
from sluis.policy.odrl import odrl_policy, odrl_profile

app = typer.Typer(help="Rules for partners in data spaces.", no_args_is_help=True)


@app.callback()
def _odrl() -> None:
    """Rules for partners in data spaces."""


@app.command()
def odrl(
    agreement: Annotated[str, typer.Argument(help="The id of an agreement, or `profile` for its terms.")],
    directory: Annotated[Path | None, typer.Argument(help="The rules; without it those installed.")] = None,
) -> None:
    """Print an agreement as an ODRL 2.2 policy in JSON-LD."""
    if agreement == "profile":
        print_json(odrl_profile())
        return
    print_json(odrl_policy(load_bundle(directory or default_directory()), agreement))
