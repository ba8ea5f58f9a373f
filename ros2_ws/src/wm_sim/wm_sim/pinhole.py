"""Pinhole cameras on the car: their mounting, and the projection of points to pixels.

Frames: map and car have x ahead, y left, z up; the car's origin lies on the ground. A camera's optical frame has z
along the viewing direction, x right and y down in the picture (REP-103). Pixels count from the centre of the upper left
pixel.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Columns: the optical frame's axes (right, down, ahead) in axes that have x ahead, y left, z up.
_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class Mount:
    """A sensor's pose on the car: metres and radians, ROS axes (positive pitch looks down, positive yaw left)."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0

    def rotation(self) -> np.ndarray:
        """(3, 3): the mount's axes (x ahead, y left, z up) as columns, in the car's frame."""
        return _about(2, self.yaw) @ _about(1, self.pitch) @ _about(0, self.roll)


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion."""

    width: int  # [px]
    height: int  # [px]
    fov: float  # [rad] horizontal
    mount: Mount  # its z, the height above the ground, must be positive

    @property
    def focal(self) -> float:
        """Focal length [px], the same for both axes."""
        return self.width / (2.0 * math.tan(self.fov / 2))

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) K: from the optical frame to pixels. As in CARLA's bridge the centre is at (width/2, height/2)."""
        return np.array([[self.focal, 0.0, self.width / 2], [0.0, self.focal, self.height / 2], [0.0, 0.0, 1.0]])

    @cached_property
    def optical_rotation(self) -> np.ndarray:
        """(3, 3): the optical frame's axes as columns, in the car's frame."""
        return self.mount.rotation() @ _OPTICAL

    def eye(self, x: float, y: float, yaw: float) -> np.ndarray:
        """(3,) [m]: the camera's position on the map, for a car at (x, y) [m] with this yaw [rad]."""
        return np.array([x, y, 0.0]) + _about(2, yaw) @ (self.mount.x, self.mount.y, self.mount.z)

    def axes(self, yaw: float) -> np.ndarray:
        """(3, 3): the optical frame's axes as columns, on the map, for a car with this yaw [rad]."""
        return _about(2, yaw) @ self.optical_rotation

    def projection(self, x: float, y: float, yaw: float) -> np.ndarray:
        """(3, 4) from the map to pixels, for a car at (x, y) [m] with this yaw [rad].

        Applied to (map x, map y, map z, 1) it gives (u d, v d, d): pixel (u, v) and the depth d [m] along the viewing
        direction, which is negative behind the camera. Without its third column it is the ground's homography.
        """
        axes = self.axes(yaw)
        return self.matrix @ np.column_stack([axes.T, -axes.T @ self.eye(x, y, yaw)])


def quaternion(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """(x, y, z, w) of a rotation matrix (3, 3), w >= 0."""
    # The eigenvector of the largest eigenvalue of this symmetric matrix, see Bar-Itzhack (2000).
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    matrix = [
        [xx - yy - zz, yx + xy, zx + xz, zy - yz],
        [yx + xy, yy - xx - zz, zy + yz, xz - zx],
        [zx + xz, zy + yz, zz - xx - yy, yx - xy],
        [zy - yz, xz - zx, yx - xy, xx + yy + zz],
    ]
    vector = np.linalg.eigh(matrix)[1][:, -1]
    x, y, z, w = (vector if vector[3] >= 0 else -vector).tolist()
    return x, y, z, w


def _about(axis: int, angle: float) -> np.ndarray:
    """(3, 3): a turn about x, y or z."""
    after, last = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[after, after] = matrix[last, last] = math.cos(angle)
    matrix[last, after] = math.sin(angle)
    matrix[after, last] = -matrix[last, after]
    return matrix
