"""`summary.json`: what a drive measured, as numbers."""

import json
from dataclasses import dataclass
from pathlib import Path

from wm_bundle.files import write_text

from wm_planner.config import SOLVERS
from wm_planner.drive.records import Episode
from wm_planner.drive.statistics import deadline_misses, latency_percentiles, mean_and_interval

# Whose control loop the summary describes, the first of these that drove: only they compute in real time.
TIMED_CONTROLLERS = ("planner", *SOLVERS)


@dataclass(frozen=True)
class DriveResult:
    """All that a drive recorded. ``period_s`` [s] is the control period."""

    bundle_id: str
    simulator: str
    period_s: float
    episodes: dict[str, list[Episode]]  # by controller
    machine: dict[str, str | int]

    @property
    def timed_controller(self) -> str | None:
        """The controller whose latency counts: planner, else the first of the solvers, else None."""
        return next((name for name in TIMED_CONTROLLERS if self.episodes.get(name)), None)


def build_summary(result: DriveResult) -> dict:
    """The dictionary that becomes summary.json. Latencies are null where no model drove."""
    return {
        "bundle": result.bundle_id,
        "simulator": result.simulator,
        "controllers": {name: _controller(episodes) for name, episodes in result.episodes.items()},
        "control": _control(result),
        "machine": result.machine,
    }


def _controller(episodes: list[Episode]) -> dict:
    mean_score, interval = mean_and_interval([episode.score for episode in episodes])
    return {
        "episodes": [
            {
                "seed": episode.seed,
                "score": episode.score,
                "steps": len(episode.steps),
                "terminated": episode.terminated,
                "off_track_fraction": episode.off_track_fraction,
            }
            for episode in episodes
        ],
        "mean_score": mean_score,
        "ci95": interval,
    }


def _control(result: DriveResult) -> dict:
    episodes = result.episodes.get(result.timed_controller, [])
    steps = [step for episode in episodes for step in episode.steps]
    said = next((sample for episode in episodes for sample in episode.planner if not sample.braking), None)
    return {
        "rate_hz": 1.0 / result.period_s,
        "latency_ms": latency_percentiles(steps),
        "deadline_misses": deadline_misses(steps, result.period_s),
        "candidates": said.candidates if said else None,
        "horizon": said.horizon if said else None,
    }


def write_summary(path: Path, summary: dict) -> None:
    """Write summary.json. Raises ValueError for a number that is not finite, OSError."""
    write_text(path, json.dumps(summary, indent=2, allow_nan=False) + "\n")
