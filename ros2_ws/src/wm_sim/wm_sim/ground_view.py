"""The flat world, and what stands on it, as a pinhole camera sees it.

Every polygon of the world is projected and filled in the picture, which is exact, because a plane is seen through a
homography; no texture is resampled, so near ground is as sharp as far ground. Pictures are painted larger and
averaged down.

P polygons with k vertices each, in homogeneous pixels (u d, v d, d) after projection.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np

from wm_sim.pinhole import Pinhole

SKY = (135, 206, 235)
BEYOND = (0, 0, 0)  # outside the playfield: CarRacing's own picture is black there
MARGIN = 8  # painted pixels around the picture, so that no cut edge shows
FRACTION_BITS = 4  # of cv2's coordinates
SMALL = 256  # [px] up to this width and height pictures are painted four times as large, others twice
OUTLINE = 0.5  # [painted px] by which cv2 paints a polygon too large, along the axis nearest to the edge's normal


@dataclass(frozen=True)
class Layer:
    """Polygons, in painting order.

    ``polygons`` are flat and convex, with vertices on the map [m], on the ground where they have no z; one with fewer
    corners repeats its last one. ``exact``, only for quadrangles: the edges, each named by its first vertex, whose
    place in the picture must be exact. cv2 paints polygons half a painted pixel too large; where two of one colour
    meet, that closes the seam."""

    polygons: np.ndarray  # (P, k, 2) or (P, k, 3) float64
    colours: np.ndarray  # (P, 3) RGB, 0 to 255
    exact: np.ndarray | None = None  # (P, 4) bool


class Medium(Protocol):
    """What the world is seen through: wm_sim.air."""

    def cover(self, canvas: np.ndarray) -> None:
        """Change ground and sky, painted at the view's own size, in place."""

    def faces(self, layer: Layer, eye: np.ndarray) -> Layer:
        """Polygons in the colours that they have for an ``eye`` (3,) [m] on the map."""


class GroundView:
    """Pictures of one camera; reuses its canvas."""

    def __init__(self, camera: Pinhole):
        self.camera = camera
        self._scale = 4 if max(camera.width, camera.height) <= SMALL else 2
        size = self._width, self._height = camera.width * self._scale, camera.height * self._scale
        self._sky = np.full((self._height, self._width, 3), SKY, np.uint8)
        self._canvas = np.empty_like(self._sky)
        # Pixel centres are whole numbers in the picture and on the canvas: u becomes scale * (u + 1/2) - 1/2.
        shift = (self._scale - 1) / 2
        self._enlarge = np.array([[self._scale, 0.0, shift], [0.0, self._scale, shift], [0.0, 0.0, 1.0]])
        self._planes = _planes(*size)

    def picture(self, layers: list[Layer], x: float, y: float, yaw: float, air: "Medium | None" = None) -> np.ndarray:
        """(height, width, 3) uint8 RGB, with the car at (x, y) [m] and this yaw [rad]; later layers cover earlier.

        Through ``air``, flat layers are ground at its distance, those before the first that has a z."""
        projection = self._enlarge @ self.camera.projection(x, y, yaw)
        np.copyto(self._canvas, self._sky)
        self._fill(self._ground(projection[:, [0, 1, 3]]), [BEYOND])
        flat = next((k for k, layer in enumerate(layers) if layer.polygons.shape[2] == 3), len(layers))
        for layer in layers[:flat]:
            self._paint(layer, projection)
        if air:
            air.cover(self._canvas)
        for layer in layers[flat:]:
            self._paint(air.faces(layer, self.camera.eye(x, y, yaw)) if air else layer, projection)
        return cv2.resize(self._canvas, (self.camera.width, self.camera.height), interpolation=cv2.INTER_AREA)

    @cached_property
    def upward(self) -> np.ndarray:
        """(height, width) float32 of the canvas: sine of the angle of each pixel's ray above the horizon."""
        to_ray = self.camera.optical_rotation @ np.linalg.inv(self._enlarge @ self.camera.matrix)
        u, v = np.arange(self._width, dtype=np.float32), np.arange(self._height, dtype=np.float32)[:, None]
        ahead, left, up = (a * u + b * v + c for a, b, c in to_ray.tolist())
        return up / np.sqrt(ahead * ahead + left * left + up * up)

    def _ground(self, homography: np.ndarray) -> np.ndarray:
        """(1 or 0, k, 3): the part of the canvas below the horizon."""
        right, bottom = self._width + MARGIN, self._height + MARGIN
        canvas = np.array(
            [[[-MARGIN, -MARGIN, 1.0], [right, -MARGIN, 1.0], [right, bottom, 1.0], [-MARGIN, bottom, 1.0]]]
        )
        # The third row of the inverse gives 1/d of a pixel's point on the ground: above the horizon it is negative.
        return _clip(canvas, np.linalg.inv(homography)[2])[0]

    def _paint(self, layer: Layer, projection: np.ndarray) -> None:
        axes = layer.polygons.shape[2]
        points = layer.polygons @ projection[:, :axes].T + projection[:, 3]
        visible = ((points @ self._planes.T) >= 0.0).any(axis=1).all(axis=1)
        points, colours = points[visible], layer.colours[visible]
        if layer.exact is not None:
            points = _drawn_in(points, layer.exact[visible])
        for plane in self._planes:
            points, kept = _clip(points, plane)
            colours = colours[kept]
        self._fill(points, colours.tolist())

    def _fill(self, points: np.ndarray, colours: list) -> None:
        pixels = np.rint(points[..., :2] / points[..., 2:] * (1 << FRACTION_BITS)).astype(np.int32)
        for polygon, colour in zip(pixels, colours, strict=True):
            cv2.fillConvexPoly(self._canvas, polygon, colour, cv2.LINE_8, FRACTION_BITS)


def _planes(width: int, height: int) -> np.ndarray:
    """(4, 3): whatever is visible on a canvas of this size has a product of 0 or more with each.

    Two opposite ones together also exclude what is behind the camera: their sum is a multiple of the depth.
    """
    return np.array([[1.0, 0.0, MARGIN], [-1.0, 0.0, width + MARGIN], [0.0, 1.0, MARGIN], [0.0, -1.0, height + MARGIN]])


def _clip(points: np.ndarray, plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut convex polygons (P, k, 3) at a plane (3,): the remaining parts (Q, k + 1, 3), and which polygons remain
    (P,)."""
    value = points @ plane
    inside = value >= 0.0
    if inside.all():
        return points, np.ones(len(points), bool)
    ahead = np.roll(points, -1, axis=1)
    crosses = inside != np.roll(inside, -1, axis=1)
    step = value - np.roll(value, -1, axis=1)
    share = value / np.where(crosses, step, 1.0)
    cuts = points + share[..., None] * (ahead - points)
    # In order: each vertex if it is inside, then the cut of the edge that begins there, if any.
    count, corners = inside.shape
    found = np.stack([inside, crosses], axis=2).reshape(count, 2 * corners)
    candidates = np.stack([points, cuts], axis=2).reshape(count, 2 * corners, 3)
    order = np.argsort(~found, axis=1, kind="stable")[:, : corners + 1]
    result = np.take_along_axis(candidates, order[..., None], axis=1)
    filled = np.take_along_axis(found, order, axis=1)
    kept = inside.any(axis=1)
    return np.where(filled[..., None], result, result[:, :1])[kept], kept


def _drawn_in(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Quadrangles (P, 4, 3) with some edges (P, 4) moved inwards by cv2's excess.

    Works on the edges' lines, so that it also holds where a vertex is behind the camera.
    """
    ahead, behind = np.roll(points, -1, axis=1), np.roll(points, 1, axis=1)
    lines = np.cross(points, ahead)  # (P, 4, 3) of the edge from each vertex to the next
    turn = (np.cross(behind, points) * ahead).sum(axis=2, keepdims=True)  # of one sign in a convex polygon
    width = np.abs(lines[..., :2]).max(axis=2)
    lines[..., 2] -= np.sign(turn[..., 0]) * OUTLINE * width * edges
    return np.cross(np.roll(lines, 1, axis=1), lines) / turn
