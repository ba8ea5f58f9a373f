"""One definition of steer, throttle and brake: from angles, accelerations and speeds to CARLA's fractions.

Steer is the road wheel's angle as a fraction of ``max_steer_rad``, positive right; angles and yaw rates are positive
left (REP-103). Pedals are those that would give the acceleration to a vehicle that reaches ``THROTTLE_MPS2`` at full
throttle and ``BRAKE_MPS2`` at full brake, with drag: inverse dynamics, not the driver's feet.

Driving backwards and turning on the spot cannot be expressed this way: such rows are skipped.
"""

import math

import numpy as np

DEFAULT_MAX_STEER_DEG = 70.0
THROTTLE_MPS2 = 4.0
BRAKE_MPS2 = 8.0
ROLLING_MPS2 = 0.15  # rolling resistance, about 0.015 g
DRAG_PER_M = 4e-4  # air: half of density * drag coefficient * area / mass of a passenger car [1/m]
DEADBAND_MPS2 = 0.1  # accelerations closer to coasting than this press no pedal: the noise of a log
USUAL_WHEELBASE_M = 2.85  # of a passenger car
STEADY_SPEED_MPS = 1.0  # below it noise dominates the yaw rate: the last angle is held
_STEADY_PER_S = 0.4  # and below this many wheelbases per second, for vehicles smaller than cars
BACKWARDS_MPS = 0.05  # slower than this is the noise of a stationary vehicle
SPOT_TURN_RPS = 0.2  # a stationary vehicle that turns faster than this has no steered wheels


def steer_of_angle(angle_rad, max_steer_rad: float = math.radians(DEFAULT_MAX_STEER_DEG)):
    """Steer in [-1, 1], positive right, of a road wheel's angle [rad], positive left."""
    return np.clip(-np.asarray(angle_rad, np.float64) / max_steer_rad, -1.0, 1.0)


def steady_speed_mps(wheelbase_m: float) -> float:
    """The speed [m/s] above which a measured yaw rate determines the steering; a shorter wheelbase reduces the effect
    of noise."""
    return min(STEADY_SPEED_MPS, _STEADY_PER_S * wheelbase_m)


def angle_of_curvature(yaw_rate: float, speed: float, wheelbase_m: float) -> float:
    """Road wheel's angle [rad], positive left, of a vehicle commanded to turn by yaw rate / speed: exactly that of the
    kinematic bicycle, atan(wheelbase * curvature), at any speed other than 0."""
    return math.atan(wheelbase_m * yaw_rate / speed)


def angle_of_yaw_rate(yaw_rate, speed, wheelbase_m: float):
    """Road wheel's angle [rad], positive left, from measured motion: atan(wheelbase * yaw rate / speed). yaw_rate (n,)
    [rad/s], speed (n,) [m/s]. Below ``steady_speed_mps`` the previous angle is held, 0 at the beginning."""
    yaw_rate, speed = np.asarray(yaw_rate, np.float64), np.asarray(speed, np.float64)
    steady = np.abs(speed) >= steady_speed_mps(wheelbase_m)
    angle = np.arctan(wheelbase_m * yaw_rate / np.where(steady, speed, 1.0))
    newest = np.maximum.accumulate(np.where(steady, np.arange(len(angle)), -1))
    return np.where(newest >= 0, angle[np.maximum(newest, 0)], 0.0)


def pedals_of_acceleration(acceleration, speed):
    """(throttle, brake) in [0, 1], never both, of accelerations [m/s^2] along the vehicle at speeds [m/s]."""
    speed = np.asarray(speed, np.float64)
    coasting = np.where(np.abs(speed) > 0.1, ROLLING_MPS2 + DRAG_PER_M * speed**2, 0.0)
    wanted = np.asarray(acceleration, np.float64) + coasting
    throttle = np.where(wanted > DEADBAND_MPS2, np.clip(wanted / THROTTLE_MPS2, 0.0, 1.0), 0.0)
    brake = np.where(wanted < -DEADBAND_MPS2, np.clip(-wanted / BRAKE_MPS2, 0.0, 1.0), 0.0)
    return throttle, brake


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
