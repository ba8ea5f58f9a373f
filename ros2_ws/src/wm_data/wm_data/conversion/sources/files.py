"""What readers of folders of files share."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from wm_bundle import ImageError, compressed_encoding
from wm_bundle.files import open_regular

from wm_data.conversion.errors import ConversionError
from wm_data.conversion.pictures import CameraView

MAX_PICTURE_BYTES = 1 << 27


def read_small_file(path: Path, limit: int) -> bytes:
    """The bytes of a file of at most ``limit`` bytes.

    Raises ConversionError for one that is missing, cannot be read, or is larger: what was taken for a small file must
    not fill the memory.
    """
    try:
        with open_regular(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ConversionError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > limit:
        raise ConversionError(f"{path} has more than {limit} bytes, expected a small file: is it damaged?")
    return data


def load_picture_file(view: CameraView, path: Path, encoding: str | None = None) -> np.ndarray:
    """(3, size, size) uint8 RGB from a "jpeg" or "png" file; None: whichever it is. Raises ImageError where it is
    missing or damaged.

    Its message does not name the file, so that reasons add up; that is in a note of the exception.
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


def walk(source: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder at and below ``source``, with its folders and files by name, none that is hidden. Folders that are
    taken out of the list are not gone into. Raises OSError."""

    def refuse(error: OSError) -> None:
        raise error  # os.walk would leave the folder out and say nothing

    for folder, folders, files in os.walk(source, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(folder), folders, sorted(name for name in files if not name.startswith("."))


def count(skipped: Counter, reason: str, number: int) -> None:
    """Add to what was left out for a reason; a reason that nothing was left out for stays unnamed."""
    if number:
        skipped[reason] += number


def usual_period_ns(stamps_ns: list[int], default_ns: int) -> int:
    """The mean of the gaps between stamps that follow each other [ns], drops left out; ``default_ns`` without any.

    Not the median: a camera of 12 Hz that waits for a lidar of 20 Hz has gaps of 100, 100 and 50 ms.
    """
    gaps = np.diff(np.asarray(stamps_ns, np.int64))
    forward = gaps[gaps > 0]
    if not len(forward):
        return default_ns
    return round(float(forward[forward <= 1.5 * np.median(forward)].mean()))
