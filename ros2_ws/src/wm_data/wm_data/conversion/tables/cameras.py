"""Picture files of a drive: named in a column of the table, or numbered by frame in a folder per camera."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from wm_data.conversion.tables.columns import PICTURE_ENDINGS, Columns
from wm_data.errors import ConversionError

_NUMBERED = re.compile(r"^(.*?)(\d{1,15})(\.[A-Za-z]+)$")
_MOST_KINDS = 16  # of pictures in one folder
_CAMERA_FOLDERS = ("camera", "cameras")  # contain a folder per camera, in some layouts
_FRONT_CAMERAS = ("rgb_front", "front", "rgb", "image", "images", "center", "camera", "cam_front")


@dataclass(frozen=True)
class NamedFiles:
    """Pictures whose names, relative to ``folder``, are in ``column``."""

    folder: Path
    column: str

    def path(self, row: dict[str, object], frame: int | None) -> Path | None:
        """A row's file; None where it has none. Raises ConversionError for a name that leads out of the folder."""
        name = row.get(self.column)
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            return None
        relative = Path(name.strip().replace("\\", "/"))
        if PureWindowsPath(name.strip()).is_absolute() or relative.is_absolute() or ".." in relative.parts:
            raise ConversionError(
                f"picture {name!r} leads out of {self.folder}: expected names relative to the table's folder; a "
                f"recording of Udacity's simulator is read by `convert udacity`"
            )
        return self.folder / relative


@dataclass(frozen=True)
class NumberedFiles:
    """Pictures named ``prefix`` + frame, zero-padded to ``digits``, + ``ending``; ``count`` such files."""

    folder: Path
    prefix: str
    digits: int
    ending: str
    count: int

    @classmethod
    def all_of(cls, folder: Path) -> "dict[str, NumberedFiles]":
        """The naming of a folder's pictures, by the prefix of their numbers: the first file of each kind sets the
        suffix. Kinds with far fewer pictures than another are ignored."""
        kinds: dict[str, list[re.Match]] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                match = _NUMBERED.match(entry.name)
                if match and match[3].lower() in PICTURE_ENDINGS and not entry.name.startswith("."):
                    kinds.setdefault(match[1], []).append(match)
        most = max(map(len, kinds.values()), default=0)
        kept = sorted(prefix for prefix, found in kinds.items() if 2 * len(found) >= most)
        return {prefix: cls._of(folder, kinds[prefix]) for prefix in kept[: _MOST_KINDS if most > 1 else 1]}

    @classmethod
    def _of(cls, folder: Path, found: list[re.Match]) -> "NumberedFiles":
        first = min(found, key=lambda match: match.string)
        digits = max((len(match[2]) for match in found if match[2].startswith("0")), default=0)
        return cls(folder, first[1], digits, first[3], len(found))

    def path(self, row: dict[str, object], frame: int | None) -> Path | None:
        return None if frame is None else self.folder / f"{self.prefix}{frame:0{self.digits or 1}d}{self.ending}"


def find_cameras(folder: Path, table: Path, columns: Columns) -> dict[str, NamedFiles | NumberedFiles]:
    """The cameras of a drive by name. Raises ConversionError where there are none, OSError."""
    if columns.pictures:
        return {camera: NamedFiles(folder, column) for camera, column in columns.pictures.items()}
    places = [place for place in (folder, *(folder / name for name in _CAMERA_FOLDERS)) if place.is_dir()]
    subfolders = sorted({name: place for place in reversed(places) for name in _subfolders(place)}.items())
    cameras: dict[str, NamedFiles | NumberedFiles] = {}
    for name, place in subfolders:
        cameras |= _by_camera(name, f"{name}_", NumberedFiles.all_of(place / name))
    if not cameras:
        cameras |= _by_camera("rgb_front", "", NumberedFiles.all_of(folder))
    if not cameras:
        raise ConversionError(
            f"{table} has no column with names of pictures, and {folder} no folder with pictures by frame number, as "
            f"rgb_front/000123.png; the table's columns are {', '.join(columns.names)}"
        )
    if "frame" not in columns.by_meaning:
        raise ConversionError(
            f"{table} has no column of frame numbers, by which the pictures in {', '.join(cameras)} are named; "
            f"its columns are {', '.join(columns.names)}"
        )
    return cameras


def _by_camera(name: str, beginning: str, kinds: dict[str, NumberedFiles]) -> dict[str, NumberedFiles]:
    """The pictures of one folder: those of the camera ``name``, or of several, by the prefix of their numbers."""
    if len(kinds) < 2:
        return dict(zip([name], kinds.values(), strict=False))
    return {f"{beginning}{prefix.strip(' _-.')}" if prefix else name: files for prefix, files in kinds.items()}


def _subfolders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]


def choose_cameras(
    cameras: dict[str, NamedFiles | NumberedFiles], asked: tuple[str, ...], place: Path
) -> dict[str, NamedFiles | NumberedFiles]:
    """The requested ones, in their order; else the front camera. Raises ConversionError where that is unclear."""
    unknown = [name for name in asked if name not in cameras]
    if unknown:
        raise ConversionError(f"{place} has no camera {', '.join(unknown)}; it has {', '.join(cameras)}")
    if not asked:
        front = [name for name in _FRONT_CAMERAS if name in cameras]
        if not front and len(cameras) > 1:
            raise ConversionError(f"{place} has the cameras {', '.join(cameras)}: choose with --cameras")
        asked = tuple(front[:1]) or tuple(cameras)
    return {name: cameras[name] for name in asked}
