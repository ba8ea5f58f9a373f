"""The ground of a town: what is asphalt, its markings, and all of it as polygons."""

import cv2
import numpy as np

from wm_sim.ground_view import Layer
from wm_sim.town.plan import LANE_WIDTH_M, PAVEMENT_M, Plan, Street
from wm_sim.world import Marking

_GRASS, _PAVEMENT, _KERB, _ASPHALT = (96, 128, 76), (150, 146, 140), (196, 194, 188), (92, 92, 96)
_PAINT = (232, 232, 226)
_FIELD_M = 1e4
_KERB_M = 0.3
_LINE_M, _STOP_M = 0.18, 0.5  # widths
_DASH_M, _DASH_PERIOD_M = 3.0, 6.0
_TOOTH_M, _TOOTH_PERIOD_M = 0.5, 1.0  # of the line where a street gives way
_SIGHT_M, _FINE_SIGHT_M = 140.0, 80.0  # of areas and of lines
_CORNERS = 8  # of a junction, at most
_BEND = 1.25  # a bend's outer corner: its distance from the middle, in half widths of the street


def markings(street: Street) -> list[tuple[float, Marking]]:
    """Lines along a street: lateral offset [m] from its middle, and kind."""
    if street.lanes == 1:
        return [(0.0, Marking.BROKEN)]
    return [(-LANE_WIDTH_M, Marking.BROKEN), (0.0, Marking.SOLID), (LANE_WIDTH_M, Marking.BROKEN)]


