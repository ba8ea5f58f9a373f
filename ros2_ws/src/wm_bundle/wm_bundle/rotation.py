"""Rotations as ROS and data sets have them: quaternions of length 1."""

import math


def yaw_of(x: float, y: float, z: float, w: float) -> float:
    """Heading [rad] of a quaternion, counter-clockwise from x."""
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
