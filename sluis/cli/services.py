# SPDX-License-Identifier: EUPL-1.2
"""`sluis evaluator serve`, `sluis witness serve`."""

from pathlib import Path
from typing import Annotated

import typer

from sluis.cli.extras import needs_extra

evaluator = typer.Typer(help="A pseudonym evaluator.", no_args_is_help=True)
witness = typer.Typer(help="A witness that cosigns checkpoints.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option("--config", help="TOML file; the environment wins over it.")]


@evaluator.callback()
def _evaluator() -> None:
    """A pseudonym evaluator."""


@witness.callback()
def _witness() -> None:
    """A witness that cosigns checkpoints."""


@evaluator.command("serve")
def serve_evaluator(config: Config = None) -> None:
    """Run an evaluator until SIGTERM (settings: SLUIS_EVALUATOR_*)."""
    with needs_extra("evaluator"):
        from evaluator.serve import serve
        from evaluator.settings import EvaluatorSettings
    serve(EvaluatorSettings.load(config))


@witness.command("serve")
def serve_witness(config: Config = None) -> None:
    """Run a witness until SIGTERM (settings: SLUIS_WITNESS_*)."""
    with needs_extra("witness"):
        from witness.serve import run
        from witness.settings import load_settings
    run(load_settings(config))
