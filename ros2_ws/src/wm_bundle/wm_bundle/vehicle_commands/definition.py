"""What steer, throttle and brake mean as an angle and an acceleration, in both directions: recordings are converted by
it, and vehicles are driven by it.

Steer is the road wheel's angle as a fraction of ``max_steer_rad``, positive right; angles and yaw rates are positive
left (REP-103). Pedals are those that would give the acceleration to a vehicle that reaches ``THROTTLE_MPS2`` at full
throttle and ``BRAKE_MPS2`` at full brake, with drag: inverse dynamics, not the driver's feet.

Functions take floats or arrays alike.
"""

import math

import numpy as np

DEFAULT_MAX_STEER_DEG = 70.0
THROTTLE_MPS2 = 4.0
BRAKE_MPS2 = 8.0
ROLLING_MPS2 = 0.15  # rolling resistance, about 0.015 g
DRAG_PER_M = 4e-4  # air: half of density * drag coefficient * area / mass of a passenger car [1/m]
DEADBAND_MPS2 = 0.1  # accelerations closer to coasting than this press no pedal: the noise of a log
STANDING_MPS = 0.1  # slower vehicles have no drag
SPOT_TURN_RPS = 0.2  # a stationary vehicle that turns faster than this has no steered wheels
REACH_S = 1.0  # a speed commanded without an acceleration is one to reach within this time


def coasting_mps2(speed):
    """Deceleration [m/s^2] at a speed [m/s] with no pedal pressed."""
    return (abs(speed) > STANDING_MPS) * (ROLLING_MPS2 + DRAG_PER_M * speed * speed)


def steer_of_angle(angle_rad, max_steer_rad: float = math.radians(DEFAULT_MAX_STEER_DEG)):
    """Steer in [-1, 1], positive right, of a road wheel's angle [rad], positive left."""
    return np.clip(-np.asarray(angle_rad, np.float64) / max_steer_rad, -1.0, 1.0)


def angle_of_steer(steer, max_steer_rad: float):
    """The inverse of ``steer_of_angle``."""
    return -steer * max_steer_rad


def pedals_of_acceleration(acceleration, speed, full_throttle: float = THROTTLE_MPS2, full_brake: float = BRAKE_MPS2):
    """(throttle, brake) in [0, 1], never both, of accelerations [m/s^2] along the vehicle at speeds [m/s]; full pedals
    give ``full_throttle`` and ``full_brake`` [m/s^2]."""
    wanted = np.asarray(acceleration, np.float64) + coasting_mps2(np.asarray(speed, np.float64))
    throttle = np.where(wanted > DEADBAND_MPS2, np.clip(wanted / full_throttle, 0.0, 1.0), 0.0)
    brake = np.where(wanted < -DEADBAND_MPS2, np.clip(-wanted / full_brake, 0.0, 1.0), 0.0)
    return throttle, brake


def angle_of_curvature(yaw_rate: float, speed: float, wheelbase_m: float) -> float:
    """Road wheel's angle [rad], positive left, of a vehicle commanded to turn by yaw rate / speed: exactly that of the
    kinematic bicycle, atan(wheelbase * curvature), at any speed other than 0."""
    return math.atan(wheelbase_m * yaw_rate / speed)


def yaw_rate_of_angle(angle_rad: float, speed: float, wheelbase_m: float) -> float:
    """The inverse of ``angle_of_curvature`` [rad/s]."""
    return speed * math.tan(angle_rad) / wheelbase_m
