"""Recordings of Udacity's self-driving car simulator: driving_log.csv next to a folder IMG of pictures.

The table has no header line. Its pictures have the paths of the recording machine, with the time in their names;
steering is a share of 25 degrees, positive right, and the speed is in miles per hour, without a sign.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef
from wm_data.conversion.naming import uniquely_named
from wm_data.conversion.tables.columns import LEFT_OUT, PICTURE_ENDINGS, number
from wm_data.conversion.tables.drive import Frames, drive_of
from wm_data.conversion.tables.reading import Place, Row, Table, csv_rows, lines, reading
from wm_data.errors import ConversionError
from wm_data.files import readable, walk

TABLE, PICTURES = "driving_log.csv", "IMG"
CAMERAS = ("center", "left", "right")
HEADER = (*CAMERAS, "steering", "throttle", "brake", "speed")
MAX_STEER_DEG = 25.0
FRAMES = Frames(66_666_667, "the simulator")
_MPS_PER_MPH = 0.44704
_REVERSING_MPH = 5.0  # below it the simulator's brake drives backwards
_STANDING_MPH = 1.0


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """One per driving_log.csv at or below the source, in the order of their paths. Raises ConversionError where there
    is none."""
    source = Path(options.source).expanduser()
    with readable(source):
        found = [source] if source.is_file() else sorted(_tables_below(source))
    if not found:
        raise ConversionError(f"{source} holds no {TABLE}, as Udacity's simulator writes it")
    top = source if source.is_dir() else source.parent
    return uniquely_named(
        DriveRef(
            "_".join(table.parent.relative_to(top).parts) or table.resolve().parent.name,
            {"table": str(table)},
            (str(table),),
        )
        for table in found
    )


@contextmanager
def open_drive(ref: DriveRef, options: ConvertOptions) -> Iterator[Drive]:
    file = Path(ref.locator["table"])
    table = Table(file, partial(_rows, file, options.max_steer_deg))
    drive = drive_of(table, file.parent, ref.name, options, FRAMES, {"dataset": "udacity"})
    drive.report.note(
        f"the simulator's steering, a share of {MAX_STEER_DEG:g} degrees, counts as one of {options.max_steer_deg:g}"
    )
    drive.reverse_told = True
    yield drive


def _tables_below(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        raise ConversionError(f"no file or folder {source}, expected a recording of Udacity's simulator")
    for folder, _, files in walk(source):
        if TABLE in files:
            yield folder / TABLE


def _rows(file: Path, max_steer_deg: float) -> Iterator[Row]:
    place = Place(file)
    return reading(place, _told_rows(file, place, max_steer_deg))


def _told_rows(file: Path, place: Place, max_steer_deg: float) -> Iterator[Row]:
    first = re.split("[,;\t]", next(lines(file, place), ""), maxsplit=1)[0].strip(' "').lower()
    header = list(HEADER) if first.endswith(PICTURE_ENDINGS) else None  # Udacity's own data set has a header
    reverse = _ReverseGear()
    for cells in csv_rows(file, place, header):
        if "brake" not in cells and "reverse" in cells:  # some headers have this name
            cells["brake"] = cells["reverse"]
        missing = [name for name in HEADER if name not in cells]
        if missing:
            raise ConversionError(f"{place} has no {', '.join(missing)}; expected the columns {', '.join(HEADER)}")
        share = np.clip(number(cells["steering"]), -1.0, 1.0) * MAX_STEER_DEG / max_steer_deg
        mph, throttle, brake = (number(cells[name]) for name in ("speed", "throttle", "brake"))
        row: Row = {
            "steer": float(np.clip(share, -1.0, 1.0)),
            "throttle": throttle,
            "brake": brake,
            "speed": _MPS_PER_MPH * mph,
            LEFT_OUT: "in reverse gear" if reverse(mph, throttle, brake) else None,
        }
        for camera in CAMERAS:
            row[camera] = _beside(file.parent, str(cells[camera]))
        yield row


def _beside(folder: Path, told: str) -> str:
    """A picture's path relative to the table, from its path on the recording machine."""
    name = told.strip().replace("\\", "/").rsplit("/", 1)[-1]
    return f"{PICTURES}/{name}" if name and (folder / PICTURES).is_dir() else name


class _ReverseGear:
    """Whether the car is in reverse gear: at low speed the brake drives backwards, which the log does not record."""

    def __init__(self):
        self._reversing = False

    def __call__(self, mph: float, throttle: float, brake: float) -> bool:
        if brake > 0.0:
            self._reversing = self._reversing or mph < _REVERSING_MPH
        elif mph < _STANDING_MPH or throttle > 0.0:
            self._reversing = False
        return self._reversing
