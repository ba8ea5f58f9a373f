"""A route made of the path that was driven: what the driver was to do, known afterwards.

The path is smoothed, so that the wheel's jitter is no part of the route, and may be shifted to the side by a slowly
changing distance: without it the vehicle is always exactly on its route, and a model never learns what being beside it
means. The numbers stay true: whatever line is the route, the vehicle's distance from it changes by how it moves.
"""

import numpy as np
from wm_bundle.routes import LEFT_CAP_M, Route, RouteError

from wm_data.routes.driven import DrivenPath
from wm_data.routes.following import Leg

SPACING_M = 1.0
SMOOTHED_M = 2.0  # standard deviation of the weights: a circle of 10 m radius becomes one of 9.8 m
SHIFTS_OVER_M = 15.0  # along the route, the same of the sideways shift
_BEFORE_M, _MORE_M = 10.0, 50.0
_FRAME = "hindsight"


def hindsight_route(positions: np.ndarray, noise_m: float = 0.0, seed: int = 0, scale: float = 1.0) -> Route:
    """The route along driven positions (n, 2). ``noise_m``: standard deviation of its shift to the side, never more
    than twice that; the same ``seed`` shifts it the same way. ``scale``: of the vehicle's surroundings beside a car's,
    see ``scale_of``. Raises RouteError where nothing was driven."""
    driven = Route.of_driven(np.asarray(positions) / scale, _FRAME)
    noise_m = noise_m / scale
    if driven.length < 2.0 * SPACING_M:
        drove_m, least_m = scale * driven.length, 2.0 * SPACING_M * scale
        raise RouteError(f"the vehicle drove {drove_m:.1f} m, expected at least {least_m:g} m")
    count = round(driven.length / SPACING_M) + 1
    points = _smooth(driven.at(np.linspace(0.0, driven.length, count)), SMOOTHED_M)
    if noise_m:
        along = np.gradient(points, axis=0)
        along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
        left = np.stack([-along[:, 1], along[:, 0]], axis=1)
        points = points + noise_m * _shifts(count, seed)[:, None] * left
    return Route.of_points(scale * points, _FRAME, closed=False)


def hindsight_legs(
    path: DrivenPath,
    stamps_ns: np.ndarray,
    place: int | None,
    noise_m: float = 0.0,
    seed: int = 0,
    ahead_m: float = LEFT_CAP_M,
    scale: float = 1.0,
) -> tuple[np.ndarray, list[Leg | None]]:
    """The poses (n, 3) of rows at ``stamps_ns`` (n,), and each one's leg: None where no path is known. ``ahead_m``: how
    far ahead of the last row it is needed. ``scale`` as in ``hindsight_route``."""
    after_m = max(ahead_m, LEFT_CAP_M) + _MORE_M
    poses, pieces = path.at(stamps_ns, place)
    legs: dict[int, Leg | None] = {-1: None}
    for piece in np.unique(pieces[pieces >= 0]).tolist():
        rows = np.flatnonzero(pieces == piece)
        positions, stands = path.between(piece, stamps_ns[rows[0]], stamps_ns[rows[-1]], _BEFORE_M, after_m)
        try:
            legs[piece] = Leg(hindsight_route(positions, noise_m, seed + piece, scale), ends=stands, begins_here=True)
        except RouteError:  # the vehicle stands
            legs[piece] = None
    return poses, [legs[piece] for piece in pieces.tolist()]


def _smooth(points: np.ndarray, deviation_m: float) -> np.ndarray:
    """Points (n, 2) in steps of SPACING_M, weighted by a Gaussian along the way; the ends stay."""
    reach = min(round(3.0 * deviation_m / SPACING_M), len(points) - 1)
    before = 2.0 * points[0] - points[reach:0:-1]
    after = 2.0 * points[-1] - points[-2 : -reach - 2 : -1]
    extended = np.concatenate([before, points, after])
    weights = _weights(reach, deviation_m)
    return np.stack([np.convolve(column, weights, "valid") for column in extended.T], axis=1)


def _weights(reach: int, deviation_m: float) -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * SPACING_M / deviation_m) ** 2)
    return weights / weights.sum()


def _shifts(count: int, seed: int) -> np.ndarray:
    """(count,) smooth random numbers of standard deviation 1, limited to 2."""
    reach = round(3.0 * SHIFTS_OVER_M / SPACING_M)
    weights = _weights(reach, SHIFTS_OVER_M)
    white = np.random.default_rng([seed, 0x726F]).normal(size=count + 2 * reach)
    return np.clip(np.convolve(white, weights / np.linalg.norm(weights), "valid"), -2.0, 2.0)
