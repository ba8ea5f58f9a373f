"""The reward for recordings without one: safety, efficiency and comfort, from commonly recorded signals.

The weights are our own choice, in the spirit of those used with CARLA: an unsafe event outweighs seconds of progress.
Changing any of them requires a new name.
"""

from typing import NamedTuple

import numpy as np
from wm_evaluation.metrics import driving

from wm_data.episodes import Episode, drives_in

NAME = "driving-1"
TERMS = ("efficiency", "jerk", "lateral_acceleration", "lane_invasion", "collision")
PROGRESS_NAME = "driving-2"
REWARDS = {NAME: TERMS, PROGRESS_NAME: ("progress", *TERMS[1:])}
"""The terms of each reward, by its name."""

EFFICIENCY, PROGRESS, JERK, LATERAL, LANE, COLLISION = 1.0, 1.0, 0.1, 0.1, 1.0, 10.0
FULL_JERK_MPS3 = 10.0  # at which the term saturates: emergency braking, and the noise of most logs
FULL_LATERAL_MPS2 = 4.0
TARGET_SPEED_MPS = 8.0


class DrivingReward(NamedTuple):
    """``rewards`` float32 (n,), the sum of the known ``terms``; ``terms`` float32 (n, 5) in the order of REWARDS, NaN
    where the recording lacks them."""

    rewards: np.ndarray
    terms: np.ndarray


Known = np.ndarray | None


def driving_reward(
    stamps_s: np.ndarray,
    speed: Known,
    yaw_rate: Known,
    lanes: Known,
    collisions: Known,
    target_speed: float = TARGET_SPEED_MPS,
    progress_m: Known = None,
) -> DrivingReward:
    """Reward of n intervals, version ``driving-1``, between about -11 and 1; with ``progress_m`` version ``driving-2``,
    between about -12 and 1.

    stamps_s (n + 1,) [s] of the intervals' ends; speed (n + 1,) [m/s] and yaw_rate (n + 1,) [rad/s] there;
    lanes (crossed) and collisions (n,), counts per interval. None where not recorded.

    efficiency: the mean speed as a share of ``target_speed`` [m/s], in [0, 1]; jerk: minus 0.1 at 10 m/s^3 and above,
    from the speed's second difference, unknown in the first interval; lateral_acceleration: minus 0.1 at 4 m/s^2 and
    above, of speed times yaw rate; lane_invasion: minus 1 for each; collision: minus 10 for an interval with any.

    progress, of driving-2 and there instead of efficiency: ``progress_m`` (n,) [m] along the route in the interval (NaN
    where unknown), as a share of what is driven at ``target_speed``, in [-1, 1].
    """
    count = len(stamps_s) - 1
    terms = np.full((count, len(TERMS)), np.nan)
    if speed is not None:
        mean_speed = 0.5 * (speed[1:] + speed[:-1])
        terms[:, 0] = EFFICIENCY * np.clip(mean_speed / target_speed, 0.0, 1.0)
        seconds = np.diff(stamps_s)
        jerk = driving.jerk(driving.longitudinal_acceleration(speed, seconds), seconds[1:])
        terms[1:, 1] = -JERK * np.minimum(np.abs(jerk) / FULL_JERK_MPS3, 1.0)
        if yaw_rate is not None:
            lateral = driving.lateral_acceleration(mean_speed, 0.5 * (yaw_rate[1:] + yaw_rate[:-1]))
            terms[:, 2] = -LATERAL * np.minimum(np.abs(lateral) / FULL_LATERAL_MPS2, 1.0)
    if progress_m is not None:
        terms[:, 0] = PROGRESS * np.clip(progress_m / (target_speed * np.diff(stamps_s)), -1.0, 1.0)
    if lanes is not None:
        terms[:, 3] = -LANE * lanes
    if collisions is not None:
        terms[:, 4] = -COLLISION * (np.asarray(collisions) > 0)
    return DrivingReward(np.nansum(terms, axis=1).astype(np.float32), terms.astype(np.float32))


def largest_return(episode: Episode, discount: float) -> float:
    """Size of the largest discounted return of any row; a drive that does not terminate continues with its mean."""
    largest = 0.0
    for _, drive in drives_in(episode):
        rewards = np.asarray(drive.rewards, np.float64)
        value = 0.0 if drive.terminals[-1] else float(rewards.mean()) / (1.0 - discount)
        for reward in rewards[::-1].tolist():
            value = reward + discount * value
            largest = max(largest, abs(value))
    return largest


def beyond(limit: float, largest_reward: float, largest_return: float, discount: float) -> str | None:
    """A message where rewards, or their returns, exceed the ``limit`` of a model's output; else None."""
    if not max(largest_reward, largest_return) > limit:
        return None
    what = "rewards of" if largest_reward > limit else f"discounted returns (discount {discount:g}) of"
    found = largest_reward if largest_reward > limit else largest_return
    enough = 10.0 ** np.ceil(np.log10(max(largest_reward, largest_return)))
    return (
        f"{what} up to {found:.4g} are beyond bin_limit {limit:g}, the most that the model can say, so all of them "
        f"look alike: train with --bin-limit {enough:.0f}"
    )
