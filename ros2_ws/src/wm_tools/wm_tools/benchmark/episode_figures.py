"""The figures of one episode, as plain JSON values."""

import math
import re
from collections import Counter

import numpy as np
from wm_bundle.routes import Route
from wm_evaluation.metrics import driving
from wm_sim.worlds import world_of_map

from wm_tools.benchmark.followed_route import followed
from wm_tools.drive.driving_figures import accelerations_of, driving_figures
from wm_tools.drive.records import COLLISION, LANE_INVASION, Episode
from wm_tools.drive.statistics import deadline_misses, imagined_steps, latencies_ms

SETTLING_S = 5.0  # until a speed that is to be kept should be reached
_OF_PLANNER = (
    *("latency_ms", "deadline_misses", "imagined_steps", "search_share"),
    *("braking_share", "degraded_share", "braking_reasons"),
)
_NUMBER = re.compile(r"\d+(\.\d+)?")  # reasons that differ only in a number count as the same


def episode_figures(
    episode: Episode,
    period_s: float,
    map_name: str | None,
    disturbed: bool = False,
    has_model: bool = True,
    route: Route | None = None,
) -> dict:
    """All of figures.FIGURES, None where the simulator does not report what a figure needs; ``latency_ms``, a list; and
    ``braking_reasons``, the number of braked frames by reason.

    ``period_s`` [s] is the control period; ``map_name`` the simulator's own, ``route`` the one that it
    publishes, which tells the completion where there are no step results.
    """
    motions = episode.motions
    speeds = np.array([sample.speed for sample in motions])
    steps = len(episode.steps) or len(motions)
    seconds = (episode.end_ns - episode.start_ns) * 1e-9
    invasions = len(episode.lane_invasions) if LANE_INVASION in episode.tells else math.nan
    figures = {
        "steps": steps,
        "time_s": seconds,
        "mean_speed_mps": float(speeds.mean()) if len(speeds) else math.nan,
        "settled_speed_mps": _settled_speed(episode),
        "max_speed_mps": float(speeds.max()) if len(speeds) else math.nan,
        "collisions": len(episode.collisions) if COLLISION in episode.tells else None,
        "lane_invasions_per_min": driving.per_minute(invasions, seconds),
        "steering_change": driving.mean_change(np.array([sample.steer for sample in motions])),
        "slow_steps": episode.slow_steps,
        **_task(episode, period_s, map_name),
        **driving_figures(episode),
        **({} if episode.steps else followed(episode, route)),
        **_comfort(episode),
        **_control(episode, period_s, disturbed, has_model),
    }
    return {name: _plain(value) for name, value in figures.items()}


def _settled_speed(episode: Episode) -> float:
    """The mean speed [m/s] without the first seconds; NaN for a shorter episode."""
    speeds = [one.speed for one in episode.motions if (one.stamp_ns - episode.start_ns) * 1e-9 > SETTLING_S]
    return float(np.mean(speeds)) if speeds else math.nan


def _task(episode: Episode, period_s: float, map_name: str | None) -> dict:
    """Score and outcome from the step results. All None without any."""
    if not episode.steps:
        return dict.fromkeys(("score", "progress", "lap_finished", "off_track_share"))
    world = world_of_map(map_name)
    success = world.success if world else ""
    return {
        "score": episode.score,
        "progress": world.progress(episode.steps, period_s) if world else None,
        "lap_finished": float(episode.ending(world) == success) if success else None,
        "off_track_share": episode.off_track_fraction,
    }


def _comfort(episode: Episode) -> dict:
    own, jerks = accelerations_of(episode)
    sideways = np.abs(own[:, 1])
    return {
        "lateral_acceleration_rms": driving.root_mean_square(sideways),
        "lateral_acceleration_p95": float(np.percentile(sideways, 95)) if len(sideways) else math.nan,
        "jerk_rms": driving.root_mean_square(jerks),
        "jerk_max": float(jerks.max()) if len(jerks) else math.nan,
    }


def _control(episode: Episode, period_s: float, disturbed: bool, has_model: bool) -> dict:
    """Latency and modes of the planner. All None if none drove.

    Latency is measured by the simulator, from the image to the command for it. Without that measurement, or with a
    disturbance in between, it is the planner's own, without the transport.
    """
    if not has_model:
        return dict.fromkeys(_OF_PLANNER)
    if episode.steps and not disturbed:
        latencies, misses = latencies_ms(episode.steps), deadline_misses(episode.steps, period_s)
    else:
        latencies = np.array([sample.latency_ms for sample in episode.planner])
        misses = int((latencies > 1000.0 * period_s).sum())
    words = len(episode.planner) or math.nan  # its earlier messages were not received
    imagined, asked = imagined_steps(episode.planner) or (math.nan, math.nan)
    return {
        "latency_ms": [round(float(value), 2) for value in latencies],
        "deadline_misses": misses,
        "imagined_steps": imagined,
        "search_share": imagined / asked,
        "braking_share": sum(sample.braking for sample in episode.planner) / words,
        "degraded_share": sum(sample.degraded for sample in episode.planner) / words,
        "braking_reasons": dict(
            Counter(_NUMBER.sub("…", sample.reason) for sample in episode.planner if sample.braking)
        ),
    }


def _plain(value):
    """None for a number that is not finite: there was nothing to compute it from."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
