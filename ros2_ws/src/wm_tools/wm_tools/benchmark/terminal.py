"""What the user sees while a benchmark runs, and the tables at its end."""

import time

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from wm_evaluation.wording import counted, spell_duration

from wm_tools.benchmark.metrics import BY_NAME
from wm_tools.benchmark.plan import Trial
from wm_tools.drive.records import EpisodeCollector

SHOWN = {"laps %": "lap_finished", "off %": "off_track_share"}  # beside the score: head, and figure


class BenchmarkProgress:
    """A bar over all trials with the time that is left, and a line for every finished episode. A context manager."""

    def __init__(self, console: Console, planned: int, done: int):
        """``done`` of ``planned`` trials were driven before."""
        self._console = console
        self._planned, self._done, self._driven = planned, done, 0
        self._begun_s = time.monotonic()
        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=planned, completed=done, text="starting", left="")

    def __enter__(self) -> "BenchmarkProgress":
        self._bar.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._bar.stop()

    def update(self, trial: Trial, collector: EpisodeCollector) -> None:
        """Show where a trial is; cheap enough for every tick."""
        text = f"{escape(trial.title)}: starting"
        if collector.episodes and collector.ticks:
            trip = collector.current
            score = f", score {trip.score:.0f}" if trip.steps else ""
            text = f"{escape(trial.title)}: step {len(trip.steps) or collector.ticks}{score}"
        self._bar.update(self._task, text=text)

    def say(self, line: str) -> None:
        """A line of text above the bar."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def tell(self, trial: Trial, episode: dict) -> None:
        """An episode is finished: ``episode`` is its line of episodes.jsonl."""
        self._driven += 1
        left = self._planned - self._done - self._driven
        left_s = left * (time.monotonic() - self._begun_s) / self._driven
        self._bar.update(self._task, completed=self._done + self._driven, left=f"{spell_duration(left_s)} left")
        score = f"score [bold]{BY_NAME['score'].spell(episode['score']):>6}[/]"
        line = f"{escape(trial.title)}: {score}, {counted(episode['steps'], 'step')}, {escape(episode['ended'])}"
        self._console.print(line, highlight=False, soft_wrap=True)
        if episode["failure"]:
            self._console.print(f"  [red]{escape(episode['failure'].splitlines()[0])}[/]", soft_wrap=True)


def results_table(summary: dict) -> Table:
    """The controllers, a line each."""
    table = _table(f"{summary['driven']} of {counted(summary['planned'], 'episode')}, {summary['failed']} failed")
    table.add_column("", overflow="fold")
    table.add_column("mode", no_wrap=True)
    for head in ("score", "95 %", "failed", *SHOWN, "p50 ms", "p99 ms"):
        table.add_column(head, justify="right", no_wrap=True)
    for group in summary["groups"]:
        figures, latency = group["figures"], group["latency_ms"] or {}
        table.add_row(
            escape(group["controller"]),
            group["mode"],
            BY_NAME["score"].spell(figures["score"]["mean"]),
            spell_interval(figures["score"]),
            f"{group['failed']} of {group['episodes']}",
            *(BY_NAME[name].spell(figures[name]["mean"]) for name in SHOWN.values()),
            *(_spell_ms(latency.get(name)) for name in ("p50", "p99")),
        )
    return table


def comparisons_table(summary: dict) -> Table:
    """Every pair of controllers, a line each."""
    table = _table("Score by track: the first less the second")
    for head in ("first", "second", "mode", "difference", "95 %", "won", "lost", "tied"):
        named = head in ("first", "second")
        table.add_column(
            head, justify="left" if named or head == "mode" else "right", no_wrap=not named, overflow="fold"
        )
    for pair in summary["comparisons"]:
        table.add_row(escape(pair["first"]), escape(pair["second"]), pair["mode"], *difference_cells(pair))
    return table


def sweeps_table(summary: dict) -> Table:
    """Score at every size of every disturbance."""
    table = _table("Score under disturbances")
    for head in ("disturbance", "", "mode", "score at size"):
        table.add_column(head)
    for sweep in summary["sweeps"]:
        points = "  ".join(f"{p['size']:g}: {BY_NAME['score'].spell(p['score']['mean'])}" for p in sweep["points"])
        table.add_row(
            f"{sweep['label']} [{sweep['unit']}]".replace("[", r"\["),
            escape(sweep["controller"]),
            sweep["mode"],
            points,
        )
    return table


def spell_interval(interval: dict) -> str:
    """`low to high`, or a dash."""
    if interval["low"] is None:
        return "–"
    return f"{interval['low']:.0f} to {interval['high']:.0f}"


def difference_cells(pair: dict) -> list[str]:
    """Mean, interval, wins, losses and ties of a pair of controllers; good ones are less than a point apart."""
    interval = "–" if pair["low"] is None else f"{pair['low']:+.2f} to {pair['high']:+.2f}"
    return [f"{pair['mean']:+.2f}", interval, *(str(pair[name]) for name in ("wins", "losses", "ties"))]


def _spell_ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
