"""`summary.json`: what a drive measured, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wm_evaluation.wording import spell_number
from wm_planner.planning.solvers import SOLVERS

from wm_tools.drive.bundle_scores import KnownScores
from wm_tools.drive.controllers import REFERENCES
from wm_tools.drive.driving_figures import SHOWN, driving_figures
from wm_tools.drive.records import Episode
from wm_tools.drive.statistics import DriveFigures, drive_figures, imagined_steps, mean_and_interval


def is_timed(controller: str) -> bool:
    """Whether a controller runs in real time, so that its latency counts."""
    return controller not in REFERENCES


def timing_cells(controller: str, figures: DriveFigures) -> list[str]:
    """Latency p50 and p99 [ms] and missed deadlines; dashes for a controller that does not drive in real time."""
    if not is_timed(controller):
        return ["–"] * 3
    return [*(spell_number(figures.latency_ms[key]) for key in ("p50", "p99")), str(figures.deadline_misses)]


@dataclass(frozen=True)
class DriveResult:
    """Everything that a drive recorded. ``period_s`` [s] is the control period, ``known`` the bundle's stored scores,
    ``policies`` the ids of the policies used, by controller."""

    bundle_id: str
    simulator: str
    period_s: float
    episodes: dict[str, list[Episode]]  # by controller
    machine: dict[str, str | int]
    known: KnownScores = KnownScores()
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def timed_controller(self) -> str | None:
        """The controller whose control loop is described: planner, else the first of the solvers or of the others
        with a model, else None."""
        timed = [name for name, episodes in self.episodes.items() if episodes and is_timed(name)]
        return next((name for name in ("planner", *SOLVERS, *timed) if name in timed), None)


def build_summary(result: DriveResult) -> dict:
    """The dictionary that becomes summary.json. Latencies are null if no model drove, ``benchmark`` for a bundle
    without scores, and under ``driving`` what the simulator does not tell."""
    return {
        "bundle": result.bundle_id,
        "simulator": result.simulator,
        "controllers": {
            name: _controller(episodes, result.policies.get(name)) for name, episodes in result.episodes.items()
        },
        "control": _control(result),
        "machine": result.machine,
        "benchmark": result.known.summary(),
    }


def driving_of(summary: dict) -> dict[str, dict]:
    """The means under ``driving``, by controller."""
    return {name: part["driving"] for name, part in summary["controllers"].items()}


def _controller(episodes: list[Episode], policy_id: str | None) -> dict:
    mean_score, interval = mean_and_interval([episode.score for episode in episodes])
    driving = [driving_figures(episode) for episode in episodes]
    return {
        "episodes": [
            {name: getattr(episode, name) for name in ("seed", "score", "terminated", "off_track_fraction")}
            | {"steps": len(episode.steps), "driving": found}
            for episode, found in zip(episodes, driving, strict=True)
        ],
        "mean_score": mean_score,
        "ci95": interval,
        "driving": {figure.name: figure.mean_of(driving) for figure in SHOWN},
        **({} if policy_id is None else {"policy": policy_id}),
    }


def _control(result: DriveResult) -> dict:
    episodes = result.episodes.get(result.timed_controller, [])
    figures = drive_figures(episodes, result.period_s)
    samples = [sample for episode in episodes for sample in episode.planner]
    said = next((sample for sample in samples if not sample.braking), None)
    imagined, asked = imagined_steps(samples) or (None, None)
    return {
        "rate_hz": 1.0 / result.period_s,
        "latency_ms": figures.latency_ms,
        "deadline_misses": figures.deadline_misses,
        "candidates": said.candidates if said else None,
        "horizon": said.horizon if said else None,
        "imagined_steps": imagined,
        "imagined_steps_asked": asked,
    }
