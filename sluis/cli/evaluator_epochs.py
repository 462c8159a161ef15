# SPDX-License-Identifier: EUPL-1.2
"""`sluis evaluator epochs` and `destroy`: what the log says of epochs, and the end of a seed."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis.cli.extras import needs_extra
from sluis.cli.output import print_json, say
from sluis.errors import InvalidInput
from sluis.events import configure_logs

if TYPE_CHECKING:
    from evaluator.settings import EvaluatorSettings

app = typer.Typer()

Config = Annotated[Path | None, typer.Option("--config", help="TOML file; the environment wins over it.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def epochs(config: Config = None, as_data: Json = False) -> None:
    """List the epochs as the proven log has them, and of which this evaluator has a seed."""
    settings = _settings(config)
    from evaluator.ending import calendar
    from evaluator.shares import EvaluatorShares
    from sluis.rpc.server import utc_now

    found = asyncio.run(calendar(settings))
    seeds = EvaluatorShares.load(settings.seeds).epochs
    now_ms = int(utc_now().timestamp() * 1000)
    rows = [
        {
            "epoch": epoch.name,
            "state": found.state(epoch, now_ms).value,
            "seed": epoch.name in seeds,
            "retired": epoch.retired_index,
        }
        for epoch in found.epochs
    ]
    names = {epoch.name for epoch in found.epochs}
    rows += [
        {"epoch": name, "state": "not announced", "seed": True, "retired": None}
        for name in seeds
        if name not in names
    ]
    for row in rows:
        say(f"{row['epoch']:16} {row['state']:14} {'seed' if row['seed'] else 'no seed'}")
    if as_data:
        print_json(rows)


@app.command()
def destroy(
    epoch: Annotated[str, typer.Argument(help="The epoch whose seed is to go, for good.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    as_data: Json = False,
) -> None:
    """Destroy the seed of a retired epoch, and state so in the log. Its pseudonyms can never be made again."""
    settings = _settings(config)
    from evaluator.ending import destroy as destroy_seed

    if not yes and not typer.confirm(f"Destroy the seed of epoch {epoch} for good?", err=True):
        raise InvalidInput("malformed-request", "nothing was destroyed")
    configure_logs("evaluator")
    index = asyncio.run(destroy_seed(settings, epoch))
    say(f"destroyed the seed of epoch {epoch}; entry {index} says so. Destroy its backups too.")
    if as_data:
        print_json({"epoch": epoch, "log_index": index})


def _settings(config: Path | None) -> "EvaluatorSettings":
    with needs_extra("evaluator"):
        from evaluator.settings import EvaluatorSettings
    return EvaluatorSettings.load(config)
