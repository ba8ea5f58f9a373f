"""Speed and yaw rate from the table ego_pose: the car's pose at each picture."""

from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from wm_bundle.rotation import yaw_of
from wm_bundle.times import NS_PER_S

from wm_data.conversion.assembling.cameras import GAP_PERIODS
from wm_data.conversion.drive import Signal
from wm_data.conversion.sources.nuscenes.index import TokenFinder, picture_index, token_array
from wm_data.conversion.sources.nuscenes.tables import Table
from wm_data.errors import ConversionError

MAX_STEP_S = 0.5  # [s] poses further apart give no speed, unless pictures are as far apart
_BATCH_ROWS = 4096


def read_poses(folder: Path, tokens: np.ndarray) -> np.ndarray:
    """x [m], y [m] and yaw [rad] of the ego poses with the tokens S16 (n,): (n, 3), NaN where the table has none. Reads
    the table in one pass and keeps only these rows. Raises ConversionError for a damaged table."""
    poses = np.full((len(tokens), 3), np.nan)
    find = TokenFinder(tokens)
    table = Table(folder, "ego_pose")
    rows = iter(table)
    while batch := list(islice(rows, _BATCH_ROWS)):
        places = find(token_array(b"".join(table.token(row, "token") for row in batch)))
        for place, row in zip(places.tolist(), batch, strict=True):
            if place >= 0:
                x, y, _ = table.numbers(row, "translation", 3)
                w, qx, qy, qz = table.numbers(row, "rotation", 4)
                poses[place] = x, y, yaw_of(qx, qy, qz, w)
    return poses


@lru_cache(maxsize=4)
def _poses_or_error(folder: str, cameras: tuple[str, ...]) -> np.ndarray | ConversionError:
    try:
        return read_poses(Path(folder), picture_index(folder, cameras).ego_poses)
    except ConversionError as error:
        return error


def picture_poses(folder: str, cameras: tuple[str, ...]) -> np.ndarray:
    """The poses (n, 3) of all rows of ``picture_index``, read once per process when the first scene needs them. Raises
    ConversionError for a damaged table."""
    poses = _poses_or_error(folder, cameras)
    if isinstance(poses, ConversionError):
        raise ConversionError(str(poses))
    return poses


def motion_of_poses(stamps_ns: np.ndarray, poses: np.ndarray, period_ns: int) -> tuple[Signal, Signal]:
    """Speed along the heading and yaw rate at the stamps (n,) of the poses (n, 3), in the order of driving.
    ``period_ns`` is the usual time between two: keyframes alone are up to 0.6 s apart.

    Differences to the previous pose, so that nothing later is used; the first pose has none. They are the means since
    then: of a change between two pictures, half shows at the second and all of it at the third."""
    known = np.isfinite(poses).all(axis=1)
    stamps, poses = stamps_ns[known], poses[known]
    seconds = np.diff(stamps) / NS_PER_S
    near = (seconds > 0.0) & (seconds <= max(MAX_STEP_S, GAP_PERIODS * period_ns / NS_PER_S))
    seconds = np.where(near, seconds, 1.0)
    yaw = np.unwrap(poses[:, 2])
    heading = 0.5 * (yaw[1:] + yaw[:-1])
    along = np.diff(poses[:, 0]) * np.cos(heading) + np.diff(poses[:, 1]) * np.sin(heading)
    speed, yaw_rate = Signal(1), Signal(1)
    speed.extend(stamps[1:][near], (along / seconds)[near, None])
    yaw_rate.extend(stamps[1:][near], (np.diff(yaw) / seconds)[near, None])
    return speed, yaw_rate
