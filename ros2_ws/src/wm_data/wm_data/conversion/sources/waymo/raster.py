"""A scenario's bird's-eye view: heading up, the self-driving car three quarters down, as three planes.

Red is the road, green the other agents, blue the self-driving car with lights and stop signs; the brightness is the
kind. It is drawn larger and averaged down, so that parts smaller than a pixel remain visible: OpenCV's own
anti-aliasing would make a car half a pixel larger on every side.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from wm_data.conversion.sources.waymo.scene import Scene

ACROSS_M = 80.0  # side of the visible area [m]: 60 m ahead, 20 m behind, 40 m to each side
EGO_DOWN = 0.75  # where the car's centre is, from the top, as a share of the side
LANE_WIDTH_M = 3.6
BIKE_LANE_WIDTH_M = 1.5
LIGHT_RADIUS_M = 1.6

ROAD = {"driveway": 48, "bike_lane": 48, "lane": 80, "crosswalk": 128, "speed_bump": 128, "road_line": 176}
ROAD_EDGE = 255
AGENTS = {"other": 96, "pedestrian": 144, "cyclist": 192, "vehicle": 255}
EGO = 255
SIGNALS = {"unknown": 64, "go": 96, "caution": 144, "stop_sign": 176, "stop": 208}

_DRAWN_PX = 256  # at least; the picture is drawn at an integer multiple of its size
_SHIFT = 4  # fractional bits of a pixel in OpenCV's coordinates
_CHUNK = 32  # points of a polyline that are kept or skipped together
_MIN_SIDE_PX = 1.5  # of an agent: a pedestrian must not vanish


@dataclass(frozen=True)
class _Shapes:
    """Pieces of polylines or polygons of one kind, with a circle around each."""

    points: list[np.ndarray]
    centers: np.ndarray  # (n, 2) [m]
    radii: np.ndarray  # (n,) [m]

    @classmethod
    def of(cls, points: list[np.ndarray]) -> "_Shapes":
        centers = np.array([0.5 * (p.min(axis=0) + p.max(axis=0)) for p in points]).reshape(-1, 2)
        radii = np.array([np.linalg.norm(p - c, axis=1).max() for p, c in zip(points, centers, strict=True)])
        return cls(points, centers, radii)


class BirdsEyeView:
    def __init__(self, scene: Scene, size: int):
        self.size = size
        self._times = -(-_DRAWN_PX // size)
        self._drawn = size * self._times
        self._pixels_per_m = self._drawn / ACROSS_M
        self._scene = scene
        self._kinds = np.array(scene.agents.kinds)
        self._lines = {kind: _Shapes.of(_chunks(lines)) for kind, lines in scene.lines.items()}
        self._areas = {kind: _Shapes.of(areas) for kind, areas in scene.areas.items()}

    def draw(self, step: int) -> np.ndarray:
        """(3, size, size) uint8: road, agents, own car and lights at ``step``, at which the own car must be valid."""
        agents, ego = self._scene.agents, self._scene.ego
        frame = _Frame(agents.positions[ego, step], agents.headings[ego, step], self._drawn)
        planes = np.zeros((3, self._drawn, self._drawn), np.uint8)
        self._draw_road(planes[0], frame)
        self._draw_agents(planes[1], frame, step)
        self._draw_signals(planes[2], frame, step)
        self._fill(planes[2], frame.pixels(self._boxes(np.array([ego]), step)), EGO)
        if self._times == 1:
            return planes
        size = (self.size, self.size)
        return np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes])

    def _draw_road(self, plane: np.ndarray, frame: "_Frame") -> None:
        for kind, brightness in ROAD.items():
            if kind in self._areas:
                self._fill(plane, frame.pixels_of(self._areas[kind]), brightness)
            elif kind == "road_line":
                self._stroke(plane, frame.pixels_of(self._lines[kind]), brightness)
            else:
                width_m = BIKE_LANE_WIDTH_M if kind == "bike_lane" else LANE_WIDTH_M
                self._stroke(plane, frame.pixels_of(self._lines[kind]), brightness, width_m)
        self._stroke(plane, frame.pixels_of(self._lines["road_edge"]), ROAD_EDGE)

    def _draw_agents(self, plane: np.ndarray, frame: "_Frame", step: int) -> None:
        agents = self._scene.agents
        near = agents.valid[:, step] & frame.sees(agents.positions[:, step], agents.sizes[:, step].max(axis=1))
        near[self._scene.ego] = False
        for kind, brightness in AGENTS.items():
            chosen = np.flatnonzero(near & (self._kinds == kind))
            self._fill(plane, frame.pixels(self._boxes(chosen, step)), brightness)

    def _draw_signals(self, plane: np.ndarray, frame: "_Frame", step: int) -> None:
        places = {"stop_sign": self._scene.stop_signs, **self._scene.lights[step]}
        radius = max(1, round(LIGHT_RADIUS_M * self._pixels_per_m * (1 << _SHIFT)))
        for kind, brightness in SIGNALS.items():
            points = np.asarray(places.get(kind, ()), np.float64).reshape(-1, 2)
            for x, y in frame.pixels(points[frame.sees(points, LIGHT_RADIUS_M)]).tolist():
                cv2.circle(plane, (x, y), radius, brightness, cv2.FILLED, cv2.LINE_8, _SHIFT)

    def _boxes(self, chosen: np.ndarray, step: int) -> np.ndarray:
        """Corners (n, 4, 2) [m] of the agents with indices ``chosen`` (n,), at least _MIN_SIDE_PX long and wide."""
        agents = self._scene.agents
        half = np.maximum(agents.sizes[chosen, step], _MIN_SIDE_PX * ACROSS_M / self.size) / 2
        headings = agents.headings[chosen, step]
        forward = np.stack([np.cos(headings), np.sin(headings)], axis=1)
        left = np.stack([-forward[:, 1], forward[:, 0]], axis=1)
        length, width = forward * half[:, :1], left * half[:, 1:]
        corners = np.stack([length + width, length - width, -length - width, width - length], axis=1)
        return agents.positions[chosen, step][:, None] + corners

    @staticmethod
    def _fill(plane: np.ndarray, polygons: Iterable[np.ndarray], brightness: int) -> None:
        for polygon in polygons:  # one by one: where two overlap, OpenCV would leave a hole
            cv2.fillPoly(plane, [polygon], brightness, cv2.LINE_8, _SHIFT)

    def _stroke(self, plane: np.ndarray, lines: list[np.ndarray], brightness: int, width_m: float = 0.0) -> None:
        if lines:
            thickness = max(self._times, round(width_m * self._pixels_per_m))
            cv2.polylines(plane, lines, False, brightness, thickness, cv2.LINE_8, _SHIFT)


class _Frame:
    def __init__(self, position: np.ndarray, heading: float, size: int):
        cosine, sine = np.cos(heading), np.sin(heading)
        # Columns grow to the right of the car, rows opposite to its heading.
        self._matrix = size / ACROSS_M * np.array([[sine, -cosine], [-cosine, -sine]])  # (2, 2): x, y -> column, row
        self._position = position
        self._origin = np.array([0.5, EGO_DOWN]) * size - 0.5  # the middle of pixel (0, 0) is at (0, 0)
        half_m = ACROSS_M / 2
        ahead_m = (EGO_DOWN - 0.5) * ACROSS_M
        self._middle = position + ahead_m * np.array([cosine, sine])
        self._reach_m = half_m * np.sqrt(2.0)

    def sees(self, points: np.ndarray, radii) -> np.ndarray:
        """bool (n,): whether circles around ``points`` (n, 2) [m] may be visible."""
        return np.hypot(*(points - self._middle).T) <= self._reach_m + radii

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """int32 (..., 2) column and row in 1/16 of a drawn pixel of ``points`` (..., 2) [m]."""
        pixels = (points - self._position) @ self._matrix.T + self._origin
        return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)

    def pixels_of(self, shapes: _Shapes) -> list[np.ndarray]:
        """As ``pixels``, of the shapes that may be visible."""
        seen = np.flatnonzero(self.sees(shapes.centers, shapes.radii + LANE_WIDTH_M))
        if not len(seen):
            return []
        chosen = [shapes.points[i] for i in seen]
        pixels = self.pixels(np.concatenate(chosen))
        return np.split(pixels, np.cumsum([len(points) for points in chosen])[:-1])


def _chunks(lines: list[np.ndarray]) -> list[np.ndarray]:
    """Polylines cut into pieces of at most _CHUNK points that share their ends."""
    return [line[start : start + _CHUNK] for line in lines for start in range(0, max(1, len(line) - 1), _CHUNK - 1)]
