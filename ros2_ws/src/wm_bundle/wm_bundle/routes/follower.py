"""Where a vehicle is along a route."""

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wm_bundle.routes.route import Route, RouteError

DISTANCES_M = (5.0, 10.0, 20.0, 40.0, 80.0)
LEFT_CAP_M = 100.0  # the signal route_left is not larger
_AT_ONE_PLACE = ("route_offset", "route_heading", "route_left")
_AHEAD = re.compile(r"route_(\d+(?:\.\d+)?)m_[xy]", re.ASCII)
# Of vehicles the size of a car; for smaller ones times ``scale_of`` the distances ahead.
_REACH_M = 5.0  # how far from the last place, plus what was driven, the next one is sought
_JUMP_M = 50.0  # a vehicle that is this far from its last position did not drive there
_AGAINST_M = 4.0  # a place where the route goes the other way counts as this much farther away
_LOST_M = 5.0  # farther than this from its place, a vehicle may be elsewhere on the route ...
_EVIDENCE_M = 5.0  # ... if it has driven that far along there
_START_M = 0.5  # of two places as near as each other, the earlier one: by up to this much
_CHORD_M = 1.0  # the direction at a place is that from this far behind it to this far ahead


def is_route_input(name: str) -> bool:
    """Whether a model's input of this name is one of ``RouteView.signals``."""
    return name in _AT_ONE_PLACE or _AHEAD.fullmatch(name) is not None


def distances_among(names: Iterable[str]) -> tuple[float, ...]:
    """The distances ahead [m] of the route's points among a model's inputs."""
    return tuple(sorted({float(found[1]) for name in names if (found := _AHEAD.fullmatch(name))}))


def scale_of(distances: Sequence[float]) -> float:
    """How large a vehicle's surroundings are beside a car's: by its nearest point ahead, and at most 1."""
    return min(1.0, min(distances, default=DISTANCES_M[0]) / DISTANCES_M[0])


class _Found(NamedTuple):
    """The point of the route that is the best for a vehicle."""

    place: float
    distance: float
    across: float
    """Positive if the vehicle is left of the route; at its ends, how far [m]."""
    direction: float
    cost: float


@dataclass(frozen=True, slots=True)
class RouteView:
    """A route as the vehicle sees it (REP-103: x forward, y left)."""

    points: np.ndarray
    """(K, 2) [m], in the vehicle's frame: the route at the follower's distances ahead; its end is repeated."""
    distances: tuple[float, ...]
    """(K,) [m] along the route."""
    offset: float
    """Distance from the route [m], positive if the vehicle is left of it."""
    heading: float
    """The vehicle's yaw minus the route's direction [rad], in (-pi, pi]."""
    left: float
    """Distance to the end along the route [m]; infinite on a closed one."""
    place: float
    """Distance from the start along the route [m]."""
    progress: float
    """How far the vehicle has come along the route since the first update [m]: laps add up, driving back subtracts."""
    completion: float
    """The largest share of the route that lay behind the vehicle so far, 0 to 1; of a closed one, of the first lap."""
    distance: float
    """Distance from the nearest point of the route near the place [m], never negative."""
    off_route: bool
    """Farther from the route than the follower's limit."""

    @property
    def facing_away(self) -> bool:
        """The route goes the other way: it is behind the vehicle."""
        return abs(self.heading) > math.pi / 2

    def signals(self) -> dict[str, float]:
        """The model's inputs by name."""
        named = {"route_offset": self.offset, "route_heading": self.heading, "route_left": min(self.left, LEFT_CAP_M)}
        for distance, (x, y) in zip(self.distances, self.points.tolist(), strict=True):
            named[f"route_{distance:g}m_x"], named[f"route_{distance:g}m_y"] = x, y
        return named


