"""Progress of a running benchmark, and the tables at its end."""

import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from wm_evaluation.terminal import PassingBar, plain_table
from wm_evaluation.wording import counted, spell_duration, spell_interval, spell_number

from wm_tools.benchmark.figures import BY_NAME, DRIVING_SCORE, SCORE, score_interval
from wm_tools.benchmark.plan import Trial

SHOWN = {"laps %": "lap_finished", "off %": "off_track_share"}  # beside the score: head, and figure


class BenchmarkProgress(PassingBar):
    """A progress bar over all trials with the time left, and a line for every finished episode."""

    def __init__(self, console: Console, planned: int, done: int):
        """``done`` of ``planned`` trials were driven earlier."""
        text, left = TextColumn("{task.fields[text]}"), TextColumn("{task.fields[left]}")
        super().__init__(console, BarColumn(bar_width=24), MofNCompleteColumn(), text, TimeElapsedColumn(), left)
        self._planned, self._done, self._driven = planned, done, 0
        self._begun_s = time.monotonic()
        self._running: dict[str, str] = {}  # states by the trials' titles
        self._task = self.bar.add_task("", total=planned, completed=done, text="starting", left="")

    def update(self, trial: Trial, state: str) -> None:
        """A trial that is being driven has this state; of several at once, that of the first is shown."""
        self._running[trial.title] = state
        several = f"{len(self._running)} at once; " if len(self._running) > 1 else ""
        title, state = next(iter(self._running.items()))
        self.bar.update(self._task, text=escape(f"{several}{title}: {state}"))

    def tell(self, trial: Trial, episode: dict) -> None:
        """An episode is finished: ``episode`` is its line of episodes.jsonl."""
        self._driven += 1
        self._running.pop(trial.title, None)
        left = self._planned - self._done - self._driven
        left_s = left * (time.monotonic() - self._begun_s) / self._driven
        self.bar.update(self._task, completed=self._done + self._driven, left=f"{spell_duration(left_s)} left")
        score = f"score [bold]{SCORE.spell(episode['score']):>6}[/]"
        if episode["driving_score"] is not None:
            score += f", driving score {DRIVING_SCORE.spell(episode['driving_score'])}"
        line = f"{escape(trial.title)}: {score}, {counted(episode['steps'], 'step')}, {escape(episode['ended'])}"
        self.console.print(line, highlight=False, soft_wrap=True)
        if episode["failure"]:
            self.console.print(f"  [red]{escape(episode['failure'].splitlines()[0])}[/]", soft_wrap=True)


def results_table(summary: dict) -> Table:
    table = plain_table(f"{summary['driven']} of {counted(summary['planned'], 'episode')}, {summary['failed']} failed")
    table.add_column("", overflow="fold")
    table.add_column("mode", no_wrap=True)
    for head in ("score", "95 %", "failed", *SHOWN, "p50 ms", "p99 ms"):
        table.add_column(head, justify="right", no_wrap=True)
    for group in summary["groups"]:
        figures, latency = group["figures"], group["latency_ms"] or {}
        table.add_row(
            escape(group["controller"]),
            group["mode"],
            SCORE.spell(figures["score"]["mean"]),
            score_interval(figures["score"]),
            f"{group['failed']} of {group['episodes']}",
            *(BY_NAME[name].spell(figures[name]["mean"]) for name in SHOWN.values()),
            *(spell_number(latency.get(name)) for name in ("p50", "p99")),
        )
    return table


def comparisons_table(summary: dict) -> Table:
    table = plain_table("Score by track: the first minus the second")
    for head in ("first", "second", "mode", "difference", "95 %", "won", "lost", "tied"):
        named = head in ("first", "second")
        table.add_column(
            head, justify="left" if named or head == "mode" else "right", no_wrap=not named, overflow="fold"
        )
    for pair in summary["comparisons"]:
        table.add_row(escape(pair["first"]), escape(pair["second"]), pair["mode"], *difference_cells(pair))
    return table


def sweeps_table(summary: dict) -> Table:
    table = plain_table("Score under disturbances")
    for head in ("disturbance", "", "mode", "score at size"):
        table.add_column(head)
    for sweep in summary["sweeps"]:
        points = "  ".join(f"{p['size']:g}: {SCORE.spell(p['score']['mean'])}" for p in sweep["points"])
        table.add_row(
            f"{sweep['label']} [{sweep['unit']}]".replace("[", r"\["),
            escape(sweep["controller"]),
            sweep["mode"],
            points,
        )
    return table


def difference_cells(pair: dict) -> list[str]:
    """Mean, interval, wins, losses and ties of a pair of controllers; good ones differ by less than a point."""
    interval = spell_interval(pair["low"], pair["high"], "+.2f")
    return [f"{pair['mean']:+.2f}", interval, *(str(pair[name]) for name in ("wins", "losses", "ties"))]
