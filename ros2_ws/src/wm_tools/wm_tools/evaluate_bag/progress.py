"""What the user sees while an evaluation runs, and the table at its end."""

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from wm_evaluation.scorecard.tables import spell_break_even

from wm_tools.evaluate_bag.comparison import Comparison, Evaluation
from wm_tools.evaluate_bag.figures import Figure
from wm_tools.evaluate_bag.report_tables import ABOUT_APART, APART, apart
from wm_tools.evaluate_bag.run import Watcher

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
_BETWEEN = 2  # blanks from one column to the next
LOG_WIDTH = 140


class ProgressBar(Watcher):
    """A bar with the frames decided so far. Use it as a context manager."""

    def __init__(self, console: Console, frames: int | None):
        """``frames``: how many are evaluated at most, if that was said."""
        self._frames = frames
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed} frames"),
            TextColumn("{task.fields[place]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = None
        self._known = 0

    def __enter__(self) -> "ProgressBar":
        self._bar.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._bar.stop()

    def begin_bundle(self, name: str) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(escape(name), total=None, place="opening")
        self._known = 0

    def begin_drive(self, number: int, of: int, pictures: int | None) -> None:
        self._known += pictures or 0
        total = None if pictures is None else self._known * of / (number + 1)  # those to come count as those so far
        if total is not None and self._frames is not None:
            total = min(total, self._frames)
        self._bar.update(self._task, total=total, place=f"recording {number + 1} of {of}" if of > 1 else "")

    def advance(self, rows: int) -> None:
        self._bar.advance(self._task, rows)


def summary_table(comparison: Comparison, width: int = LOG_WIDTH) -> Table:
    """The figures that matter most, for the terminal; a column for each bundle and each difference. Intervals are below
    their figures where they have no room beside them in ``width`` characters; no figure is cut."""
    evaluations, last = comparison.evaluations, comparison.options.steps
    rows = []
    for name in dict.fromkeys(name.format(last=last) for name in _SHOWN):
        cells = [_spell_of(evaluation, name) for evaluation in evaluations]
        cells += [
            _spell(difference.get(name)) + apart(comparison, other, name)
            for other, difference in enumerate(comparison.differences)
        ]
        rows.append([name, *cells])
    if sum(column + _BETWEEN for column in _widths(rows)) > width:
        rows = [[name, *(cell.replace(" [", "\n[") for cell in cells)] for name, *cells in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    heads = [evaluation.name for evaluation in evaluations] + [f"less {other.name}" for other in evaluations[1:]]
    for head, least in zip(heads, _widths(rows)[1:], strict=True):
        table.add_column(escape(head), justify="right", overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*map(escape, row))
    if any(cell.endswith(APART) for row in rows for cell in row):
        table.caption, table.caption_justify = ABOUT_APART, "left"
    return table


def _widths(rows: list[list[str]]) -> list[int]:
    """The longest line of each column; the break-even's words may be folded."""
    figures = [row for row in rows if not row[0].startswith(_BREAK_EVEN)]
    return [max(len(line) for cell in column for line in cell.split("\n")) for column in zip(*figures, strict=True)]


def _spell_of(evaluation: Evaluation, name: str) -> str:
    """A bundle's figure; steps in words, as everywhere else."""
    if name.startswith(_BREAK_EVEN):
        found = (evaluation.card or {"break_even": {}})["break_even"].get(name.removeprefix(_BREAK_EVEN))
        return spell_break_even(found, evaluation.settings.horizon)
    return _spell(evaluation.figures.get(name))


def _spell(figure: Figure | None) -> str:
    if figure is None or figure.value != figure.value:
        return "–"
    interval = "" if figure.low != figure.low else f" [{figure.low:.3g}, {figure.high:.3g}]"
    return f"{figure.value:.4g}{interval}"


def make_console() -> Console:
    """As wide as the terminal, wide enough for a log file."""
    return Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