class RouteFollower:
    """Follows a vehicle along a route, by its positions, at any rate.

    The next place is sought near the last one, so crossings, loops and laps do not confuse it. It is sought on the
    whole route at first, after a jump of the position, and while the vehicle is lost: then another place counts once
    the vehicle has driven along there for a while."""

    def __init__(self, route: Route, distances: Sequence[float] = DISTANCES_M, off_route_m: float = 10.0):
        """``distances`` [m]: of the points ahead. Raises RouteError for those that are not positive and ascending."""
        self.distances = tuple(float(distance) for distance in distances)
        if not all(a < b < math.inf for a, b in zip((0.0, *self.distances), self.distances, strict=False)):
            raise RouteError(f"the distances ahead are positive and ascending, not {self.distances}")
        self.off_route_m = off_route_m
        self._scale = scale_of(self.distances)
        self._offsets = (-_CHORD_M * self._scale, _CHORD_M * self._scale, *self.distances)
        self.route = route
        self._lay_out()
        self._forget()

    def take(self, route: Route) -> None:
        """Follow another route from now on. The place stays where the new route continues the old one: from the same
        start, through the same place. Otherwise it is sought anew; the completion is then that of the new route."""
        old, self.route = self.route, route
        self._lay_out()
        if self._place is not None and route.closed == old.closed:
            places = [0.0, self._place]
            if np.abs(old.at(places) - route.at(places)).max() <= _START_M * self._scale:
                return
        self._forget()

    def update(self, x: float, y: float, yaw: float) -> RouteView:
        """The view from a position [m] and a yaw [rad] in the route's frame. Raises RouteError if one is not finite."""
        if not math.isfinite(x + y + yaw):
            raise RouteError(f"the vehicle's position is not finite: ({x:g}, {y:g}), yaw {yaw:g}")
        facing = math.cos(yaw), math.sin(yaw)
        moved_m = math.inf if self._last is None else math.dist(self._last, (x, y))
        self._last = (x, y)
        if self._place is None or moved_m > _JUMP_M * self._scale:
            self._advance(self._nearest(x, y, facing, *self._whole, anew=True).place, sought=True)
            moved_m = 0.0
        found = self._near(x, y, facing, moved_m)
        return self._view(x, y, yaw, facing, found)

    def _forget(self) -> None:
        self._place: float | None = None
        self._last: tuple[float, float] | None = None
        self._candidate: tuple[float, float] | None = None  # (its place at first, driven since)
        self._progress = self._completion = 0.0

    def _lay_out(self) -> None:
        """The route's segments in arrays; those of a closed one three times: a lap before and a lap after."""
        route = self.route
        steps = np.diff(route.points, axis=0)
        lengths = np.diff(route.arc)
        count, laps = len(lengths), (-1, 0, 1) if route.closed else (0,)
        starts = np.concatenate([route.arc[:-1] + lap * route.length for lap in laps])
        self._starts = starts.tolist()
        columns = (*route.points[:-1].T, *(steps / lengths[:, None]).T, lengths)
        self._arc, self._steps = route.arc.tolist(), np.stack(columns[:4], axis=-1).tolist()
        self._segments = (*(np.tile(column, len(laps)) for column in columns), starts)
        self._whole = (count, 2 * count) if route.closed else (0, count)

    def _nearest(
        self, x: float, y: float, facing: tuple[float, float], first: int, last: int, anew: bool = False
    ) -> _Found:
        """The best point of some segments: the nearest, where the route does not go the other way. ``anew``: nothing
        else tells the arms of a crossing apart, so any difference of the directions counts."""
        px, py, dx, dy, lengths, starts = (column[first:last] for column in self._segments)
        rx, ry = x - px, y - py
        along = np.minimum(np.maximum(rx * dx + ry * dy, 0.0), lengths)
        rx, ry = rx - along * dx, ry - along * dy
        squared = rx * rx + ry * ry
        along_with = dx * facing[0] + dy * facing[1]
        against = 1.0 - along_with if anew else np.minimum(along_with, 0.0)
        cost = squared + (_AGAINST_M * self._scale) ** 2 * (against * against)
        if anew and not self.route.closed:
            cost = np.sqrt(cost) + starts * (_START_M * self._scale / self.route.length)
        k = int(cost.argmin())
        ux, uy = float(dx[k]), float(dy[k])
        place, distance, direction = float(starts[k] + along[k]), math.sqrt(squared[k]), math.atan2(uy, ux)
        beside = first + int(k) + bool(along[k] >= lengths[k]) - bool(along[k] <= 0.0)
        if beside != first + k and 0 <= beside < len(self._starts):  # at a corner: what is left of both directions
            ux, uy = ux + float(self._segments[2][beside]), uy + float(self._segments[3][beside])
        across = ux * float(ry[k]) - uy * float(rx[k])
        return _Found(place, distance, across, direction, float(cost[k]))

    def _near(self, x: float, y: float, facing: tuple[float, float], moved_m: float) -> _Found:
        """The best point near the last place; elsewhere with evidence."""
        half = self.route.length / 2 if self.route.closed else math.inf
        reach = min(_REACH_M * self._scale + moved_m, half)
        first = max(bisect_right(self._starts, self._place - reach) - 1, 0)
        found = self._nearest(x, y, facing, first, bisect_left(self._starts, self._place + reach, lo=first + 1))
        if found.cost <= (_LOST_M * self._scale) ** 2:
            self._candidate = None
        else:
            other = self._elsewhere(x, y, facing, moved_m, found.cost)
            if other is not None:
                self._advance(other.place, sought=True)
                return other
        self._advance(found.place)
        return found

    def _elsewhere(self, x: float, y: float, facing: tuple[float, float], moved_m: float, cost: float) -> _Found | None:
        """A much better point than the one near the last place, once the vehicle has driven along there."""
        found = self._nearest(x, y, facing, *self._whole)
        if found.cost > min(cost / 4, (_LOST_M * self._scale) ** 2):
            self._candidate = None
            return None
        if self._candidate is None:
            self._candidate = found.place, 0.0
            return None
        began, driven = self._candidate[0], self._candidate[1] + moved_m
        came = found.place - began
        if self.route.closed:
            came = (came + self.route.length / 2) % self.route.length - self.route.length / 2
        if abs(came - driven) > self._scale + driven / 2:  # not along there
            self._candidate = found.place, 0.0
            return None
        self._candidate = began, driven
        return found if driven >= _EVIDENCE_M * self._scale else None

    def _advance(self, place: float, sought: bool = False) -> None:
        """Note a place; one that was sought on the whole route adds nothing to the progress."""
        length, closed = self.route.length, self.route.closed
        if not sought:
            self._progress += place - self._place
        elif self._place is None:
            self._progress = 0.0
        if sought:
            self._candidate = None
        self._place = place % length if closed else place
        reached = (self._progress if closed else self._place) / length
        self._completion = min(max(self._completion, reached), 1.0)

    def _point(self, place: float) -> tuple[float, float]:
        """One point of ``Route.at``; for a few, numpy would take longer."""
        place = place % self.route.length if self.route.closed else min(max(place, 0.0), self.route.length)
        k = min(max(bisect_right(self._arc, place) - 1, 0), len(self._steps) - 1)
        px, py, dx, dy = self._steps[k]
        along = place - self._arc[k]
        return px + along * dx, py + along * dy

    def _view(self, x: float, y: float, yaw: float, facing: tuple[float, float], found: _Found) -> RouteView:
        route, place = self.route, self._place
        (bx, by), (cx, cy), *ahead = [self._point(place + offset) for offset in self._offsets]
        chord = _CHORD_M * self._scale
        there = math.hypot(cx - bx, cy - by) > chord / 4 or route.length < chord
        heading = yaw - (math.atan2(cy - by, cx - bx) if there else found.direction)  # there and back again: no chord
        cos, sin = facing
        at_end = not route.closed and not 0.0 < place < route.length
        return RouteView(
            points=np.array([((px - x) * cos + (py - y) * sin, (py - y) * cos - (px - x) * sin) for px, py in ahead]),
            distances=self.distances,
            offset=found.across if at_end else math.copysign(found.distance, found.across),
            heading=math.pi - (math.pi - heading) % (2 * math.pi),
            left=math.inf if route.closed else route.length - place,
            place=place,
            progress=self._progress,
            completion=self._completion,
            distance=found.distance,
            off_route=found.distance > self.off_route_m,
        )
