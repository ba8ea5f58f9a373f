"""Tables on terminals of any width, and a bar that counts."""

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_ANY_WIDTH = 10_000
_SHORTEST_NAME = 12  # what a column of names keeps for each of its lines


def print_whole(console: Console, table: Table) -> None:
    """Print a table of which no figure is cut: names are folded first, and where the terminal is too narrow for
    the columns that are not (``no_wrap``), its lines run over."""
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
    """A bar that counts things, followed by the field ``note``; silent where ``console`` is no terminal."""
    return Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )
