"""Boxes that stand on the ground, as faces for GroundView: cars, houses, traffic lights.

A box's look says which faces it has. A car has a body in its colour, darker sides, windows at both ends and red lamps
at its rear, so that a picture shows its heading. Only faces turned to the camera are returned, those of boxes behind
others first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_sim.air import Air
from wm_sim.ground_view import GroundView, Layer
from wm_sim.looks import LOOKS, Look
from wm_sim.painting_order import painting_order
from wm_sim.pinhole import Pinhole

GRAZING = 0.1  # sine of the angle below which a face is a sliver


@dataclass(frozen=True)
class Box:
    """A box on the ground, map axes."""

    id: int  # actor id
    x: float  # [m] of its middle
    y: float  # [m]
    yaw: float  # [rad]
    size_m: tuple[float, float, float]  # length, width, height
    colour: tuple[int, int, int]  # RGB
    look: Look = Look.CAR


def visible_faces(boxes: Sequence[Box], eye: np.ndarray) -> list[Layer]:
    """The faces that a camera at ``eye`` (3,) [m] on the map can see, in the order of painting; none without boxes."""
    if not boxes:
        return []
    place = np.array([(box.x, box.y, 0.0) for box in boxes])  # (n, 3)
    yaw = np.array([box.yaw for box in boxes])
    size = np.array([box.size_m for box in boxes], np.float64)
    look = np.array([box.look for box in boxes])
    turn = np.zeros((len(boxes), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(yaw)
    turn[:, 1, 0] = np.sin(yaw)
    turn[:, 0, 1], turn[:, 2, 2] = -turn[:, 1, 0], 1.0
    seen_from = ((eye - place)[:, None] @ turn)[:, 0]  # (n, 3) the eye in each box's axes
    order = painting_order(place[:, :2], turn[:, :2, :2], size[:, :2], seen_from[:, :2])
    corners = LOOKS.corners[look] * size[:, None, None]  # (n, Q, 4, 3)
    to_eye = seen_from[:, None] - corners.mean(axis=2)  # (n, Q, 3)
    slant = (to_eye * LOOKS.normals[look]).sum(axis=2) / np.linalg.norm(to_eye, axis=2)  # sine of the viewing angle
    visible = slant > LOOKS.least[look]  # (n, Q)
    # Where two visible faces meet there is a seam. A face at a grazing angle is a sliver in the picture, whose
    # edges cannot be moved without moving its corners far away.
    beyond = LOOKS.beyond[look]  # (n, Q, 4)
    seam = (beyond >= 0) & np.take_along_axis(visible[:, None], np.maximum(beyond, 0), axis=2)
    exact = ~seam & (slant > GRAZING)[..., None]
    on_map = corners @ turn.transpose(0, 2, 1)[:, None] + place[:, None, None]
    own = np.array([box.colour for box in boxes], np.float64)
    colours = LOOKS.shades[look][..., None] * own[:, None] + LOOKS.fixed[look]
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
    eye = view.camera.eye(*place)
    return view.picture([*layers, *visible_faces(_in_view(view.camera, boxes, eye, place), eye)], *place, air)


def _in_view(camera: Pinhole, boxes: Sequence[Box], eye: np.ndarray, place: tuple[float, float, float]) -> list[Box]:
    """Those that may show in the picture: the spheres around the others are outside its left or right edge."""
    if not boxes:
        return []
    size = np.array([box.size_m for box in boxes], np.float64)
    middles = np.array([(box.x, box.y, 0.0) for box in boxes])
    middles[:, 2] = size[:, 2] / 2
    seen = (middles - eye) @ camera.axes(place[2])
    right, ahead, radius = seen[:, 0], seen[:, 2], np.linalg.norm(size, axis=1) / 2
    half = camera.fov / 2
    kept = (ahead > -radius) & (np.abs(right) * np.cos(half) <= ahead * np.sin(half) + radius)
    return [box for box, keep in zip(boxes, kept.tolist(), strict=True) if keep]
