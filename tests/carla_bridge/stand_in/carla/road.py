"""The road, an oval on a plane, in CARLA's axes."""

import math

import numpy as np

STRAIGHT, RADIUS = 120.0, 45.0  # [m]; the lane is 4 m wide, as is the one beside it
LENGTH = 2 * STRAIGHT + 2 * math.pi * RADIUS


def _at(s: float) -> tuple[float, float, float]:
    """Point [m] and heading [rad] of the lane's middle after ``s`` metres."""
    s %= LENGTH
    bend = math.pi * RADIUS
    if s < STRAIGHT:
        return s, 0.0, 0.0
    if s < STRAIGHT + bend:
        a = (s - STRAIGHT) / RADIUS
        return STRAIGHT + RADIUS * math.sin(a), RADIUS * (1 - math.cos(a)), a
    if s < 2 * STRAIGHT + bend:
        return STRAIGHT - (s - STRAIGHT - bend), 2 * RADIUS, math.pi
    a = (s - 2 * STRAIGHT - bend) / RADIUS
    return -RADIUS * math.sin(a), RADIUS * (1 + math.cos(a)), math.pi + a


STEP = 2.0  # [m] between two points of MIDDLE
MIDDLE = np.array([_at(s) for s in np.arange(0.0, LENGTH, STEP)])
RIGHT = np.stack([-np.sin(MIDDLE[:, 2]), np.cos(MIDDLE[:, 2])], 1)  # unit vectors to the right


def point(share: float) -> tuple[float, float]:
    """Of the lane's middle, after that share of its length."""
    return _at(share * LENGTH)[:2]


def heading(share: float) -> float:
    """There [degrees]."""
    return math.degrees(_at(share * LENGTH)[2])


def nearest(place) -> int:
    return int(np.argmin(np.hypot(*(MIDDLE[:, :2] - np.asarray(place)[:2]).T)))


def offset(place) -> float:
    """Metres to the right of the lane's middle."""
    k = nearest(place)
    return float((np.array(place[:2]) - MIDDLE[k, :2]) @ RIGHT[k])


def pursuit(place, yaw: float, wheelbase: float, limit: float) -> float:
    """Steering, -1 to 1, towards a point 10 m further on; ``limit`` [rad] is the wheels' largest angle."""
    k = (nearest(place) + 5) % len(MIDDLE)
    dx, dy = MIDDLE[k, 0] - place[0], MIDDLE[k, 1] - place[1]
    angle = math.remainder(math.atan2(dy, dx) - math.radians(yaw), 2 * math.pi)
    steer = math.atan(2 * wheelbase * math.sin(angle) / max(math.hypot(dx, dy), 1.0))
    return max(-1.0, min(1.0, steer / limit))
