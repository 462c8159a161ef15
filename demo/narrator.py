# SPDX-License-Identifier: EUPL-1.2
"""What the demo tells: progress bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Narrator:
    """Speaks on stderr; data never goes there."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task: TaskID | None = None
        self._began = time.monotonic()
        self._what = ""

    def say(self, text: str = "") -> None:
        """A line."""
        self._console.print(text, markup=False)

    def title(self, text: str) -> None:
        """A heading."""
        self.say()
        self._console.print(text, style="bold", markup=False)

    def step(self, what: str, total: int) -> Callable[[int], None]:
        """Begin a step; returns what to call with the number done since."""
        self.end_step()
        self._began, self._what = time.monotonic(), what
        if not self._console.is_terminal:
            return lambda done: None
        self._progress.start()
        task = self._progress.add_task(what, total=total or None)
        self._task = task
        return lambda done: self._progress.advance(task, done)

    def end_step(self) -> None:
        """End the present step with its time."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._progress.stop()
            self._task = None
        if self._what:
            self.say(f"  {self._what}: {time.monotonic() - self._began:.1f} s")
            self._what = ""
