"""Boxes that stand on the ground, as faces for GroundView: other cars.

A box has a body in its colour, darker sides, windows at both ends and red lamps at its rear, so that a picture shows
its heading. Only faces turned to the camera are returned, those of far boxes first. The order is by the distance to a
box's footprint, which is right for boxes that do not overlap unless one is much longer than its distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_sim.air import Air
from wm_sim.ground_view import GroundView, Layer

WINDOW = (40, 44, 52)
LAMP = (200, 20, 20)
GRAZING, EDGE_ON = 0.1, 1e-3  # sines of the angles below which a face is a sliver, and invisible


@dataclass(frozen=True)
class Box:
    """A box on the ground, map axes."""

    id: int  # actor id
    x: float  # [m] of its middle
    y: float  # [m]
    yaw: float  # [rad]
    size_m: tuple[float, float, float]  # length, width, height
    colour: tuple[int, int, int]  # RGB


def _across(end: float, left: float, right: float, low: float, high: float) -> list:
    """A rectangle at one end of the unit box: from ``left`` to ``right`` of its width, ``low`` to ``high``."""
    return [(end, left, low), (end, right, low), (end, right, high), (end, left, high)]


# Faces of a unit box whose footprint is centred at the origin: corners (4, 3), the normal of the face it lies in, and
# its own colour or its share of the body's. Windows and lamps come after their face.
_TOP, _AHEAD, _BEHIND, _LEFT, _RIGHT = (0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0)
_PARTS = [
    ([(0.5, 0.5, 1), (0.5, -0.5, 1), (-0.5, -0.5, 1), (-0.5, 0.5, 1)], _TOP, 1.0),
    ([(0.5, 0.5, 0), (-0.5, 0.5, 0), (-0.5, 0.5, 1), (0.5, 0.5, 1)], _LEFT, 0.65),
    ([(0.5, -0.5, 0), (-0.5, -0.5, 0), (-0.5, -0.5, 1), (0.5, -0.5, 1)], _RIGHT, 0.65),
    (_across(0.5, 0.5, -0.5, 0, 1), _AHEAD, 0.85),
    (_across(0.5, 0.4, -0.4, 0.6, 0.9), _AHEAD, WINDOW),
    (_across(-0.5, 0.5, -0.5, 0, 1), _BEHIND, 0.85),
    (_across(-0.5, 0.35, -0.35, 0.65, 0.9), _BEHIND, WINDOW),
    (_across(-0.5, 0.45, 0.25, 0.4, 0.55), _BEHIND, LAMP),
    (_across(-0.5, -0.25, -0.45, 0.4, 0.55), _BEHIND, LAMP),
]
# (Q, 4): the face beyond each edge, named by its first corner; -1 where it is not visible.
_BEYOND = np.full((len(_PARTS), 4), -1)
_BEYOND[[0, 1, 2, 3, 5]] = [(3, 2, 5, 1), (-1, 5, 0, 3), (-1, 5, 0, 3), (-1, 2, 0, 1), (-1, 2, 0, 1)]
_CORNERS = np.array([corners for corners, _, _ in _PARTS], np.float64)  # (Q, 4, 3)
_NORMALS = np.array([normal for _, normal, _ in _PARTS], np.float64)  # (Q, 3)
_SHADES = np.array([shade if isinstance(shade, float) else 0.0 for _, _, shade in _PARTS])
_FIXED = np.array([(0, 0, 0) if isinstance(shade, float) else shade for _, _, shade in _PARTS], np.float64)


def visible_faces(boxes: Sequence[Box], eye: np.ndarray) -> list[Layer]:
    """The faces that a camera at ``eye`` (3,) [m] on the map can see, in the order of painting; none without boxes."""
    if not boxes:
        return []
    place = np.array([(box.x, box.y, 0.0) for box in boxes])  # (n, 3)
    yaw = np.array([box.yaw for box in boxes])
    size = np.array([box.size_m for box in boxes], np.float64)
    turn = np.zeros((len(boxes), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(yaw)
    turn[:, 1, 0] = np.sin(yaw)
    turn[:, 0, 1], turn[:, 2, 2] = -turn[:, 1, 0], 1.0
    seen_from = ((eye - place)[:, None] @ turn)[:, 0]  # (n, 3) the eye in each box's axes
    order = np.argsort(-np.hypot(*np.maximum(np.abs(seen_from[:, :2]) - size[:, :2] / 2, 0.0).T), kind="stable")
    corners = _CORNERS * size[:, None, None]  # (n, Q, 4, 3)
    to_eye = seen_from[:, None] - corners.mean(axis=2)  # (n, Q, 3)
    slant = (to_eye * _NORMALS).sum(axis=2) / np.linalg.norm(to_eye, axis=2)  # (n, Q) sine of the viewing angle
    visible = slant > EDGE_ON
    # Where two visible faces meet there is a seam. A face at a grazing angle is a sliver in the picture, whose
    # edges cannot be moved without moving its corners far away.
    seam = np.take(visible, _BEYOND, axis=1) & (_BEYOND >= 0)  # (n, Q, 4)
    exact = ~seam & (slant > GRAZING)[..., None]
    on_map = corners @ turn.transpose(0, 2, 1)[:, None] + place[:, None, None]
    colours = _SHADES[:, None] * np.array([box.colour for box in boxes], np.float64)[:, None] + _FIXED
    shown = visible[order]
    return [Layer(on_map[order][shown], colours[order][shown], exact[order][shown])]


def picture_of(
    view: GroundView,
    layers: list[Layer],
    boxes: Sequence[Box],
    place: tuple[float, float, float],
    air: Air | None = None,
) -> np.ndarray:
    """(height, width, 3) uint8 RGB: ground and boxes for a car at ``place``, its x, y [m] and yaw [rad], through
    ``air``, if there is any to see."""
    return view.picture([*layers, *visible_faces(boxes, view.camera.eye(*place))], *place, air)