class Ground:
    """Tells asphalt from the rest, and paints both."""

    def __init__(self, plan: Plan):
        self._plan = plan
        streets = plan.streets
        self._origins = np.array([street.origin for street in streets])  # (S, 2)
        self._axes = np.array([[street.along, street.left] for street in streets])  # (S, 2, 2)
        self._spans = np.array([street.span for street in streets])
        self._halves = np.array([street.half_width for street in streets])
        hulls = self._hulls(0.0)  # (J, 8, 2), counter-clockwise
        edges = np.roll(hulls, -1, axis=1) - hulls
        size = np.hypot(*edges.transpose(2, 0, 1))
        # Unit vectors into each junction, zero for the repeated corners.
        self._inward = np.stack([-edges[..., 1], edges[..., 0]], axis=2) / np.maximum(size, 1e-9)[..., None]
        self._edge_at = (self._inward * hulls).sum(axis=2)
        self._areas, self._lines = self._paint_areas(), self._paint_lines()
        self._area_at, self._line_at = (layer.polygons.mean(axis=1) for layer in (self._areas, self._lines))

    def _in_streets(self, points: np.ndarray) -> np.ndarray:
        """(n, S, 2) [m]: points (n, 2) along and to the left of each street."""
        return ((points[:, None] - self._origins)[:, :, None] * self._axes).sum(axis=3)

    def on_asphalt(self, points: np.ndarray, margin_m: float = 0.0) -> np.ndarray:
        """(n,) bool: whether points (n, 2) are on it, or beside it by less than ``margin_m``."""
        place = self._in_streets(points)
        along, lateral = place[..., 0], place[..., 1]
        on_street = (self._spans[:, 0] <= along) & (along <= self._spans[:, 1])
        on_street &= np.abs(lateral) <= self._halves + margin_m
        inside = (points[:, None, None] * self._inward).sum(axis=3) - self._edge_at >= -margin_m - 1e-6
        return on_street.any(axis=1) | inside.all(axis=2).any(axis=1)

    def crossed_by(self, wheels: np.ndarray) -> set[tuple[int, int]]:
        """(street, number of the marking) of all that lie between wheels (4, 2)."""
        place = self._in_streets(wheels)
        middle = place.mean(axis=0)
        on = (self._spans[:, 0] <= middle[:, 0]) & (middle[:, 0] <= self._spans[:, 1])
        on &= np.abs(middle[:, 1]) <= self._halves
        low, high = place[..., 1].min(axis=0), place[..., 1].max(axis=0)
        return {
            (int(street), number)
            for street in np.flatnonzero(on)
            for number, (at, _) in enumerate(markings(self._plan.streets[street]))
            if low[street] < at < high[street]
        }

    def kind(self, street: int, number: int) -> Marking:
        """Of a marking, as ``crossed_by`` names it."""
        return markings(self._plan.streets[street])[number][1]

    def layers(self, x: float, y: float) -> list[Layer]:
        """The ground around a place."""
        lines = np.hypot(*(self._line_at - (x, y)).T) <= _FINE_SIGHT_M
        areas = np.hypot(*(self._area_at - (x, y)).T) <= _SIGHT_M
        areas[0] = True  # the field
        return [
            Layer(self._areas.polygons[areas], self._areas.colours[areas]),
            Layer(self._lines.polygons[lines], self._lines.colours[lines], self._lines.exact[lines]),
        ]

    def _hulls(self, wider_m: float) -> np.ndarray:
        """(J, 8, 2): the junctions' outlines, counter-clockwise, their last corners repeated."""
        result = []
        for junction in self._plan.junctions:
            corners = []
            for arm in junction.arms:
                street = self._plan.streets[arm.street]
                half, s = street.half_width + wider_m, street.span[0 if arm.at_begin else 1]
                corners += [street.point(s, half), street.point(s, -half)]
            if junction.is_bend:
                outwards = -sum(arm.outward for arm in junction.arms)
                corners.append(junction.place + (_BEND * half) * outwards / np.hypot(*outwards))
            hull = cv2.convexHull(np.array(corners, np.float32), clockwise=False, returnPoints=False)[:, 0]
            line = np.array(corners)[hull]
            if _area(line) < 0.0:
                line = line[::-1]
            result.append(line)
        return _with_corners(result)

    def _paint_areas(self) -> Layer:
        """One layer, since each costs time: edges are half a painted pixel too far out, as of all polygons."""
        size = _FIELD_M
        polygons, colours = [np.array([(-size, -size), (size, -size), (size, size), (-size, size)])], [_GRASS]
        for wider_m, colour in ((PAVEMENT_M, _PAVEMENT), (_KERB_M, _KERB), (0.0, _ASPHALT)):
            for street in self._plan.streets:
                polygons.append(street.strip(street.half_width + wider_m, -street.half_width - wider_m))
            polygons += list(self._hulls(wider_m))
            colours += [colour] * (len(polygons) - len(colours))
        return Layer(_with_corners(polygons), np.array(colours, np.float64))

    def _paint_lines(self) -> Layer:
        quads = []
        for street in self._plan.streets:
            half = _LINE_M / 2
            for at, kind in markings(street):
                if kind is Marking.SOLID:
                    quads.append(street.strip(at + half, at - half))
                else:
                    begins = np.arange(street.span[0] + 1.0, street.span[1] - _DASH_M, _DASH_PERIOD_M)
                    quads += [street.strip(at + half, at - half, s, s + _DASH_M) for s in begins]
            for end, side in ((0, 1), (1, -1)):  # where a direction's lanes end
                quads += self._end_line(street, end, side)
        quads = np.array(quads)
        return Layer(quads, np.tile(np.array(_PAINT, np.float64), (len(quads), 1)), np.ones((len(quads), 4), bool))

    def _end_line(self, street: Street, end: int, side: int) -> list[np.ndarray]:
        """Across the lanes on one side that end at one end of a street: a stop line at lights, teeth where they give
        way."""
        number = self._plan.streets.index(street)
        junction = self._plan.junctions[street.end if end else street.begin]
        (arm,) = (arm for arm in junction.arms if arm.street == number)
        s, width = street.span[end], street.lanes * LANE_WIDTH_M
        begin, stop = (s - _STOP_M, s) if end else (s, s + _STOP_M)
        if junction.has_lights:
            return [street.strip(max(0, side) * width, min(0, side) * width, begin, stop)]
        if arm.has_priority:
            return []
        teeth = np.arange(0.25, width - _TOOTH_M, _TOOTH_PERIOD_M)
        return [
            street.strip(max(side * at, side * (at + _TOOTH_M)), min(side * at, side * (at + _TOOTH_M)), begin, stop)
            for at in teeth
        ]


def _with_corners(polygons: list[np.ndarray]) -> np.ndarray:
    """(P, 8, 2): polygons (k, 2) with their last corners repeated."""
    return np.array([np.concatenate([line, np.repeat(line[-1:], _CORNERS - len(line), axis=0)]) for line in polygons])


def _area(line: np.ndarray) -> float:
    """Twice the signed area of a polygon (n, 2), positive counter-clockwise."""
    x, y = line.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())
