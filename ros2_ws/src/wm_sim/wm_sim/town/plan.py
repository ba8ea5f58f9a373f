"""The plan of a town: where its junctions are, and which streets join them.

A grid of junctions, moved a little so that no two blocks are alike. The outermost streets form a ring with one lane a
direction; of the two inner ones along each axis one is an avenue with two lanes a direction. Junctions inside the ring
with an avenue have traffic lights. At the others the streets along y have priority inside the ring, and at the ring the
ring has it.
"""

import math
from dataclasses import dataclass

import numpy as np

SIZE = 4  # junctions along each axis
LANE_WIDTH_M = 3.5
PARKING_M = 2.4  # width of the strip for parked cars along each kerb
CORNER_M = 4.5  # from a crossing street's kerb to the stop line
PAVEMENT_M = 3.0  # width of the pavement outside the kerb

_SPACING_M = (78.0, 100.0)
_MOVED_M = 5.0  # each junction, at most, along each axis


@dataclass(frozen=True)
class Arm:
    """One end of a street at a junction, seen from the junction."""

    street: int
    outward: np.ndarray  # (2,) unit vector away from the junction
    at_begin: bool  # whether it is the street's beginning
    has_priority: bool


@dataclass(frozen=True)
class Street:
    """A straight two-way street between two junctions."""

    begin: int  # junction
    end: int  # junction
    lanes: int  # of each direction
    vertical: bool  # along y
    origin: np.ndarray  # (2,) [m] the junction at its beginning
    along: np.ndarray  # (2,) unit vector
    span: tuple[float, float]  # [m] from the origin: where it leaves the one junction and reaches the other

    @property
    def left(self) -> np.ndarray:
        """(2,) unit vector to the left of its direction."""
        return np.array([-self.along[1], self.along[0]])

    @property
    def half_width(self) -> float:
        """[m] from its middle to the kerb."""
        return self.lanes * LANE_WIDTH_M + PARKING_M

    def point(self, s: float, lateral: float) -> np.ndarray:
        """(2,) [m] on the map: ``s`` from its origin, ``lateral`` to the left of its middle."""
        return self.origin + s * self.along + lateral * self.left

    def strip(self, left: float, right: float, begin: float | None = None, end: float | None = None) -> np.ndarray:
        """(4, 2) [m] between two lateral offsets; edges 0 and 2 lie along the street."""
        begin, end = self.span[0] if begin is None else begin, self.span[1] if end is None else end
        return np.array(
            [self.point(begin, left), self.point(end, left), self.point(end, right), self.point(begin, right)]
        )


@dataclass(frozen=True)
class Junction:
    place: np.ndarray  # (2,) [m]
    arms: tuple[Arm, ...]
    has_lights: bool

    @property
    def is_bend(self) -> bool:
        """Whether there is no choice at it."""
        return len(self.arms) == 2


@dataclass(frozen=True)
class Plan:
    junctions: tuple[Junction, ...]
    streets: tuple[Street, ...]
    box: tuple[float, float, float, float]  # [m] least x and y, largest x and y of the junctions


def draw_plan(rng: np.random.Generator) -> Plan:
    """A town's plan; its middle is near the map's origin."""
    axes = [np.concatenate([[0.0], np.cumsum(rng.uniform(*_SPACING_M, SIZE - 1))]) for _ in range(2)]
    axes = [axis - axis[-1] / 2 for axis in axes]
    places = np.array([[x, y] for y in axes[1] for x in axes[0]]) + rng.uniform(-_MOVED_M, _MOVED_M, (SIZE * SIZE, 2))
    avenue = [1 + int(rng.integers(SIZE - 2)) for _ in range(2)]  # which column and which row

    def lanes(vertical: bool, column: int, row: int) -> int:
        return 2 if (column if vertical else row) == avenue[0 if vertical else 1] else 1

    joined = []  # (begin, end, vertical, lanes)
    for row in range(SIZE):
        for column in range(SIZE):
            here = row * SIZE + column
            if column + 1 < SIZE:
                joined.append((here, here + 1, False, lanes(False, column, row)))
            if row + 1 < SIZE:
                joined.append((here, here + SIZE, True, lanes(True, column, row)))
    streets = tuple(_street(places, joined, *one) for one in joined)
    junctions = tuple(_junction(k, places, streets) for k in range(len(places)))
    low, high = places.min(axis=0), places.max(axis=0)
    return Plan(junctions, streets, (*low.tolist(), *high.tolist()))


def _street(places: np.ndarray, joined: list, begin: int, end: int, vertical: bool, lanes: int) -> Street:
    way = places[end] - places[begin]
    length = math.hypot(*way)

    def setback(junction: int) -> float:
        crossing = [other[3] for other in joined if junction in other[:2] and other[2] != vertical]
        return max(crossing) * LANE_WIDTH_M + PARKING_M + CORNER_M

    return Street(begin, end, lanes, vertical, places[begin], way / length, (setback(begin), length - setback(end)))


def _junction(number: int, places: np.ndarray, streets: tuple[Street, ...]) -> Junction:
    row, column = divmod(number, SIZE)
    on_side, on_floor = column in (0, SIZE - 1), row in (0, SIZE - 1)
    arms = []
    for k, street in enumerate(streets):
        if number in (street.begin, street.end):
            at_begin = street.begin == number
            # On the ring, the ring's own streets; inside it those along y.
            priority = street.vertical if on_side or not on_floor else not street.vertical
            arms.append(Arm(k, street.along if at_begin else -street.along, at_begin, priority or on_side and on_floor))
    avenue = any(streets[arm.street].lanes > 1 for arm in arms)
    return Junction(places[number], tuple(arms), avenue and not (on_side or on_floor))
