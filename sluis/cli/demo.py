# SPDX-License-Identifier: EUPL-1.2
"""`sluis demo`: a day of exchanges between invented parties, over real processes."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from sluis.cli.extras import needs_extra
from sluis.events import configure_logs


def demo(
    once: Annotated[bool, typer.Option("--once", help="Play the day, check everything, and end.")] = False,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where to put everything; kept.")] = None,
    certified: Annotated[Path | None, typer.Option("--certified", help="Your own certified.csv.")] = None,
    fines: Annotated[Path | None, typer.Option("--fines", help="Your own fines.csv.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the figures as JSON.")] = None,
) -> None:
    """Start everything on loopback with throw-away keys and play the flagship exchange."""
    with needs_extra("demo"):
        from demo.run import DemoOptions, run
    configure_logs("demo", level=logging.WARNING)  # what went well, the demo tells itself
    options = DemoOptions(once=once, folder=folder, certified=certified, fines=fines, report=report)
    sys.exit(run(options))
