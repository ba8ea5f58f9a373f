"""Where the track is drawn in a picture, found in the picture alone, and where it should be, computed apart.

Nothing of wm_sim's own geometry is used here: a point goes through a quaternion and a camera matrix as a message has
them, and edges are looked for as changes of colour.
"""

from __future__ import annotations

import cv2
import numpy as np

REACH_PX = 4.0  # how far from the expected place an edge is looked for
STEP_PX = 0.1
BAND_PX = 5.0  # to each side along the edge, over which is averaged
SHORTEST_PX = 6.0


def rotated(quaternion, vector) -> np.ndarray:
    """A vector turned by a quaternion (x, y, z, w)."""
    axis, w = np.asarray(quaternion[:3], float), float(quaternion[3])
    vector = np.asarray(vector, float)
    across = np.cross(axis, vector)
    return vector + 2.0 * (w * across + np.cross(axis, across))


def inverse(quaternion) -> tuple:
    """The opposite turn."""
    x, y, z, w = quaternion
    return -x, -y, -z, w


def project(point, car_position, car_quaternion, camera_position, camera_quaternion, k) -> np.ndarray | None:
    """Pixel (u, v) of a point of the map [m], or None behind the camera; K (9,) row by row, positions as in TF."""
    in_car = rotated(inverse(car_quaternion), np.subtract(point, car_position))
    x, y, z = rotated(inverse(camera_quaternion), in_car - camera_position)
    return np.array([k[0] * x / z + k[2], k[4] * y / z + k[5]]) if z > 0.2 else None


def drawn_edge(picture: np.ndarray, pixel, edge) -> float | None:
    """Distance [px], to the right of a straight edge in the picture, at which it is drawn near a pixel of it.

    ``edge`` is its direction and length [px] around the pixel. The profile of colours across it is a mean over a part
    of its length. None if the edge is too short, or if what shows beside it is not one colour on each side.
    """
    length = float(np.hypot(*edge))
    if length < SHORTEST_PX:
        return None
    along = np.asarray(edge, float) / length
    band = min(BAND_PX, length / 4)
    at = np.arange(-REACH_PX, REACH_PX + STEP_PX / 2, STEP_PX)
    beside = np.linspace(-band, band, 9)
    u = pixel[0] - along[1] * at[None] + along[0] * beside[:, None]
    v = pixel[1] + along[0] * at[None] + along[1] * beside[:, None]
    lines = cv2.remap(picture, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR).astype(float)
    before, behind = lines[:, :10].mean(axis=(0, 1)), lines[:, -10:].mean(axis=(0, 1))
    change = behind - before
    size = float(change @ change)
    if size < 60.0**2 or max(lines[:, :10].std(axis=(0, 1)).max(), lines[:, -10:].std(axis=(0, 1)).max()) > 2.0:
        return None
    share = (lines - before) @ change / size
    if np.abs(lines - before - share[..., None] * change).max() > 12.0:
        return None  # a third colour between: a corner or another edge is near
    return float(np.interp(0.5, share.mean(axis=0), at))


def covered(points: np.ndarray, polygons: np.ndarray, margin_m: float = 0.02) -> np.ndarray:
    """(n,): whether a point (n, 2) lies inside one of the quadrangles (P, 4, 2), by a margin, so that no edge shows."""
    begins, ends = polygons, np.roll(polygons, -1, axis=1)
    sides = ends - begins
    sides /= np.linalg.norm(sides, axis=2, keepdims=True)
    offset = points[:, None, None] - begins  # (n, P, 4, 2)
    left = sides[..., 0] * offset[..., 1] - sides[..., 1] * offset[..., 0]
    return ((left > margin_m).all(axis=2) | (left < -margin_m).all(axis=2)).any(axis=1)
