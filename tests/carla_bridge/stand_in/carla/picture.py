"""What a camera sees of the road: a meadow with tufts, posts, the road with its markings, and noise."""

import math

import cv2
import numpy as np

from .road import MIDDLE, RIGHT, nearest

_DRAWN_SMALL = 240  # [pixels] wider pictures are drawn at a quarter of their size and enlarged
_SIGHT = 60.0  # [m]
_RNG = np.random.default_rng(7)
_POSTS = [
    (k, side * _RNG.uniform(9, 14), _RNG.uniform(2, 7), _RNG.integers(40, 220, 3))
    for k in range(0, len(MIDDLE), 6)
    for side in (-1, 1)
]


def _polygons():
    """Corners (n, 4, 3), colours and whether each lies flat."""
    corners, colours = [], []

    def add(points, colour):
        corners.append(points)
        colours.append(tuple(map(int, colour)))

    for k in range(len(MIDDLE)):
        n = (k + 1) % len(MIDDLE)
        shade = 95 + 4 * (k % 3)
        strips = [(-6.2, 2.2, (shade,) * 3), (1.95, 2.1, (240,) * 3), (-6.1, -5.95, (240,) * 3)]
        if k % 3 == 0:
            strips.append((-2.07, -1.93, (80, 220, 240)))
        for left, right, colour in strips:
            ring = ((k, left), (k, right), (n, right), (n, left))
            add([(*(MIDDLE[i, :2] + RIGHT[i] * side), 0.0) for i, side in ring], colour)
    for k, side, tall, colour in _POSTS:
        base, wide = MIDDLE[k, :2] + RIGHT[k] * side, RIGHT[k] * 1.5
        add([(*(base - wide), 0), (*(base + wide), 0), (*(base + wide), tall), (*(base - wide), tall)], colour)
    # Tufts, so that no two views of the meadow are the same.
    for x, y, a, b in _RNG.uniform((-120, -80, 0.5, 0.5), (240, 170, 2, 2), (2500, 4)):
        k = nearest((x, y))
        if abs((np.array((x, y)) - MIDDLE[k, :2]) @ RIGHT[k] + 2.0) > 6.0:
            add([(x, y, 0), (x + a, y, 0), (x + a, y + b, 0), (x, y + b, 0)], (50, _RNG.integers(90, 160), 60))
    corners = np.array(corners, float)
    return corners, colours, corners[:, :, 2].max(1) == 0.0


_CORNERS, _COLOURS, _FLAT = _polygons()
_NOISE = _RNG.integers(0, 6, 256 * 256).astype(np.uint8)
_NOISE_AT = np.random.default_rng()


def draw(place, turn, width: int, height: int, fov: float) -> np.ndarray:
    """(H, W, 4) uint8, BGRA, of a camera at ``place`` [m] with ``turn`` (pitch, yaw, roll) and ``fov`` [degrees]."""
    if width > _DRAWN_SMALL:
        small = draw(place, turn, width // 4, height // 4, fov)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    focal = width / (2 * math.tan(math.radians(fov) / 2))
    pitch, yaw = math.radians(turn[0]), math.radians(turn[1])
    ahead = np.array([math.cos(pitch) * math.cos(yaw), math.cos(pitch) * math.sin(yaw), math.sin(pitch)])
    right = np.array([-math.sin(yaw), math.cos(yaw), 0.0])
    up = np.cross(ahead, right)
    scene = np.full((height, width, 3), (60, 120, 70), np.uint8)
    scene[: int(np.clip(height / 2 + focal * math.tan(pitch), 0, height))] = (220, 190, 150)
    near = np.hypot(*(_CORNERS[:, 0, :2] - np.asarray(place)[:2]).T)
    chosen = np.flatnonzero(near < _SIGHT)
    chosen = chosen[np.lexsort((-near[chosen], ~_FLAT[chosen]))]  # flat ones first, then the farthest first
    relative = _CORNERS[chosen] - np.asarray(place)
    depth = relative @ ahead
    seen = (depth > 0.7).all(1)
    depth = np.where(depth > 0.7, depth, 1.0)
    pixels = np.stack(
        [width / 2 + focal * (relative @ right) / depth, height / 2 - focal * (relative @ up) / depth], -1
    )
    seen &= (np.abs(pixels) < 1e5).all((1, 2))
    corners = np.round(pixels * 16).astype(np.int32)
    for k in np.flatnonzero(seen):
        cv2.fillConvexPoly(scene, corners[k], _COLOURS[chosen[k]], cv2.LINE_8, 4)
    shift = int(_NOISE_AT.integers(0, _NOISE.size))  # a rendered picture never repeats
    noise = np.resize(np.roll(_NOISE, shift), (height, width, 1))
    return np.dstack([cv2.add(scene, np.repeat(noise, 3, 2)), np.full((height, width), 255, np.uint8)])
