"""One meaning for steer, throttle and brake: from angles, accelerations and speeds to the fractions CARLA uses.

Steer is the road wheel's angle as a fraction of ``max_steer_rad``, positive right; angles and yaw rates are positive
left (REP-103). Pedals are what would give the acceleration to a vehicle that reaches ``THROTTLE_MPS2`` with a full
throttle and ``BRAKE_MPS2`` with a full brake and is slowed by drag: inverse dynamics, not the driver's feet.
"""

import math

import numpy as np

DEFAULT_MAX_STEER_DEG = 70.0
THROTTLE_MPS2 = 4.0
BRAKE_MPS2 = 8.0
ROLLING_MPS2 = 0.15  # rolling resistance, about 0.015 g
DRAG_PER_M = 4e-4  # air: half of density * drag coefficient * area / mass of a passenger car [1/m]
DEADBAND_MPS2 = 0.1  # accelerations nearer to coasting than this press no pedal: below the noise of a log
STEADY_SPEED_MPS = 1.0  # below it the yaw rate's noise says more than the steering: the last angle is held


def steer_of_angle(angle_rad, max_steer_rad: float = math.radians(DEFAULT_MAX_STEER_DEG)):
    """Steer in [-1, 1], positive right, of a road wheel's angle [rad], positive left."""
    return np.clip(-np.asarray(angle_rad, np.float64) / max_steer_rad, -1.0, 1.0)


def angle_of_yaw_rate(yaw_rate, speed, wheelbase_m: float):
    """Road wheel's angle [rad], positive left, of the kinematic bicycle: atan(wheelbase * yaw rate / speed).

    yaw_rate (n,) [rad/s], speed (n,) [m/s]. Where the speed is below STEADY_SPEED_MPS the angle before is held, 0 at
    the beginning.
    """
    yaw_rate, speed = np.asarray(yaw_rate, np.float64), np.asarray(speed, np.float64)
    steady = np.abs(speed) >= STEADY_SPEED_MPS
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
    speed: np.ndarray,
    yaw_rate: np.ndarray,
    stamps_s: np.ndarray,
    wheelbase_m: float,
    max_steer_rad: float = math.radians(DEFAULT_MAX_STEER_DEG),
) -> np.ndarray:
    """Actions (n, 3) of n intervals from the motion at their n + 1 ends.

    speed (n + 1,) [m/s], yaw_rate (n + 1,) [rad/s] positive left, stamps_s (n + 1,) [s]. The differences are forward,
    from t to t + 1: the action of t explains what happened after t, and no later motion leaks into it. The steering
    is that of the interval's two ends together.
    """
    acceleration = np.diff(speed) / np.diff(stamps_s)
    middle_speed = 0.5 * (speed[1:] + speed[:-1])
    angle = angle_of_yaw_rate(0.5 * (yaw_rate[1:] + yaw_rate[:-1]), middle_speed, wheelbase_m)
    throttle, brake = pedals_of_acceleration(acceleration, middle_speed)
    return np.stack([steer_of_angle(angle, max_steer_rad), throttle, brake], axis=1)
