"""Tables on terminals of any width."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_ANY_WIDTH = 10_000


def print_whole(console: Console, table: Table) -> None:
    """Print a table of which no figure is cut: names are folded first, and where the terminal is too narrow for
    the columns that are not (``no_wrap``), its lines run over."""
    needed = Measurement.get(console, console.options.update(max_width=_ANY_WIDTH), table).minimum
    width = console.width
    try:
        console.width = max(width, needed)
        console.print(table, crop=False)
    finally:
        console.width = width
