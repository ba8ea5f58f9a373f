"""The driving score and what stands beside it, as `drive` and `benchmark` show them in the terminal and on pages."""

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table as TerminalTable
from wm_evaluation.report import Chart, Head, Section, Table
from wm_evaluation.report.charts import ScoreRow, scores
from wm_evaluation.terminal import plain_table

from wm_tools.common.figure import Figure
from wm_tools.drive.driving_figures import known_figures

COLUMNS = 5  # figures side by side on a page
Means = Mapping[str, Mapping[str, dict]]  # of each driver, by its name: means by figure, from ``Figure.mean_of``


def driving_table(groups: Means) -> TerminalTable | None:
    """A line for each figure that any driver has; None without any."""
    figures = known_figures(list(groups.values()))
    if not figures:
        return None
    table = plain_table("Driving: mean (95 %)")
    table.add_column("", no_wrap=True)
    for name in groups:
        table.add_column(escape(name), justify="right", no_wrap=True)
    for one in figures:
        table.add_row(escape(one.head), *(one.spell_mean(means[one.name]) for means in groups.values()))
    return table


def driving_section(groups: Means, driven: Mapping[str, Sequence[float | None]]) -> Section | None:
    """The same on a page, with a chart where there are driving scores: those of each driver's drives are ``driven``."""
    figures = known_figures(list(groups.values()))
    if not figures:
        return None
    tables = [_table(groups, figures[k : k + COLUMNS]) for k in range(0, len(figures), COLUMNS)]
    bars = [
        ScoreRow(name, known, *(groups[name]["driving_score"][key] for key in ("mean", "low", "high")))
        for name, found in driven.items()
        if (known := [score for score in found if score is not None])
    ]
    caption = "Each dot is a drive; the line is the 95 % interval of the mean."
    charts = [Chart(scores(bars, "driving score"), caption, "driving_score")] if bars else []
    return Section(
        "Driving score" if charts else "Driving",
        [*charts, *tables],
        "Means over drives with 95 % intervals (bootstrap); what this world cannot tell is left out.",
    )


def _table(groups: Means, figures: Sequence[Figure]) -> Table:
    rows = [[name, *(one.spell_mean(means[one.name]) for one in figures)] for name, means in groups.items()]
    return Table(["", *(Head(one.head, one.metric) for one in figures)], rows)
