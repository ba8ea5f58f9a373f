"""The road: three lanes along one smooth curve, and its shape as polygons on the ground.

Road coordinates: s [m] along the middle of the road, and a lateral offset [m] from it, positive to the left.
highway-env counts lanes from 0; here lane 0 is the rightmost. Its "lateral" also grows to the left, because its axes
are read as ROS axes: x ahead, y left.
"""

import math
from bisect import bisect

import numpy as np
from highway_env.road.lane import AbstractLane, LineType
from highway_env.road.road import Road, RoadNetwork
from highway_env.vehicle.kinematics import Vehicle

from wm_sim.ground_view import Layer
from wm_sim.world import Marking

BEGIN, END = "begin", "end"  # of the road, named like highway-env's nodes
LANES = 3
LANE_WIDTH_M = 4.0
LANE_MARGIN_M = 1.0  # as in highway-env: a vehicle this far beside a lane is still on it
SHOULDER_M = 1.0  # of asphalt outside the outer markings
EDGE_M = LANES * LANE_WIDTH_M / 2  # from the middle to an outer marking
ROAD_HALF_WIDTH_M = EDGE_M + SHOULDER_M
SPEED_LIMIT = 25.0  # [m/s]
LENGTH_M = 2200.0
# Lateral offset of each marking, from right to left, and its kind.
MARKINGS = tuple(
    (-EDGE_M + k * LANE_WIDTH_M, Marking.SOLID if k in (0, LANES) else Marking.BROKEN) for k in range(LANES + 1)
)

# The road's heading is the sum of two sine waves of these amplitudes [rad] and lengths [m]: no bend is narrower than
# 1 / (2 pi (0.35 / 450 + 0.08 / 220)) = 140 m, and it never turns by more than 25 degrees, so it cannot cross itself
# and x grows along it.
_WAVES = (((0.15, 0.35), (450.0, 800.0)), ((0.03, 0.08), (220.0, 400.0)))
_SPACING_M = 0.5  # between the stored points of the curve
_STEPS = 8  # of Newton's method, at most
_PRECISION_M = 1e-6

# Pictures
_PIECE_M = 5.0  # of asphalt and solid marking
_DASH_M, _DASH_PERIOD_M = 4.0, 12.0
_MARKING_WIDTH_M = 0.2
_BEHIND_M, _AHEAD_M = 150.0, 250.0  # of the road is painted
_GRASS, _ASPHALT, _PAINT = (106, 148, 74), (100, 100, 104), (235, 235, 230)
_FIELD_M = 1e4


