"""The vector inputs that a route gives, row by row: made by the same follower that drives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from wm_bundle.routes import DISTANCES_M, LEFT_CAP_M, Route, RouteFollower, RouteView
from wm_bundle.vector_inputs import VECTOR_INPUTS, VectorInput

ROUTE_INPUTS: tuple[VectorInput, ...] = tuple(
    entry for entry in VECTOR_INPUTS.values() if any(source.topic.kind == "route" for source in entry.sources)
)
"""Columns of an episode with a route, in order."""
_BEGIN_M = 30.0  # of a leg that begins here, what its first row is sought in
_STRAYED_M = 2.0  # progress differs from the way that was driven by at most as much again, and this


@dataclass(frozen=True, eq=False)
class Leg:
    """A route and how it is to be read. ``ends``: its end is a goal; otherwise what comes after it is not known.
    ``begins_here``: the first row is near its start."""

    route: Route
    ends: bool = True
    begins_here: bool = False


class RouteColumns(NamedTuple):
    """Of n rows. ``values``: (n,) each, by the vector input's name, NaN where unknown. ``progress_m`` (n - 1,): along
    the route from each row to the next; 0 while off the route, NaN where unknown."""

    values: dict[str, np.ndarray]
    progress_m: np.ndarray


def told_columns() -> list[dict]:
    """The columns' entries in an episode's meta: rows may lack them, as NaN."""
    return [{**entry.told, "gaps": True} for entry in ROUTE_INPUTS]


def follow(legs: Sequence[Leg | None], poses: np.ndarray) -> RouteColumns:
    """The columns of n rows with each one's leg, and pose (n, 3): x, y [m] and yaw [rad] in the route's frame; NaN where
    it is not known.

    A route point beyond the end of a leg that does not end there is unknown: repeating the end would tell the model
    of a goal where none was. At a goal the end is repeated, as it is while driving."""
    values = {entry.name: np.full(len(legs), np.nan) for entry in ROUTE_INPUTS}
    views: list[RouteView | None] = []
    follower, current = None, None
    for t, (leg, pose) in enumerate(zip(legs, poses.tolist(), strict=True)):
        if leg is None or not all(map(math.isfinite, pose)):
            views.append(None)
            continue
        if leg is not current:
            if follower is None or leg.begins_here:
                follower = _follower(leg, pose)
            else:
                follower.take(leg.route)
            current = leg
        views.append(follower.update(*pose))
        for name, number in _signals(views[-1], leg).items():
            values[name][t] = number
    return RouteColumns(values, _progress(views, poses))


def _follower(leg: Leg, pose: Sequence[float]) -> RouteFollower:
    if not leg.begins_here:
        return RouteFollower(leg.route, DISTANCES_M)
    points = leg.route.points[: max(2, int(np.searchsorted(leg.route.arc, _BEGIN_M)) + 1)]
    follower = RouteFollower(Route.of_points(points, leg.route.frame, closed=False), DISTANCES_M)
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
