"""Pictures stored in files."""

import heapq
from collections.abc import Iterable, Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np
from wm_bundle import ImageError, compressed_encoding

from wm_data.conversion.drive import Picture
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport
from wm_data.errors import ConversionError
from wm_data.files import read_small_file
from wm_data.line import usual_step_ns

MAX_PICTURE_BYTES = 1 << 27


def load_picture_file(view: CameraView, path: Path, encoding: str | None = None) -> np.ndarray:
    """(3, size, size) uint8 RGB from a "jpeg" or "png" file; None: detect it. Raises ImageError where it is missing or
    damaged.

    Its message does not name the file, so that equal reasons are counted together; a note of the exception does.
    """
    try:
        data = read_small_file(path, MAX_PICTURE_BYTES)
        return view(0, 0, encoding or compressed_encoding("", data), 0, data)
    except ConversionError as error:
        failure = ImageError("its file cannot be read")
        failure.add_note(str(error))
    except ImageError as error:
        failure = error
        failure.add_note(str(path))
    raise failure


def merged_pictures(
    views: tuple[CameraView, ...],
    files: list[Iterable[tuple[int, Path, int | None]]],
    kinds: list[str],
    report: DriveReport,
) -> Iterator[Picture]:
    """Pictures in files, the cameras merged by stamp. ``files``: for each camera (stamp [ns], file, place), in its own
    order; ``kinds``: the name of each camera's pictures in the report."""

    def of_camera(camera: int) -> Iterator[Picture]:
        view = views[camera]
        topic = report.topic(view.name, kinds[camera])
        for stamp_ns, path, place in files[camera]:
            topic.add(stamp_ns)
            yield Picture(camera, stamp_ns, partial(load_picture_file, view, path), place)

    return heapq.merge(*map(of_camera, range(len(views))), key=attrgetter("stamp_ns"))


def usual_period_ns(stamps_ns: list[int], default_ns: int) -> int:
    """The usual gap between consecutive stamps [ns]; ``default_ns`` without any."""
    return usual_step_ns(stamps_ns) or default_ns
