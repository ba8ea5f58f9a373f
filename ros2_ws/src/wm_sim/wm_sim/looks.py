"""What boxes look like: the faces of a unit box whose footprint is centred at the origin, for each look."""

from enum import IntEnum

import numpy as np

WINDOW = (40, 44, 52)
LAMP = (200, 20, 20)
PANE = (78, 92, 110)  # of houses
HOUSING = (28, 28, 30)  # of traffic lights


class Look(IntEnum):
    CAR = 0
    HOUSE = 1
    LIGHT = 2  # its board shows the box's colour to whoever looks along the box's heading, or down on it


def _across(end: float, left: float, right: float, low: float, high: float) -> list:
    """A rectangle at one end of the unit box: from ``left`` to ``right`` of its width, ``low`` to ``high``."""
    return [(end, left, low), (end, right, low), (end, right, high), (end, left, high)]


def _along(side: float, begin: float, end: float, low: float, high: float) -> list:
    """A rectangle at one side of the unit box: from ``begin`` to ``end`` of its length, ``low`` to ``high``."""
    return [(begin, side, low), (end, side, low), (end, side, high), (begin, side, high)]


def _lid(half_length: float, half_width: float) -> list:
    x, y = half_length, half_width
    return [(x, y, 1), (x, -y, 1), (-x, -y, 1), (-x, y, 1)]


_TOP, _AHEAD, _BEHIND, _LEFT, _RIGHT = (0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)

# Corners (4, 3), the normal of the face it lies in, and its own colour or its share of the box's. Windows and lamps
# come after their face.
_CAR = [
    (_lid(0.5, 0.5), _TOP, 1.0),
    ([(0.5, 0.5, 0), (-0.5, 0.5, 0), (-0.5, 0.5, 1), (0.5, 0.5, 1)], _LEFT, 0.65),
    ([(0.5, -0.5, 0), (-0.5, -0.5, 0), (-0.5, -0.5, 1), (0.5, -0.5, 1)], _RIGHT, 0.65),
    (_across(0.5, 0.5, -0.5, 0, 1), _AHEAD, 0.85),
    (_across(0.5, 0.4, -0.4, 0.6, 0.9), _AHEAD, WINDOW),
    (_across(-0.5, 0.5, -0.5, 0, 1), _BEHIND, 0.85),
    (_across(-0.5, 0.35, -0.35, 0.65, 0.9), _BEHIND, WINDOW),
    (_across(-0.5, 0.45, 0.25, 0.4, 0.55), _BEHIND, LAMP),
    (_across(-0.5, -0.25, -0.45, 0.4, 0.55), _BEHIND, LAMP),
]
# Two floors of windows on each wall.
_HOUSE = [
    (_lid(0.5, 0.5), _TOP, 0.5),
    ([(0.5, 0.5, 0), (-0.5, 0.5, 0), (-0.5, 0.5, 1), (0.5, 0.5, 1)], _LEFT, 0.8),
    ([(0.5, -0.5, 0), (-0.5, -0.5, 0), (-0.5, -0.5, 1), (0.5, -0.5, 1)], _RIGHT, 0.8),
    (_across(0.5, 0.5, -0.5, 0, 1), _AHEAD, 1.0),
    (_across(-0.5, 0.5, -0.5, 0, 1), _BEHIND, 0.9),
    *(
        (_along(side, -0.4, 0.4, low, low + 0.18), normal, PANE)
        for side, normal in ((0.5, _LEFT), (-0.5, _RIGHT))
        for low in (0.22, 0.62)
    ),
    *(
        (_across(end, 0.35, -0.35, low, low + 0.18), normal, PANE)
        for end, normal in ((0.5, _AHEAD), (-0.5, _BEHIND))
        for low in (0.22, 0.62)
    ),
]
# A board on a pole.
_BOARD = 0.58  # of the height, its lower edge
_LIGHT = [
    *((_across(0.0, 0.07, -0.07, 0, _BOARD), normal, HOUSING) for normal in (_AHEAD, _BEHIND)),
    *((_along(0.0, -0.2, 0.2, 0, _BOARD), normal, HOUSING) for normal in (_LEFT, _RIGHT)),
    (_lid(0.5, 0.5), _TOP, 1.0),
    (_along(0.5, -0.5, 0.5, _BOARD, 1), _LEFT, HOUSING),
    (_along(-0.5, -0.5, 0.5, _BOARD, 1), _RIGHT, HOUSING),
    (_across(0.5, 0.5, -0.5, _BOARD, 1), _AHEAD, HOUSING),
    (_across(-0.5, 0.5, -0.5, _BOARD, 1), _BEHIND, HOUSING),
    (_across(-0.5, 0.5, -0.5, _BOARD, 1), _BEHIND, 1.0),
]
_HOODED = 0.92  # sine of the angle to its face below which a light does not show, so that it is not taken for another's
EDGE_ON = 1e-3  # below which no face does
_PARTS = {Look.CAR: _CAR, Look.HOUSE: _HOUSE, Look.LIGHT: _LIGHT}
# By look and face: the face beyond each edge, named by its first corner; -1 where it is not visible.
_BEYOND = {
    Look.CAR: {0: (3, 2, 5, 1), 1: (-1, 5, 0, 3), 2: (-1, 5, 0, 3), 3: (-1, 2, 0, 1), 5: (-1, 2, 0, 1)},
    Look.HOUSE: {0: (3, 2, 4, 1), 1: (-1, 4, 0, 3), 2: (-1, 4, 0, 3), 3: (-1, 2, 0, 1), 4: (-1, 2, 0, 1)},
    Look.LIGHT: {},
}


class _Looks:
    """All looks as arrays, with as many faces each (Q): those that a look lacks have no normal."""

    def __init__(self):
        shape = len(_PARTS), max(map(len, _PARTS.values()))
        self.corners = np.zeros((*shape, 4, 3))
        self.normals = np.zeros((*shape, 3))
        self.shades = np.zeros(shape)  # of the box's colour
        self.fixed = np.zeros((*shape, 3))  # added to it
        self.beyond = np.full((*shape, 4), -1)
        self.least = np.full(shape, EDGE_ON)  # sine of the angle between face and view, to be seen
        self.least[Look.LIGHT, len(_LIGHT) - 1] = _HOODED
        for look, parts in _PARTS.items():
            for k, (corners, normal, colour) in enumerate(parts):
                self.corners[look, k], self.normals[look, k] = corners, normal
                if isinstance(colour, float):
                    self.shades[look, k] = colour
                else:
                    self.fixed[look, k] = colour
            for k, faces in _BEYOND[look].items():
                self.beyond[look, k] = faces


LOOKS = _Looks()
