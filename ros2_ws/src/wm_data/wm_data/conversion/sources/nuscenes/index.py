"""Maps pictures to scenes with arrays: the full dataset has 2.6 million rows of sample_data.

Rows of sensors other than the requested cameras are skipped while reading. A kept row takes about 150 bytes with its
file name.
"""

from array import array
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from wm_data.conversion.sources.nuscenes.tables import TOKEN_BYTES, Table
from wm_data.errors import ConversionError


@dataclass(frozen=True)
class Scene:
    """A row of the table scene. ``log`` is a token."""

    name: str
    log: bytes


def read_scenes(folder: Path) -> dict[str, Scene]:
    """The scenes of a version by their token. Raises ConversionError."""
    table = Table(folder, "scene")
    return {table.text(row, "token"): Scene(table.text(row, "name"), table.token(row, "log_token")) for row in table}


def read_logs(folder: Path) -> dict[bytes, dict]:
    """The dataset's row of each log, by token. Raises ConversionError."""
    table = Table(folder, "log")
    return {
        table.token(row, "token"): {"log": table.text(row, "logfile"), "location": table.text(row, "location")}
        for row in table
    }


def read_cameras(folder: Path) -> dict[bytes, str]:
    """The cameras' channels (CAM_FRONT, ..., or the names in a custom set of this format) by the token of their sensor.
    Raises ConversionError."""
    table = Table(folder, "sensor")
    sensors = [(table.token(row, "token"), table.text(row, "channel"), row.get("modality")) for row in table]
    return {token: channel for token, channel, modality in sensors if modality == "camera"}


class PictureIndex:
    """The rows of sample_data of a few cameras, as arrays over n rows. ``stamps`` int64 (n,) [ns]; ``ego_poses`` S16
    (n,), tokens; ``scenes`` the version's scenes by token."""

    def __init__(self, folder: Path, cameras: tuple[str, ...]):
        """Reads the tables of a version's folder. Raises ConversionError for damaged ones."""
        self.folder = folder
        self.scenes = read_scenes(folder)
        self.cameras = cameras
        self._scene_numbers = {token: number for number, token in enumerate(self.scenes)}
        self._read()

    def chain(self, scene: str, camera: int) -> tuple[list[int], int]:
        """A camera's rows in a scene along their links, forward and back from the earliest; and the number of the
        scene's rows not reached, because a link is broken."""
        group = self._group(scene, camera)
        first, end = np.searchsorted(self._sorted_groups, [group, group + 1])
        left = set(self._by_group[first:end].tolist())
        if not left:
            return [], 0
        start = min(left, key=lambda row: (self.stamps[row], row))
        before = self._walk(start, self._previous, left)
        left.add(start)
        return before[:0:-1] + self._walk(start, self._next, left), len(left)

    def filename(self, row: int) -> str:
        """A picture's file, relative to the dataset's root."""
        return self._names[self._name_ends[row - 1] if row else 0 : self._name_ends[row]].decode("utf-8")

    def _group(self, scene: str, camera: int) -> int:
        return self._scene_numbers[scene] * len(self.cameras) + camera

    @staticmethod
    def _walk(row: int, links: np.ndarray, left: set[int]) -> list[int]:
        """The rows along the links from a row on, removed from ``left``, which also ends a ring of links."""
        rows = []
        while row in left:
            left.remove(row)
            rows.append(row)
            row = int(links[row])
        return rows

    def _read(self) -> None:
        sensors = self._read_calibrated_sensors()
        samples = self._read_samples()
        table = Table(self.folder, "sample_data")
        tokens, following, poses = bytearray(), bytearray(), bytearray()
        stamps, groups, name_ends = array("q"), array("q"), array("q")
        names = bytearray()
        for row in table:
            camera = sensors.get(table.text(row, "calibrated_sensor_token"))
            if camera is None:
                continue
            sample = table.token(row, "sample_token")
            if sample not in samples:
                raise table.error("belongs to a sample that the table sample does not have")
            tokens += table.token(row, "token")
            following += table.token(row, "next")
            poses += table.token(row, "ego_pose_token")
            stamps.append(table.stamp_ns(row))
            groups.append(samples[sample] * len(self.cameras) + camera)
            names += table.text(row, "filename").encode("utf-8", "replace")
            name_ends.append(len(names))
        self.stamps = np.array(stamps, np.int64)
        self.ego_poses = token_array(poses)
        self._names, self._name_ends = names, name_ends
        groups = np.array(groups, np.int64)
        self._by_group = np.argsort(groups, kind="stable").astype(np.int32)
        self._sorted_groups = groups[self._by_group]
        self._link(token_array(tokens), token_array(following))

    def _link(self, tokens: np.ndarray, following: np.ndarray) -> None:
        """Numbers of the next and previous rows instead of tokens, -1 where there is none."""
        rows = np.arange(len(tokens), dtype=np.int32)
        found = TokenFinder(tokens)(following)
        found[following == b""] = -1
        self._next = found.astype(np.int32)
        self._previous = np.full(len(tokens), -1, np.int32)
        self._previous[found[found >= 0]] = rows[found >= 0]

    def _read_calibrated_sensors(self) -> dict[str, int]:
        """Index of the requested camera, by the token of its calibration in a log."""
        cameras = read_cameras(self.folder)
        missing = set(self.cameras) - set(cameras.values())
        if missing:
            raise ConversionError(f"{self.folder} has no camera {', '.join(sorted(missing))}")
        numbers = {token: self.cameras.index(name) for token, name in cameras.items() if name in self.cameras}
        table = Table(self.folder, "calibrated_sensor")
        sensors = ((table.text(row, "token"), table.token(row, "sensor_token")) for row in table)
        return {token: numbers[sensor] for token, sensor in sensors if sensor in numbers}

    def _read_samples(self) -> dict[bytes, int]:
        """Number of the scene by the token of a sample."""
        table = Table(self.folder, "sample")
        samples = {}
        for row in table:
            scene = table.text(row, "scene_token")
            if scene not in self._scene_numbers:
                raise table.error(f"belongs to the scene {scene[:40]!r}, which the table scene does not have")
            samples[table.token(row, "token")] = self._scene_numbers[scene]
        return samples


class TokenFinder:
    """Finds tokens by binary search in a sorted array: a dictionary would take ten times the memory."""

    def __init__(self, tokens: np.ndarray):
        """``tokens`` S16 (n,)."""
        self._order = np.argsort(tokens, kind="stable")
        self._sorted = tokens[self._order]

    def __call__(self, wanted: np.ndarray) -> np.ndarray:
        """The index of each of ``wanted`` S16 (m,): int64 (m,), -1 where missing."""
        if not len(self._sorted):
            return np.full(len(wanted), -1, np.int64)
        place = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        return np.where(self._sorted[place] == wanted, self._order[place], -1)


def token_array(tokens: bytes | bytearray) -> np.ndarray:
    """S16 (n,) from n tokens' concatenated bytes."""
    return np.frombuffer(tokens, f"S{TOKEN_BYTES}")


@lru_cache(maxsize=4)
def _index_or_error(folder: str, cameras: tuple[str, ...]) -> PictureIndex | ConversionError:
    try:
        return PictureIndex(Path(folder), cameras)
    except ConversionError as error:
        return error


def picture_index(folder: str, cameras: tuple[str, ...]) -> PictureIndex:
    """The index of a version's folder, read once per process, as every scene needs it; errors are kept as well. Raises
    ConversionError for damaged tables."""
    index = _index_or_error(folder, cameras)
    if isinstance(index, ConversionError):
        raise ConversionError(str(index))
    return index
