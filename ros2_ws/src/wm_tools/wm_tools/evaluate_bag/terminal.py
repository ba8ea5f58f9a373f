"""The table of the most important figures, for the terminal."""

from rich.markup import escape
from rich.table import Table
from wm_evaluation.scorecard.tables import spell_break_even
from wm_evaluation.terminal import plain_table

from wm_tools.common.console import LOG_WIDTH
from wm_tools.evaluate_bag.comparison import Comparison, Evaluation
from wm_tools.evaluate_bag.figures import Figure
from wm_tools.evaluate_bag.report_tables import ABOUT_APART, APART, apart, is_known

_SHOWN = (
    "action.steer.mae",
    "action.throttle.mae",
    "action.brake.mae",
    "action.steer.sign_agreement",
    "prior.psnr_db",
    "posterior.psnr_db",
    "open_loop.psnr_db.imagined.1",
    "open_loop.psnr_db.imagined.{last}",
    "open_loop.psnr_db.copy_last.{last}",
    "open_loop.return_rank_correlation.imagined.{last}",
    "open_loop.signal_mae.speed.imagined.{last}",
    "open_loop.signal_mae.speed.copy_last.{last}",
    "open_loop.break_even.picture_against_copy_last",
    "open_loop.action_gap.psnr_db.{last}",
    "surprise.mean",
    "surprise.above_threshold_share",
    "mode.degraded_share",
    "mode.braking_share",
    "latency_ms.total.p50",
    "latency_ms.total.p99",
    "latency_ms.frames",
)
_BREAK_EVEN = "open_loop.break_even."
_BETWEEN = 2  # blanks between columns


def summary_table(comparison: Comparison, width: int = LOG_WIDTH) -> Table:
    """The most important figures; a column for each bundle and each difference. Intervals go below their figures if
    ``width`` characters have no room for both in a line; no figure is cut."""
    evaluations, last = comparison.evaluations, comparison.options.steps
    rows = []
    for name in dict.fromkeys(name.format(last=last) for name in _SHOWN):
        if "signal_mae" in name and not any(is_known(evaluation.figures.get(name)) for evaluation in evaluations):
            continue  # these bundles imagine no vector inputs
        cells = [_spell_of(evaluation, name) for evaluation in evaluations]
        cells += [
            _spell(difference.figures.get(name)) + apart(difference, name) for difference in comparison.differences
        ]
        rows.append([name, *cells])
    if sum(column + _BETWEEN for column in _widths(rows)) > width:
        rows = [[name, *(cell.replace(" [", "\n[") for cell in cells)] for name, *cells in rows]
    table = plain_table("")
    table.add_column("", overflow="fold")
    heads = [evaluation.name for evaluation in evaluations] + [f"minus {other.name}" for other in evaluations[1:]]
    for head, least in zip(heads, _widths(rows)[1:], strict=True):
        table.add_column(escape(head), justify="right", overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*map(escape, row))
    if any(cell.endswith(APART) for row in rows for cell in row):
        table.caption, table.caption_justify = ABOUT_APART, "left"
    return table


def _widths(rows: list[list[str]]) -> list[int]:
    """The longest line of each column; the break-even text may be wrapped."""
    figures = [row for row in rows if not row[0].startswith(_BREAK_EVEN)]
    return [max(len(line) for cell in column for line in cell.split("\n")) for column in zip(*figures, strict=True)]


def _spell_of(evaluation: Evaluation, name: str) -> str:
    if name.startswith(_BREAK_EVEN):
        found = (evaluation.card or {"break_even": {}})["break_even"].get(name.removeprefix(_BREAK_EVEN))
        return spell_break_even(found, evaluation.settings.horizon)
    return _spell(evaluation.figures.get(name))


def _spell(figure: Figure | None) -> str:
    if figure is None or figure.value != figure.value:
        return "–"
    interval = "" if figure.low != figure.low else f" [{figure.low:.3g}, {figure.high:.3g}]"
    return f"{figure.value:.4g}{interval}"
