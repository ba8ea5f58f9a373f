"""The console of a command, and the bar that shows how far it is."""

import sys

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_WIDTH = 140


def make_console() -> Console:
    """As wide as the terminal, wide enough for a log file."""
    return Console(width=None if sys.stdout.isatty() else LOG_WIDTH)


def say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


class ProgressBar:
    """Shows how many frames of something are done, where the console is a terminal. Use it as a context manager."""

    def __init__(self, console: Console | None = None):
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=console is None or not console.is_terminal,
        )
        self._task = None

    def __enter__(self) -> "ProgressBar":
        self._bar.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._bar.stop()

    def begin(self, what: str, frames: int | None = None) -> None:
        """Something begins, of so many frames, if that is known."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(escape(what), total=frames, note="")

    def expect(self, frames: float | None, note: str = "") -> None:
        """There are so many frames in all, as far as is known."""
        self._bar.update(self._task, total=frames, note=note)

    def advance(self, frames: int) -> None:
        """So many more are done."""
        self._bar.advance(self._task, frames)
