"""The speed, as training and driving both mean it: how fast the vehicle is over ground, whichever way [m/s].

A vehicle status tells it so, without a sign. What has a sign, as an odometry or a speedometer, loses it on the way to
the model; whoever derives actions from a motion needs the sign, to know when the vehicle drives backwards.
"""

import math
from typing import Any

import numpy as np


def signed_speed(velocity: Any) -> float:
    """Speed [m/s], negative backwards, of a velocity x, y, z in the vehicle's own axes (REP-103: x forward).

    Not finite where one of the three is not.
    """
    return math.copysign(math.hypot(velocity.x, velocity.y, velocity.z), velocity.x)


def speed_input(speed_mps: float | np.ndarray) -> float | np.ndarray:
    """The input ``speed`` of a model [m/s], of one speed or many, signed or not."""
    return np.abs(speed_mps) if isinstance(speed_mps, np.ndarray) else abs(speed_mps)
