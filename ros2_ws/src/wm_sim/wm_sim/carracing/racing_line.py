"""The expert's line and its speed profile: computed once per track.

K points of the road's centre line, L points of the resampled line; both closed, in driving direction.
"""

import math

import numpy as np

SPACING_M = 1.0  # between points of the resampled line, about
ADMM_ROUNDS = 200
ADMM_PENALTY = 0.05
SMOOTHING_ROUNDS = 8
CURVATURE_STRIDE = 2  # points on each side, so that a bend of the polyline counts as part of an arc


def smooth_line(centre: np.ndarray, max_offset_m: float, centring: float) -> np.ndarray:
    """The line with the smallest bends inside a corridor around the centre line.

    Minimises the sum of squared second differences plus ``centring`` times the sum of squared offsets [1/m^2],
    subject to ``|offset| <= max_offset_m``: a quadratic programme with box constraints, solved by ADMM.

    Parameters
    ----------
    centre: (K, 2) [m], closed, evenly spaced

    Returns (K, 2) [m].
    """
    count = len(centre)
    along = np.roll(centre, -1, 0) - np.roll(centre, 1, 0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    identity = np.eye(count)
    # The sum of squared second differences is quadratic in the points, with this (K, K) stencil along each axis; the
    # points are centre + normal * offset.
    stencil = 6 * identity
    for shift, weight in ((1, -4), (-1, -4), (2, 1), (-2, 1)):
        stencil += weight * np.roll(identity, shift, axis=1)
    quadratic = stencil * (normal @ normal.T) + centring * identity
    linear = (normal * (stencil @ centre)).sum(axis=1)
    solve = np.linalg.inv(quadratic + ADMM_PENALTY * identity)
    inside, dual = np.zeros(count), np.zeros(count)
    for _ in range(ADMM_ROUNDS):
        free = solve @ (ADMM_PENALTY * (inside - dual) - linear)
        inside = np.clip(free + dual, -max_offset_m, max_offset_m)
        dual += free - inside
    return centre + normal * inside[:, None]


def resample(line: np.ndarray) -> tuple[np.ndarray, float]:
    """(K, 2) to (L, 2) points about SPACING_M apart, corners rounded; and their exact spacing [m]."""
    closed = np.vstack([line, line[:1]])
    distance = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    count = round(distance[-1] / SPACING_M)
    at = np.linspace(0.0, distance[-1], count, endpoint=False)
    points = np.stack([np.interp(at, distance, closed[:, axis]) for axis in range(2)], axis=1)
    for _ in range(SMOOTHING_ROUNDS):
        points = 0.25 * np.roll(points, 1, 0) + 0.5 * points + 0.25 * np.roll(points, -1, 0)
    return points, distance[-1] / count


def curvature(line: np.ndarray) -> np.ndarray:
    """(L,) signed curvature [1/m] of a closed line (L, 2), positive to the left; independent of the spacing."""
    ahead, behind = np.roll(line, -CURVATURE_STRIDE, 0), np.roll(line, CURVATURE_STRIDE, 0)
    first = (ahead - behind) / (2 * CURVATURE_STRIDE)
    second = (ahead - 2 * line + behind) / CURVATURE_STRIDE**2
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return cross / np.maximum((first**2).sum(axis=1) ** 1.5, 1e-9)


def speed_profile(
    curves: np.ndarray, spacing_m: float, lateral_grip: float, braking_grip: float, speed_limit: float
) -> np.ndarray:
    """(L,) [m/s]: the highest that holds every bend and still allows braking for the next one.

    Parameters
    ----------
    curves: (L,) curvature [1/m]
    lateral_grip, braking_grip: [m/s^2], shared between bending and braking by the friction ellipse
    speed_limit: [m/s]
    """
    bends = np.maximum(np.abs(curves), 1e-6)
    squared = np.minimum(lateral_grip / bends, speed_limit**2).tolist()
    bends, count = bends.tolist(), len(squared)
    # Backwards, twice around: the second round carries the braking for a bend just behind the start.
    for k in range(2 * count - 1, -1, -1):
        here, after = k % count, squared[(k + 1) % count]
        used = min(1.0, bends[here] * after / lateral_grip)
        squared[here] = min(squared[here], after + 2 * spacing_m * braking_grip * math.sqrt(1.0 - used**2))
    return np.sqrt(squared)
