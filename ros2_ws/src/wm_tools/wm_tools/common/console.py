"""The console of a command, and its progress bar."""

import sys

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from wm_evaluation.terminal import PassingBar

LOG_WIDTH = 140


def make_console() -> Console:
    """As wide as the terminal, or wide enough for a log file."""
    return Console(width=None if sys.stdout.isatty() else LOG_WIDTH)


def say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


class ProgressBar(PassingBar):
    """Shows how many frames are done, if the console is a terminal. Use it as a context manager."""

    def __init__(self, console: Console | None = None):
        super().__init__(
            console or Console(quiet=True),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._task = None

    def begin(self, what: str, frames: int | None = None) -> None:
        """Begin a new task of this many frames, if known."""
        if self._task is not None:
            self.bar.remove_task(self._task)
        self._task = self.bar.add_task(escape(what), total=frames, note="")

    def expect(self, frames: float | None, note: str = "") -> None:
        """Set the total number of frames, if known."""
        self.bar.update(self._task, total=frames, note=note)

    def advance(self, frames: int) -> None:
        """This many more are done."""
        self.bar.advance(self._task, frames)