class Curve:
    """The middle of the road; ``rng`` draws its shape."""

    def __init__(self, rng: np.random.Generator):
        self._waves = [
            (
                float(rng.choice((-1.0, 1.0)) * rng.uniform(*amplitudes)),
                2 * math.pi / float(rng.uniform(*lengths)),
                float(rng.uniform(0.0, 2 * math.pi)),
            )
            for amplitudes, lengths in _WAVES
        ]
        middles = np.arange(_SPACING_M / 2, LENGTH_M, _SPACING_M)
        headings = sum(size * np.sin(number * middles + phase) for size, number, phase in self._waves)
        self._x = np.concatenate([[0.0], np.cumsum(np.cos(headings)) * _SPACING_M]).tolist()
        self._y = np.concatenate([[0.0], np.cumsum(np.sin(headings)) * _SPACING_M]).tolist()
        self._known: dict[bytes, tuple[float, float]] = {}

    def heading(self, s: float) -> float:
        """[rad]; beyond both ends the road continues straight."""
        s = min(max(s, 0.0), LENGTH_M)
        (long, long_number, long_phase), (short, short_number, short_phase) = self._waves
        return long * math.sin(long_number * s + long_phase) + short * math.sin(short_number * s + short_phase)

    def point(self, s: float, lateral: float = 0.0) -> tuple[float, float]:
        """(x, y) [m] on the map."""
        x, y, cosine, sine = self._frame(s)
        return x - lateral * sine, y + lateral * cosine

    def _frame(self, s: float) -> tuple[float, float, float, float]:
        """The middle of the road at ``s``, and the cosine and sine of its heading."""
        k = min(max(int(s / _SPACING_M), 0), len(self._x) - 2)
        share = s / _SPACING_M - k
        x, y, heading = self._x, self._y, self.heading(s)
        return (
            x[k] + share * (x[k + 1] - x[k]),
            y[k] + share * (y[k + 1] - y[k]),
            math.cos(heading),
            math.sin(heading),
        )

    def line(self, begin: float, lateral: float) -> np.ndarray:
        """(K, 2) [m]: a line at this offset from the middle of the road, from ``begin`` to its end."""
        return np.array([self.point(s, lateral) for s in np.arange(begin, LENGTH_M, _PIECE_M)])

    def locate(self, position: np.ndarray) -> tuple[float, float]:
        """(s, lateral) [m] of a position (2,) on the map; only roughly 100 m or more beside the road."""
        # The same few positions are requested repeatedly in a tick.
        key = position.tobytes()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._located(*position.tolist())
        return found

    def forget(self) -> None:
        """The cars are about to move: earlier positions will not be requested again."""
        self._known.clear()

    def _located(self, x: float, y: float) -> tuple[float, float]:
        s = min(max((bisect(self._x, x) - 1) * _SPACING_M, 0.0), LENGTH_M)
        for _ in range(_STEPS):
            middle_x, middle_y, cosine, sine = self._frame(s)
            dx, dy = x - middle_x, y - middle_y
            ahead = dx * cosine + dy * sine
            s += ahead
            if abs(ahead) < _PRECISION_M:
                break
        return s, dy * cosine - dx * sine


class CurvedLane(AbstractLane):
    """One lane, with highway-env's interface; positions are (2,) arrays [m]."""

    def __init__(self, curve: Curve, offset: float):
        self._curve = curve
        self.offset = offset  # [m] of its middle
        self.length, self.width, self.speed_limit = LENGTH_M, LANE_WIDTH_M, SPEED_LIMIT
        self.line_types = (LineType.STRIPED, LineType.STRIPED)  # for highway-env's own pictures, unused
        self.forbidden, self.priority = False, 0

    def position(self, longitudinal: float, lateral: float) -> np.ndarray:
        """From lane coordinates to the map."""
        return np.array(self._curve.point(longitudinal, self.offset + lateral))

    def local_coordinates(self, position: np.ndarray) -> tuple[float, float]:
        """From the map to lane coordinates."""
        s, lateral = self._curve.locate(position)
        return s, lateral - self.offset

    def heading_at(self, longitudinal: float) -> float:
        return self._curve.heading(longitudinal)

    def width_at(self, longitudinal: float) -> float:
        return self.width


def lane_offset(lane: int) -> float:
    """[m] from the middle of the road to the middle of a lane; lane 0 is the rightmost."""
    return (lane - (LANES - 1) / 2) * LANE_WIDTH_M


class LaneNetwork(RoadNetwork):
    """The lanes, from right to left, all from BEGIN to END."""

    def __init__(self, curve: Curve):
        super().__init__()
        self._curve = curve
        for lane in range(LANES):
            self.add_lane(BEGIN, END, CurvedLane(curve, lane_offset(lane)))

    def get_closest_lane_index(self, position: np.ndarray, heading: float | None = None) -> tuple[str, str, int]:
        """Like highway-env's, without a loop over the lanes: they all have one heading."""
        lateral = self._curve.locate(position)[1]
        lane = math.floor(lateral / LANE_WIDTH_M + LANES / 2)
        return BEGIN, END, min(max(lane, 0), LANES - 1)


