"""Roughly where imagined commands would lead: a sketch for display, never used to drive.

The world model has no positions, so commands go through a kinematic bicycle model with typical car parameters. Grip,
slip and the real car's parameters are ignored.

Shapes: N candidates, H horizon.
"""

import numpy as np

WHEELBASE_M = 2.8
STEER_ANGLE_RAD = 0.6  # of the front wheels at steer 1
ACCELERATION_MPS2 = 4.0  # at throttle 1
BRAKING_MPS2 = 8.0  # at brake 1


def sketch_paths(commands: np.ndarray, speed_mps: float, period_s: float) -> np.ndarray:
    """Paths (N, H + 1, 2) [m] of ``commands`` (N, H, 3) [steer, throttle, brake] from the origin, H periods long.

    Axes as in REP-103: x forward, y to the left; steer is positive to the right.
    """
    steer, throttle, brake = (commands[..., index].astype(np.float64) for index in range(3))
    accelerations = ACCELERATION_MPS2 * throttle - BRAKING_MPS2 * brake
    count, horizon = steer.shape
    points = np.zeros((count, horizon + 1, 2))
    speed = np.full(count, max(speed_mps, 0.0))
    heading = np.zeros(count)
    for step in range(horizon):
        faster = np.maximum(speed + accelerations[:, step] * period_s, 0.0)
        length = 0.5 * (speed + faster) * period_s
        turn = -length * np.tan(STEER_ANGLE_RAD * steer[:, step]) / WHEELBASE_M
        middle = heading + 0.5 * turn
        points[:, step + 1, 0] = points[:, step, 0] + length * np.cos(middle)
        points[:, step + 1, 1] = points[:, step, 1] + length * np.sin(middle)
        speed, heading = faster, heading + turn
    return points
