"""What a benchmark drives: its trials, in order, as a function of its options."""

from collections.abc import Sequence
from dataclasses import dataclass

from wm_tools.benchmark.benchmark_options import BenchmarkOptions
from wm_tools.benchmark.disturbance import Disturbance
from wm_tools.drive.controllers import Controller


@dataclass(frozen=True)
class Trial:
    """One episode to drive: ``seed`` is its track, if the simulator takes one; ``mode`` as in the options."""

    entry: Controller
    mode: str
    disturbance: Disturbance | None
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Its identity, also in files: controller, mode, disturbance and seed."""
        return self.entry.name, self.mode, str(self.disturbance or ""), self.seed

    @property
    def title(self) -> str:
        under = f", {self.disturbance}" if self.disturbance else ""
        return f"{self.entry.name}, {self.mode}{under}, track {self.seed}"


def plan_trials(options: BenchmarkOptions) -> list[Trial]:
    """All trials: first the controllers without disturbance, then the sweeps, each track by track. Controllers that are
    compared drive a track one after another, so that a busy machine affects them equally in real time."""
    undisturbed = [
        Trial(entry, mode, None, seed)
        for seed in options.tracks
        for entry in options.controllers
        for mode in options.modes_of(entry)
    ]
    disturbed = [
        Trial(entry, mode, disturbance, seed)
        for disturbance in options.sweep
        for seed in options.tracks
        for entry in options.controllers
        if entry.has_model
        for mode in options.modes_of(entry)
    ]
    return undisturbed + disturbed


def in_order(episodes: Sequence[dict], trials: Sequence[Trial]) -> list[dict]:
    """Lines of episodes.jsonl in the order of the plan: intervals do not depend on which episode ended first."""
    places = {trial.key: place for place, trial in enumerate(trials)}
    return sorted(episodes, key=lambda episode: places[tuple(episode["trial"])])
