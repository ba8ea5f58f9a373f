"""Tables on terminals of any width, and bars."""

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

_ANY_WIDTH = 10_000
_SHORTEST_NAME = 12  # least width of a column of names


def plain_table(title: str) -> Table:
    """A table without lines between its cells."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def print_whole(console: Console, table: Table) -> None:
    """Print a table without cutting figures: names are wrapped first, and if the terminal is too narrow for the
    ``no_wrap`` columns, lines run over."""
    names = [column for column in table.columns if column.overflow == "fold"]
    for column in names:
        column.max_width = column.min_width or _SHORTEST_NAME
    needed = Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table).minimum
    for column in names:
        column.max_width = None
    width = console.width
    try:
        console.width = max(width, needed)
        console.print(table, crop=False)
    finally:
        console.width = width


def counting_progress(title: str, console: Console) -> Progress:
    """A progress bar with a count, followed by the field ``note``; silent if ``console`` is not a terminal."""
    return Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


class PassingBar:
    """A bar that disappears at the end, and lines above it that stay. A context manager."""

    def __init__(self, console: Console, *columns: ProgressColumn | str):
        self.console = console
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_exception) -> None:
        self.bar.stop()

    def say(self, line: str) -> None:
        """A line of plain text above the bar."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)
