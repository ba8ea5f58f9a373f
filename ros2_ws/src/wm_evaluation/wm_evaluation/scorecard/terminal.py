"""The scorecard's tables on a terminal."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from wm_evaluation.scorecard.tables import Cards, break_even_rows, continue_rows, measure_tables


def terminal_tables(cards: Cards) -> Group:
    """All tables, for a rich console."""
    titles = {
        "picture": "Pictures",
        "reward": "Rewards, and returns over k steps",
        "signals": "Vector inputs",
        "gap": "Gap caused by shuffled actions",
        "uncertainty": "Uncertainty of the reward",
    }
    parts = []
    for group, tables in measure_tables(cards).items():
        if not tables:
            continue
        table = _table(titles[group], "k steps ahead", *map(str, cards.steps))
        for measure in tables:
            for name, cells in measure.rows:
                table.add_row(Text(f"{measure.title}, {name}"), *(cell.value for cell in cells))
        parts.append(table)
    models = list(cards.cards) if len(cards.cards) > 1 else [""]
    for title, rows in (("Break-even horizon", break_even_rows(cards)), ("Continue", continue_rows(cards))):
        table = _table(title, "", *models)
        for name, *cells in rows:
            table.add_row(Text(name), *cells)
        parts.append(table)
    return Group(*parts)


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False, show_header=any(heads))
    table.add_column(Text(heads[0]))
    for head in heads[1:]:
        # Text: brackets in a name are not markup.
        table.add_column(Text(head), justify="right" if head.isdecimal() else "left", no_wrap=head.isdecimal())
    return table
