"""How drivers in the town choose their acceleration: highway-env's Intelligent Driver Model, with its parameters."""

import math

from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.kinematics import Vehicle

ACCELERATION = 2.5  # [m/s^2] at most; highway-env's 3.0 are for motorways
BRAKING = -IDMVehicle.COMFORT_ACC_MIN  # [m/s^2] comfortable at most
HARDEST = IDMVehicle.ACC_MAX  # [m/s^2] of braking
REST_M = 2.5  # bumper to bumper at rest; highway-env's 5.0 are for motorways
LINE_REST_M = 1.0  # before a stop line
TIME_S = IDMVehicle.TIME_WANTED
STOPPING = 3.5  # [m/s^2] of braking that a yellow light is worth


def wanted_acceleration(
    speed: float, wanted: float, gap: float = math.inf, leader: float = 0.0, rest: float = REST_M
) -> float:
    """[m/s^2] at a speed, for a wanted speed and a leader with its own speed [m/s], ``gap`` [m] ahead."""
    result = ACCELERATION * (1.0 - (speed / max(wanted, 0.1)) ** IDMVehicle.DELTA)
    if gap < math.inf:
        closing = speed * (speed - leader) / (2.0 * math.sqrt(ACCELERATION * BRAKING))
        desired = rest + max(0.0, speed * TIME_S + closing)
        result -= ACCELERATION * (desired / max(gap, 0.1)) ** 2
    return max(-HARDEST, result)


def can_stop(speed: float, distance: float, braking: float = STOPPING) -> bool:
    """Whether a car stops within a distance [m] by braking this hard."""
    return speed**2 <= 2.0 * braking * distance


HALF_M = Vehicle.LENGTH / 2
