"""CARLA's driving score, and the figures that stand beside it, from the records of a drive's steps.

The definition is that of CARLA's Autonomous Driving Leaderboard 2.0 (leaderboard.carla.org): route completion [%] times
the product of a factor for each infraction, so 0 to 100, averaged over drives. Its version 1.0 has the same factors
without scenario_timeouts, min_speed_infractions and yield_emergency_vehicle_infractions. Version 2.1 replaces the
product by 1 / (1 + sum), with other numbers: see ``Rules``. What a simulator does not tell is NaN here, never 0 or 100.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

OUTSIDE = "outside_route_lanes"  # has no factor: the route driven meanwhile does not count
ENDINGS = ("route_dev", "route_timeout", "vehicle_blocked")  # have no factor: they end the drive
COLLISIONS = ("collision_pedestrian", "collision_vehicle", "collision_layout")
OUTSIDE_WHEELS = 2  # a step with this many wheels off the road, or more, is outside
CLOSE_S = 1.5  # a time to collision below this is a close call

# nuPlan's limits of a comfortable drive.
FORWARD_MPS2 = (-4.05, 2.40)
SIDEWAYS_MPS2 = 4.89
JERK_MPS3 = 8.37


@dataclass(frozen=True)
class Rules:
    """One version of the leaderboard: what each infraction costs.

    min_speed_infractions costs up to this, by how slow the car was among the traffic; its name alone does not tell how
    slow, so it costs all of it here.
    """

    costs: dict[str, float]
    multiplied: bool  # a factor each, or the sum of the costs

    def penalty(self, infractions: Counter) -> float:
        """1 without any infraction, towards 0 with many."""
        if self.multiplied:
            return math.prod(self.costs.get(name, 1.0) ** count for name, count in infractions.items())
        return 1.0 / (1.0 + sum(self.costs.get(name, 0.0) * count for name, count in infractions.items()))


_NAMES = (*COLLISIONS, "red_light", "stop_infraction", "scenario_timeouts", "min_speed_infractions")
_NAMES += ("yield_emergency_vehicle_infractions",)
VERSION_2_0 = Rules(dict(zip(_NAMES, (0.50, 0.60, 0.65, 0.70, 0.80, 0.70, 0.70, 0.70), strict=True)), multiplied=True)
VERSION_2_1 = Rules(dict(zip(_NAMES, (1.00, 0.70, 0.60, 0.40, 0.25, 0.40, 0.40, 0.40), strict=True)), multiplied=False)
INFRACTIONS = (*_NAMES, OUTSIDE, *ENDINGS)


class ScoredStep(Protocol):
    """One control interval, as in StepResult: ``infractions`` begun in it, except OUTSIDE, which every interval has
    that it lasts; ``route_completion`` 0 to 1 at its end and ``time_to_collision_s``, NaN where unknown."""

    infractions: Sequence[str]
    route_completion: float
    time_to_collision_s: float
    wheels_off_road: int


@dataclass(frozen=True)
class DrivingScore:
    """One drive; NaN where the simulator did not tell. Counts of infractions are None there."""

    score: float  # 0 to 100, leaderboard 2.0
    score_2_1: float  # 0 to 100, leaderboard 2.1
    route_completion: float  # [%] of the route, without what was driven outside its lanes
    penalty: float  # 0 to 1, leaderboard 2.0
    close_share: float  # share of the time with a time to collision below CLOSE_S
    infractions: Counter | None  # by name

    def count(self, *names: str) -> float:
        """How many of these infractions there were."""
        return math.nan if self.infractions is None else float(sum(self.infractions[name] for name in names))


def check_step(infractions: Sequence[str], route_completion: float, time_to_collision_s: float) -> None:
    """Raise ValueError for what a simulator must not send."""
    unknown = [name for name in infractions if name not in INFRACTIONS]
    if unknown:
        raise ValueError(f"expected infractions among {', '.join(INFRACTIONS)}, found '{unknown[0]}'")
    if not (math.isnan(route_completion) or 0.0 <= route_completion <= 1.0):
        raise ValueError(f"expected a route_completion of 0 to 1 or NaN, found {route_completion:g}")
    if time_to_collision_s < 0.0:
        raise ValueError(f"expected a time_to_collision_s of 0 or more or NaN, found {time_to_collision_s:g}")


def driving_score(steps: Sequence[ScoredStep]) -> DrivingScore:
    """The score of one drive, from all of its steps in order."""
    completions = np.array([step.route_completion for step in steps], np.float64)
    close = np.array([step.time_to_collision_s for step in steps], np.float64)
    known, routed = ~np.isnan(close), bool(np.isfinite(completions).any())
    # A world that knows either of them fills in its infractions too; an empty list alone tells nothing.
    told = routed or bool(known.any()) or any(step.infractions for step in steps)
    infractions = Counter(name for step in steps for name in step.infractions) if told else None
    completion = penalty = penalty_2_1 = math.nan
    if routed:
        completion = 100.0 * _inside(steps, completions)
        penalty, penalty_2_1 = VERSION_2_0.penalty(infractions), VERSION_2_1.penalty(infractions)
    return DrivingScore(
        completion * penalty,
        completion * penalty_2_1,
        completion,
        penalty,
        float((close[known] < CLOSE_S).mean()) if known.any() else math.nan,
        infractions,
    )


def _inside(steps: Sequence[ScoredStep], completions: np.ndarray) -> float:
    """Share of the route driven within its lanes. The completion never falls, as in the leaderboard: who drives back
    keeps what was reached."""
    reached = np.maximum.accumulate(np.nan_to_num(completions, nan=0.0))
    gained = np.diff(reached, prepend=0.0)
    outside = [step.wheels_off_road >= OUTSIDE_WHEELS or OUTSIDE in step.infractions for step in steps]
    return float(gained[~np.array(outside, bool)].sum())


def comfortable_share(forward: np.ndarray, sideways: np.ndarray, jerks: np.ndarray) -> float:
    """Share of the moments within nuPlan's limits of acceleration [m/s²] ahead and to the side, (M,) each, and of jerk
    [m/s³] (M - 1,), which belongs to the later moment. Not smoothed, unlike nuPlan's. NaN where nothing is known."""
    jerks = np.concatenate([np.zeros(min(1, len(forward))), jerks])
    known = np.isfinite(forward) & np.isfinite(sideways) & np.isfinite(jerks)
    if not known.any():
        return math.nan
    gentle = (forward >= FORWARD_MPS2[0]) & (forward <= FORWARD_MPS2[1])
    gentle &= (np.abs(sideways) <= SIDEWAYS_MPS2) & (np.abs(jerks) <= JERK_MPS3)
    return float(gentle[known].mean())
