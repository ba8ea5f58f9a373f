"""Progress of a running drive, and the table at its end."""

import math

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from wm_evaluation.metrics.driving_score import driving_score
from wm_evaluation.terminal import PassingBar, plain_table
from wm_evaluation.wording import spell_interval, spell_number
from wm_sim.world_facts import WorldFacts

from wm_tools.drive.records import Episode, EpisodeCollector
from wm_tools.drive.statistics import drive_figures, latency_percentiles
from wm_tools.drive.summary import DriveResult, is_timed, timing_cells


class DriveProgress(PassingBar):
    """A progress bar while a controller drives, and a line for every finished episode."""

    def __init__(self, console: Console, period_s: float, seeds: int, max_steps: int | None, world: WorldFacts):
        name, text = TextColumn("[bold]{task.description:<8}"), TextColumn("{task.fields[text]}")
        super().__init__(console, name, BarColumn(bar_width=28), text, TimeElapsedColumn())
        self._world = world
        self._steps = max_steps or round(world.episode_s / period_s)
        self._total = seeds * self._steps
        self._task = None
        self._told = 0

    def begin(self, controller: str) -> None:
        if self._task is not None:
            self.bar.remove_task(self._task)
        self._task = self.bar.add_task(controller, total=self._total, text="starting")
        self._controller, self._told = controller, 0

    def update(self, collector: EpisodeCollector) -> None:
        """Show the progress of the controller; cheap enough for every tick."""
        finished = len(collector.episodes) - (not collector.episode_over)
        for episode in collector.episodes[self._told : finished]:
            self._tell(episode)
        self._told = finished
        if not collector.episodes:
            return
        episode = collector.current
        done = finished * self._steps + (0 if collector.episode_over else len(episode.steps))
        text = "starting"
        if collector.ticks:
            text = f"track {episode.seed}  step {len(episode.steps):3d}  score {episode.score:6.1f}"
        self.bar.update(self._task, completed=min(done, self._total), text=text)

    def _tell(self, episode: Episode) -> None:
        driven = driving_score(episode.steps).score
        figures = [
            f"track {episode.seed}",
            f"score [bold]{episode.score:6.1f}[/]",
            f"{len(episode.steps):3d} steps",
            f"{100 * episode.off_track_fraction:3.0f} % off track",
            *(() if math.isnan(driven) else (f"driving score {driven:5.1f}",)),
            episode.ending(self._world),
        ]
        if is_timed(self._controller):
            figures.append(f"latency p99 {spell_number(latency_percentiles(episode.steps)['p99'], unit=' ms')}")
        name = f"[bold]{escape(self._controller):<8}[/]"
        self.console.print(f"{name} {'  '.join(figures)}", highlight=False, soft_wrap=True)


def results_table(result: DriveResult, summary: dict) -> Table:
    title = f"Bundle {escape(result.bundle_id)} in {escape(result.simulator)}"
    table = plain_table(title)
    table.add_column("", style="bold", overflow="fold")
    for head in ("mean", "95 %", "scores", "off track", "p50 ms", "p99 ms", "missed"):
        table.add_column(head, justify="right", no_wrap=head != "scores")
    for name, episodes in result.episodes.items():
        part, drive = summary["controllers"][name], drive_figures(episodes, result.period_s)
        scores = " ".join(f"{episode.score:.0f}" for episode in episodes)
        table.add_row(
            name,
            f"{part['mean_score']:.1f}",
            spell_interval(*part["ci95"]),
            scores,
            f"{100 * drive.off_track_fraction:.1f} %",
            *timing_cells(name, drive),
        )
    return table