class CurvedRoad(Road):
    """The lanes and the vehicles on them; call ``settle`` after they moved.

    highway-env finds each vehicle's neighbours by locating all of them again, which took most of the time of a tick.
    """

    def __init__(self, curve: Curve, vehicles: list[Vehicle], rng: np.random.Generator):
        super().__init__(LaneNetwork(curve), vehicles, np_random=rng)
        self.curve = curve
        self.vehicles = vehicles  # also if empty: highway-env would replace it by another list
        self._places: list[tuple[float, float, Vehicle]] = []

    def settle(self) -> None:
        """Locate the vehicles."""
        self._places = [(*self.curve.locate(vehicle.position), vehicle) for vehicle in self.vehicles]

    def near(self, vehicle: Vehicle, reach_m: float) -> list[Vehicle]:
        """The others within this distance along the road."""
        s = self.curve.locate(vehicle.position)[0]
        return [other for at, _, other in self._places if abs(at - s) <= reach_m and other is not vehicle]

    def neighbour_vehicles(self, vehicle: Vehicle, lane_index=None) -> tuple[Vehicle | None, Vehicle | None]:
        """The next vehicles ahead of this one and behind it in a lane, its own by default, like highway-env's."""
        offset = lane_offset((lane_index or vehicle.lane_index)[2])
        s = self.curve.locate(vehicle.position)[0]
        ahead = behind = None
        ahead_m, behind_m = math.inf, -math.inf
        for at, lateral, other in self._places:
            if abs(lateral - offset) > LANE_WIDTH_M / 2 + LANE_MARGIN_M or other is vehicle:
                continue
            if s <= at <= ahead_m:
                ahead, ahead_m = other, at
            elif behind_m < at < s:
                behind, behind_m = other, at
        return ahead, behind


class Surface:
    """The road as polygons: made once per episode, returned for the surroundings of the car."""

    def __init__(self, curve: Curve):
        self._asphalt = _strips(curve, ROAD_HALF_WIDTH_M, -ROAD_HALF_WIDTH_M, _PIECE_M, _PIECE_M)
        half = _MARKING_WIDTH_M / 2
        self._solid, self._broken = (
            [_strips(curve, at + half, at - half, *lengths) for at, marking in MARKINGS if marking is kind]
            for kind, lengths in ((Marking.SOLID, (_PIECE_M, _PIECE_M)), (Marking.BROKEN, (_DASH_M, _DASH_PERIOD_M)))
        )

    def layers(self, s: float) -> list[Layer]:
        """The ground around ``s`` [m]: grass, asphalt, markings."""
        pieces = _window(s, _PIECE_M)
        dashes = _window(s, _DASH_PERIOD_M)
        solid = [strip[pieces] for strip in self._solid]
        broken = [strip[dashes] for strip in self._broken]
        asphalt = self._asphalt[pieces]
        polygons = np.concatenate([asphalt, *solid, *broken])
        colours = np.tile(np.array(_PAINT, np.float64), (len(polygons), 1))
        colours[: len(asphalt)] = _ASPHALT
        exact = np.ones((len(polygons), 4), bool)
        exact[: len(asphalt) + sum(map(len, solid)), 1::2] = False  # across: the next piece begins there
        field = np.array([[(-_FIELD_M, -_FIELD_M), (_FIELD_M, -_FIELD_M), (_FIELD_M, _FIELD_M), (-_FIELD_M, _FIELD_M)]])
        return [Layer(field, np.array([_GRASS])), Layer(polygons, colours, exact)]


def _strips(curve: Curve, left: float, right: float, length: float, period: float) -> np.ndarray:
    """(P, 4, 2): between two lateral offsets, ``length`` of every ``period`` [m]; edges 0 and 2 lie along the road."""
    begins = np.arange(0.0, LENGTH_M - period / 2, period)
    return np.array(
        [
            [curve.point(s, left), curve.point(s + length, left), curve.point(s + length, right), curve.point(s, right)]
            for s in begins
        ]
    )


def _window(s: float, period: float) -> slice:
    """Which strips lie around ``s``."""
    return slice(max(0, int((s - _BEHIND_M) / period)), max(0, int((s + _AHEAD_M) / period)))
