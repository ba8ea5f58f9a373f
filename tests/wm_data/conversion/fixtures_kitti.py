"""KITTI raw drives on disk, in the layout and the text formats of the dataset."""

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

DATE = "2011_09_26"
START_NS = 1_317_042_145_964_389_445  # 2011-09-26 13:02:25.964389445, taken as UTC
PERIOD_NS = 103_000_017
OXTS_DELAY_NS = 4_000_000


def stamp_ns(frame: int) -> int:
    return START_NS + frame * PERIOD_NS


def write_drive(
    root: Path,
    frames: int = 20,
    number: int = 1,
    speed=lambda frame: 5.0,
    yaw_rate=lambda frame: 0.0,
    size: tuple[int, int] = (37, 124),
    kind: str = "sync",
    date: str = DATE,
    cameras: tuple[str, ...] = ("image_02", "image_03"),
    ending: str = ".png",
) -> Path:
    """A drive, usually with both colour cameras: frame k of the first is all of brightness 10 k, of the second of
    10 k + 5. Pictures of image_00 and image_01 have one channel."""
    drive = root / date / f"{date}_drive_{number:04d}_{kind}"
    for camera, offset in zip(cameras, (0, 5, 7, 9), strict=False):
        data = drive / camera / "data"
        data.mkdir(parents=True)
        for frame in range(frames):
            shape = size if camera < "image_02" else (*size, 3)
            picture = np.full(shape, (10 * frame + offset) % 256, np.uint8)
            cv2.imwrite(str(data / f"{frame:010d}{ending}"), picture)
        write_stamps(drive / camera, [stamp_ns(frame) for frame in range(frames)])
    oxts = drive / "oxts" / "data"
    oxts.mkdir(parents=True)
    for frame in range(frames):
        (oxts / f"{frame:010d}.txt").write_text(oxts_line(speed(frame), yaw_rate(frame)))
    write_stamps(drive / "oxts", [stamp_ns(frame) + OXTS_DELAY_NS for frame in range(frames)])
    return drive


def write_stamps(folder: Path, stamps_ns: list[int | None]) -> None:
    """timestamps.txt; a blank line for None."""
    lines = ["" if stamp is None else stamp_text(stamp) for stamp in stamps_ns]
    (folder / "timestamps.txt").write_text("".join(line + "\n" for line in lines))


def stamp_text(stamp: int) -> str:
    moment = datetime.fromtimestamp(stamp // 1_000_000_000, timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{stamp % 1_000_000_000:09d}"


def oxts_line(speed: float, yaw_rate: float) -> str:
    """30 fields; those that are not read hold other numbers than those that are."""
    fields = [f"{0.01 * i + 77.0:.12f}" for i in range(25)] + ["4", "10", "4", "4", "0"]
    fields[8], fields[22] = f"{speed:.12f}", f"{yaw_rate:.12f}"
    return " ".join(fields) + "\n"
