"""The vector inputs that a route gives, row by row: made by the same follower that drives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from wm_bundle.routes import DISTANCES_M, LEFT_CAP_M, Route, RouteFollower, RouteView, distances_among, is_route_input
from wm_bundle.vector_inputs import VECTOR_INPUTS

from wm_data.routes.driven import DrivenPath

ROUTE_INPUTS = tuple(filter(is_route_input, VECTOR_INPUTS))
"""The usual columns of an episode with a route, in order."""
_BEGIN_M = 30.0  # of a leg that begins here, what its first row is sought in
_STRAYED_M = 2.0  # progress differs from the way that was driven by at most as much again, and this


@dataclass(frozen=True, eq=False)
class Leg:
    """A route and how it is to be read. ``ends``: its end is a goal; otherwise what comes after it is not known.
    ``begins_here``: the first row is near its start."""

    route: Route
    ends: bool = True
    begins_here: bool = False


class Recorded(NamedTuple):
    """The path of a recording, its origin in words, and the legs in force, each from its place in the order of
    recording on (None: no route); no legs: the route is made in hindsight."""

    path: DrivenPath
    origin: str
    legs: list[tuple[int, Leg | None]] | None = None


class RouteColumns(NamedTuple):
    """Of n rows. ``values``: (n,) each, by the vector input's name, NaN where unknown. ``progress_m`` (n - 1,): along
    the route from each row to the next; 0 while off the route, NaN where unknown. ``astray`` (n,): the vehicle is off
    the route or faces the other way, where a planner brakes."""

    values: dict[str, np.ndarray]
    progress_m: np.ndarray
    astray: np.ndarray


def follow(legs: Sequence[Leg | None], poses: np.ndarray, names: Sequence[str] = ROUTE_INPUTS) -> RouteColumns:
    """The columns of n rows with each one's leg, and pose (n, 3): x, y [m] and yaw [rad] in the route's frame, NaN
    where unknown. ``names``: of the wanted inputs.

    A route point beyond the end of a leg that does not end there is unknown: repeating the end would tell the model
    of a goal where none was. At a goal the end is repeated, as it is while driving."""
    values = {name: np.full(len(legs), np.nan) for name in names}
    distances = distances_among(names) or DISTANCES_M
    views: list[RouteView | None] = []
    follower, current = None, None
    for t, (leg, pose) in enumerate(zip(legs, poses.tolist(), strict=True)):
        if leg is None or not all(map(math.isfinite, pose)):
            views.append(None)
            continue
        if leg is not current:
            if follower is None or leg.begins_here:
                follower = _follower(leg, pose, distances)
            else:
                follower.take(leg.route)
            current = leg
        views.append(follower.update(*pose))
        signals = _signals(views[-1], leg)
        for name, column in values.items():
            column[t] = signals[name]
    astray = [view is not None and (view.off_route or view.facing_away) for view in views]
    return RouteColumns(values, _progress(views, poses), np.array(astray, bool))


def _follower(leg: Leg, pose: Sequence[float], distances: Sequence[float]) -> RouteFollower:
    if not leg.begins_here:
        return RouteFollower(leg.route, distances)
    points = leg.route.points[: max(2, int(np.searchsorted(leg.route.arc, _BEGIN_M)) + 1)]
    follower = RouteFollower(Route.of_points(points, leg.route.frame, closed=False), distances)
    follower.update(*pose)
    follower.take(leg.route)  # from the same start: the place stays
    return follower


def _signals(view: RouteView, leg: Leg) -> dict[str, float]:
    signals = view.signals()
    if not leg.ends:
        beyond = [f"route_{distance:g}m_{axis}" for distance in view.distances if distance > view.left for axis in "xy"]
        signals |= dict.fromkeys([*beyond, *(["route_left"] if view.left < LEFT_CAP_M else [])], math.nan)
    return signals


def _progress(views: list[RouteView | None], poses: np.ndarray) -> np.ndarray:
    progress = np.array([math.nan if view is None else view.progress for view in views])
    off = np.array([view is not None and view.off_route for view in views])
    made, moved = np.diff(progress), np.hypot(*np.diff(poses[:, :2], axis=0).T)
    made[np.abs(made) > 2.0 * moved + _STRAYED_M] = np.nan  # another route, or another place on it
    return np.where(off[1:], 0.0 * made, made)
