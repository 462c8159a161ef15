# SPDX-License-Identifier: EUPL-1.2
"""How the command line speaks: JSON on stdout, sentences and progress on stderr."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sluis.errors import CODES, SluisError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DENIED = 3
EXIT_VERIFICATION = 4

people = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Tell a person something."""
    people.print(text, markup=False)


def say_error(error: SluisError) -> None:
    """Tell a person what went wrong, where, with the stable code."""
    where = f" ({error.where})" if error.where else ""
    say(f"sluis: {error.message}{where} [{error.code}]")
    if error.message != CODES[error.code].english:
        say(f"       {CODES[error.code].english}")


def print_json(value: object) -> None:
    """Write data to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number done since; a bar on a terminal, nothing elsewhere."""
    if not people.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=people, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)
