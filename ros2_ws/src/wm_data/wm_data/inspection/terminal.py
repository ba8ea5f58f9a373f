"""The tables that `inspect` prints."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from wm_data.inspection import facts
from wm_data.inspection.survey import Survey

PROBLEMS_SHOWN = 20


def tables(survey: Survey, problems: list[tuple[str, str]], skipped: list[tuple[str, str]]) -> Group:
    """Everything for the terminal; text from files is never interpreted as markup."""
    lines = [*facts.overview(survey), ("longest gap", facts.worst_gap(survey))]
    parts: list = [_plain("Dataset", lines), _histograms(survey)]
    if skipped:
        parts.append(_plain("Skipped by the conversion", skipped))
    shown = problems[:PROBLEMS_SHOWN]
    if len(problems) > len(shown):
        shown.append(("…", f"and {len(problems) - len(shown)} more, all on the page"))
    if shown:
        parts.append(_plain("To look at", shown))
    return Group(*parts)


def _plain(title: str, lines: list[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in lines:
        table.add_row(_name(name), Text(facts.encodable(value)))
    return table


def _histograms(survey: Survey) -> Table:
    table = Table(title="Numbers", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("", "mean", "least", "most"):
        table.add_column(name, justify="left" if not name else "right")
    for name, histogram in {**survey.actions, "reward": survey.rewards, **survey.terms, **survey.vector}.items():
        if histogram.count:
            values = (f"{value:.4g}" for value in (histogram.mean, histogram.low, histogram.high))
            table.add_row(_name(name), *values)
        else:
            table.add_row(_name(name), "not known", "", "")
    return table


def _name(name: str) -> Text:
    return Text(facts.encodable(name), style="dim")
