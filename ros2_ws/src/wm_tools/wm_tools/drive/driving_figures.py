"""CARLA's driving score of an episode, and what stands beside it, as plain JSON values."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from wm_evaluation.metrics import driving
from wm_evaluation.metrics.driving_score import COLLISIONS, comfortable_share, driving_score

from wm_tools.common.figure import Figure
from wm_tools.drive.records import COLLISION, LANE_INVASION, Episode

TOPIC = "Driving score"
LANE_INVASIONS = Figure(
    "lane_invasions_per_km", "Lane invasions", "Off the track", "1/km", weight="distance_m"
)  # stands among the benchmark's other events
SCORING = (
    Figure("driving_score", "Driving score", TOPIC),
    Figure("driving_score_2_1", "Driving score 2.1", TOPIC),
    Figure("route_completion", "Route completion", TOPIC, "%"),
    Figure("infraction_penalty", "Infraction penalty", TOPIC, "", 3),
    Figure("collisions_per_km", "Collisions", TOPIC, "1/km", 2, weight="distance_m"),
    Figure("red_lights_per_km", "Red lights", TOPIC, "1/km", 2, weight="distance_m"),
    Figure("route_deviations", "Route deviations", TOPIC, "", 2),
    Figure("close_share", "Close to a collision", TOPIC, "%", 1, 100.0),
    Figure("comfortable_share", "Comfortable", TOPIC, "%", 1, 100.0),
)
SHOWN = (*SCORING, LANE_INVASIONS)


def driving_figures(episode: Episode) -> dict[str, float | None]:
    """All of SHOWN and ``distance_m``, None where the simulator does not tell."""
    score, metres = driving_score(episode.steps), distance_m(episode)
    hits = score.count(*COLLISIONS)
    if score.infractions is None and COLLISION in episode.tells:
        hits = len(episode.collisions)
    invasions = len(episode.lane_invasions) if LANE_INVASION in episode.tells else math.nan
    routed = not math.isnan(score.route_completion)  # without a route there are no lights, and nothing to deviate from
    figures = {
        "driving_score": score.score,
        "driving_score_2_1": score.score_2_1,
        "route_completion": score.route_completion,
        "infraction_penalty": score.penalty,
        "collisions_per_km": driving.per_kilometre(hits, metres),
        "red_lights_per_km": driving.per_kilometre(score.count("red_light"), metres) if routed else math.nan,
        "route_deviations": score.count("route_dev") if routed else math.nan,
        "close_share": score.close_share,
        "comfortable_share": _comfortable(episode),
        LANE_INVASIONS.name: driving.per_kilometre(invasions, metres),
        "distance_m": metres,
    }
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def distance_m(episode: Episode) -> float:
    """Distance driven [m], from odometry where every step has it, else from the speed."""
    motions = episode.motions
    if len(episode.positions) > len(motions):  # the start has a position, but no motion before it
        return driving.distance(np.array(list(episode.positions.values())))
    stamps, speeds = seconds_of(episode), np.array([sample.speed for sample in motions])
    return driving.distance_from_speed(speeds, stamps) if len(speeds) else 0.0


def seconds_of(episode: Episode) -> np.ndarray:
    """Stamps of the motions [s]."""
    return np.array([sample.stamp_ns for sample in episode.motions]) * 1e-9


def accelerations_of(episode: Episode) -> tuple[np.ndarray, np.ndarray]:
    """Of the motions: ahead and to the left (M, 2) [m/s²], and the size of the jerk (M - 1,) [m/s³]."""
    on_map = np.array([sample.acceleration for sample in episode.motions]).reshape(-1, 2)
    yaw = np.array([sample.yaw for sample in episode.motions])
    stamps = seconds_of(episode)
    jerks = np.linalg.norm(driving.jerk(on_map, np.diff(stamps)), axis=1) if len(stamps) > 1 else np.zeros(0)
    return driving.in_vehicle_frame(on_map, yaw), jerks


def _comfortable(episode: Episode) -> float:
    own, jerks = accelerations_of(episode)
    return comfortable_share(own[:, 0], own[:, 1], jerks)


def known_figures(groups: Sequence[Mapping[str, dict]]) -> list[Figure]:
    """Those of SHOWN that any of the groups, means by figure, has: a world that cannot tell one gets no column."""
    return [one for one in SHOWN if any(group.get(one.name, {}).get("mean") is not None for group in groups)]
