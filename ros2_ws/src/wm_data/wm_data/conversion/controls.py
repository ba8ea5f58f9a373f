"""Controls derived from motion: angles, yaw rates and accelerations that were measured, as CARLA's fractions.

Their definition, also for driving, is in ``wm_bundle.vehicle_commands.definition``. Driving backwards and turning on
the spot cannot be expressed this way: such rows are skipped.
"""

import math

import numpy as np
from wm_bundle.vehicle_commands.definition import (
    DEFAULT_MAX_STEER_DEG,
    SPOT_TURN_RPS,
    pedals_of_acceleration,
    steer_of_angle,
)

USUAL_WHEELBASE_M = 2.85  # of a passenger car
STEADY_SPEED_MPS = 1.0  # below it noise dominates the yaw rate: the last angle is held
_STEADY_PER_S = 0.4  # and below this many wheelbases per second, for vehicles smaller than cars
BACKWARDS_MPS = 0.05  # slower than this is the noise of a stationary vehicle


def steady_speed_mps(wheelbase_m: float) -> float:
    """The speed [m/s] above which a measured yaw rate determines the steering; a shorter wheelbase reduces the effect
    of noise."""
    return min(STEADY_SPEED_MPS, _STEADY_PER_S * wheelbase_m)


def angle_of_yaw_rate(yaw_rate, speed, wheelbase_m: float):
    """Road wheel's angle [rad], positive left, from measured motion: atan(wheelbase * yaw rate / speed). yaw_rate (n,)
    [rad/s], speed (n,) [m/s]. Below ``steady_speed_mps`` the previous angle is held, 0 at the beginning."""
    yaw_rate, speed = np.asarray(yaw_rate, np.float64), np.asarray(speed, np.float64)
    steady = np.abs(speed) >= steady_speed_mps(wheelbase_m)
    angle = np.arctan(wheelbase_m * yaw_rate / np.where(steady, speed, 1.0))
    newest = np.maximum.accumulate(np.where(steady, np.arange(len(angle)), -1))
    return np.where(newest >= 0, angle[np.maximum(newest, 0)], 0.0)


def derived_controls(
    speeds: tuple[np.ndarray, np.ndarray],
    yaw_rate: np.ndarray,
    seconds: np.ndarray,
    wheelbase_m: float,
    max_steer_rad: float = math.radians(DEFAULT_MAX_STEER_DEG),
) -> tuple[np.ndarray, np.ndarray]:
    """Actions (n, 3) of n consecutive intervals, and in which of them the steer is held (n,), see
    ``angle_of_yaw_rate``.

    ``speeds`` at the beginnings and at the ends, (n,) each [m/s], ``yaw_rate`` (n,) [rad/s] positive left of the whole
    interval, ``seconds`` (n,) their durations. So the action of t explains what happened after t, and no later motion
    leaks into it. Only for intervals not marked by ``drives_backwards`` and ``turns_on_the_spot``."""
    before, after = (np.maximum(speed, 0.0) for speed in speeds)  # slow backward motion is noise
    middle_speed = 0.5 * (before + after)
    angle = angle_of_yaw_rate(yaw_rate, middle_speed, wheelbase_m)
    throttle, brake = pedals_of_acceleration((after - before) / seconds, middle_speed)
    controls = np.stack([steer_of_angle(angle, max_steer_rad), throttle, brake], axis=1)
    return controls, middle_speed < steady_speed_mps(wheelbase_m)


def drives_backwards(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """In which intervals (n,) a vehicle drives backwards, by its speeds (n,) [m/s] at both ends."""
    return np.minimum(before, after) < -BACKWARDS_MPS


def turns_on_the_spot(before: np.ndarray, after: np.ndarray, yaw_rate: np.ndarray) -> np.ndarray:
    """In which intervals (n,) a vehicle turns on the spot, by its speeds [m/s] and its yaw rate [rad/s], (n,)."""
    return (np.maximum(np.abs(before), np.abs(after)) < BACKWARDS_MPS) & (np.abs(yaw_rate) > SPOT_TURN_RPS)


def held_steer_note(held: int, rows: int, wheelbase_m: float) -> str:
    """A note for the report: the number of rows with held steer, and the remedy."""
    return (
        f"{held} of {rows} rows are slower than {steady_speed_mps(wheelbase_m):g} m/s, where a yaw rate gives no "
        f"steer: it is held from the row before, 0 at the beginning; a small vehicle's --wheelbase lowers this speed"
    )
