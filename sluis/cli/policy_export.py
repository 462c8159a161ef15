# SPDX-License-Identifier: EUPL-1.2
"""`sluis policy export`: the rules in a language that other tools read."""

from pathlib import Path
from typing import Annotated

import typer

from sluis.cli.output import print_json, say
from sluis.policy.bundle import default_directory, load_bundle
from sluis.policy.cedar import cedar_policies, cedar_schema
from sluis.policy.rules import Status

app = typer.Typer(no_args_is_help=True)
export = typer.Typer(help="Write the rules in another language.", no_args_is_help=True)
app.add_typer(export, name="export")


@export.callback()
def _export() -> None:
    """Write the rules in another language."""


@export.command()
def cedar(
    directory: Annotated[
        Path | None,
        typer.Argument(help="A directory with catalog/ and agreements/; else the installed rules."),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema/--policies", help="The schema with all words, or the policies.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Both, with the digest of the rules, as JSON.")
    ] = False,
) -> None:
    """Write the rules as Cedar policies, one for each rule under its own id; drafts are left out."""
    bundle = load_bundle(directory or default_directory())
    words, policies = cedar_schema(bundle), cedar_policies(bundle)
    drafts = sum(rule.status is Status.DRAFT for rule in bundle.rules.values())
    say(f"{len(bundle.rules) - drafts} rules, {drafts} drafts left out, bundle {bundle.digest}")
    if as_json:
        print_json({"digest": bundle.digest, "schema": words, "policies": policies})
    else:
        typer.echo(words if schema else policies, nl=False)
