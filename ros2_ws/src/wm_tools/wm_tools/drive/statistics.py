"""The figures of a drive: mean and interval of scores, percentiles of latencies, missed deadlines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, mean, stdev

import numpy as np
from wm_evaluation.metrics.errors import percentiles

from wm_tools.drive.records import Episode, PlannerSample, StepSample

# 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom; above, the series below is exact to 0.001.
_T_975 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


def t_quantile_975(degrees: int) -> float:
    """The 97.5 % quantile of Student's t, within 0.001 (Cornish-Fisher series above 10 degrees of freedom)."""
    if degrees < 1:
        raise ValueError(f"degrees of freedom must be 1 or more, got {degrees}")
    if degrees <= len(_T_975):
        return _T_975[degrees - 1]
    z = NormalDist().inv_cdf(0.975)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def mean_and_interval(scores: list[float]) -> tuple[float, list[float | None]]:
    """Mean and its 95 % Student-t interval [low, high] over episodes; [None, None] with fewer than two. Raises
    ValueError without any score."""
    if not scores:
        raise ValueError("a mean needs at least one episode")
    centre = mean(scores)
    if len(scores) < 2:
        return centre, [None, None]
    half = t_quantile_975(len(scores) - 1) * stdev(scores) / math.sqrt(len(scores))
    return centre, [centre - half, centre + half]


def latencies_ms(steps: list[StepSample]) -> np.ndarray:
    values = np.array([step.command_latency_ms for step in steps], np.float64)
    return values[np.isfinite(values)]


def latency_percentiles(steps: list[StepSample]) -> dict[str, float | None]:
    """p50, p95, p99 and max [ms]; each None if no step had a command."""
    return {name: None if math.isnan(value) else value for name, value in percentiles(latencies_ms(steps)).items()}


def deadline_misses(steps: list[StepSample], period_s: float) -> int:
    """Steps whose command came after the control period ``period_s`` [s], or not at all."""
    return sum(not step.command_latency_ms <= 1000.0 * period_s for step in steps)


def imagined_steps(samples: Sequence[PlannerSample]) -> tuple[float, float] | None:
    """Mean number of steps imagined for a frame while driving, and of those that the parameters ask for; None if no
    plan was searched for."""
    searched = [one for one in samples if one.candidates and one.asked and not one.degraded]
    if not searched:
        return None
    imagined = mean(one.candidates * one.iterations * one.horizon for one in searched)
    return imagined, mean(one.asked * one.horizon for one in searched)


@dataclass(frozen=True)
class DriveFigures:
    """Figures over all steps of one controller's episodes. ``latency_ms`` is from ``latency_percentiles``."""

    steps: int
    off_track_fraction: float
    latency_ms: dict[str, float | None]
    deadline_misses: int


def drive_figures(episodes: list[Episode], period_s: float) -> DriveFigures:
    """Compute them over the steps of ``episodes``; ``period_s`` [s] is the control period."""
    steps = [step for episode in episodes for step in episode.steps]
    off = sum(episode.off_track_fraction * len(episode.steps) for episode in episodes)
    return DriveFigures(
        len(steps), off / max(1, len(steps)), latency_percentiles(steps), deadline_misses(steps, period_s)
    )
