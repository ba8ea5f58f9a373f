"""A route: the polyline that a vehicle is to drive, in one frame."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_SAME_M = 1e-6  # points closer than this are one point
_FARTHEST_M = 1e8  # no coordinate on Earth is larger: such a number is no position
# A route that ends where it began, in the same direction, is a closed loop: a race track, driven lap after lap.
_CLOSED_WITHIN_M, _CLOSED_WITHIN_SPACINGS = 2.0, 1.5
_CLOSED_MIN_GAPS = 8.0  # a loop is longer than this many gaps: a short straight is none
_CLOSED_WITHIN_RAD = math.radians(45.0)


class RouteError(ValueError):
    """A route that cannot be followed; one line says why."""


@dataclass(frozen=True, eq=False)
class Route:
    """A polyline in the plane. Make one with ``of_points`` or ``of_driven``, which check the points."""

    points: np.ndarray
    """(n, 2) [m], consecutive ones distinct; of a closed route the first is also the last."""
    frame: str
    """The frame of the points, as in a message's header."""
    closed: bool = False

    @classmethod
    def of_points(cls, points, frame: str, closed: bool | None = None) -> "Route":
        """The route through points (n, 2) or (n, 3) [m]; repeated points are dropped.

        ``closed`` None: closed if it ends where it began, within 2 m or 1.5 times the points' spacing, in the same
        direction. Raises RouteError for points that are no route."""
        points = _checked(points)
        steps = np.hypot(*np.diff(points, axis=0).T)
        points = points[np.concatenate([[True], steps > _SAME_M])]
        if len(points) < 2:
            raise RouteError(f"a route needs two distinct points, this one has {len(points)}")
        if closed is None:
            closed = _is_loop(points)
        if closed:
            apart = math.dist(points[0], points[-1]) > _SAME_M
            points = np.concatenate([points if apart else points[:-1], points[:1]])
        return cls(points, frame, closed)

    @classmethod
    def of_driven(cls, positions, frame: str, spacing_m: float = 0.5) -> "Route":
        """The route that a vehicle has driven: never closed, and with one point for every ``spacing_m``, so that the
        noise of a standing vehicle's positions adds no length."""
        positions = _checked(positions)
        kept = [0]
        for k, position in enumerate(positions.tolist()):
            if math.dist(position, positions[kept[-1]]) >= spacing_m:
                kept.append(k)
        if kept[-1] != len(positions) - 1 and len(kept) > 1:
            kept[-1] = len(positions) - 1  # the last position, instead of one near it
        return cls.of_points(positions[kept], frame, closed=False)

    @cached_property
    def arc(self) -> np.ndarray:
        """(n,) distance of each point from the start along the route [m]."""
        return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.points, axis=0).T))])

    @cached_property
    def length(self) -> float:
        """[m]"""
        return float(self.arc[-1])

    def at(self, places) -> np.ndarray:
        """The points (K, 2) at distances from the start [m]: beyond an end that end, unless the route is closed."""
        places = np.mod(places, self.length) if self.closed else places
        x, y = self._columns
        return np.stack([np.interp(places, self.arc, x), np.interp(places, self.arc, y)], axis=-1)

    def is_same(self, other: "Route | None") -> bool:
        """Whether another route has the same points in the same frame."""
        return other is not None and self.frame == other.frame and np.array_equal(self.points, other.points)

    @cached_property
    def _columns(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ascontiguousarray(self.points[:, 0]), np.ascontiguousarray(self.points[:, 1])


def _checked(points) -> np.ndarray:
    """Points (n, 2), float64. Raises RouteError."""
    try:
        points = np.array(points, np.float64)
    except (TypeError, ValueError):
        raise RouteError("a route is a list of points (x, y) [m]") from None
    if points.size == 0:
        raise RouteError("the route is empty")
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise RouteError(f"a route's points have the shape (n, 2) or (n, 3), these have {points.shape}")
    points = points[:, :2]
    wrong = ~(np.abs(points) <= _FARTHEST_M).all(axis=1)  # NaN is never smaller
    if wrong.any():
        k = int(np.argmax(wrong))
        raise RouteError(f"point {k} of {len(points)} is no position: ({points[k, 0]:g}, {points[k, 1]:g})")
    return points


def _is_loop(points: np.ndarray) -> bool:
    steps = np.diff(points, axis=0)
    lengths = np.hypot(*steps.T)
    gap_m = math.dist(points[0], points[-1])
    near_m = max(_CLOSED_WITHIN_M, _CLOSED_WITHIN_SPACINGS * float(np.median(lengths)))
    if gap_m > near_m or lengths.sum() < _CLOSED_MIN_GAPS * near_m:
        return False
    first, last = steps[0], steps[-1]
    turn = math.atan2(last[0] * first[1] - last[1] * first[0], float(last @ first))
    return abs(turn) <= _CLOSED_WITHIN_RAD
