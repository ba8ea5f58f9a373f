"""KITTI raw data: the synchronised drives, their cameras and OXTS.

The layout is ROOT/DATE/DATE_drive_NNNN_sync/{image_00,...,image_03,oxts}/{timestamps.txt,data/}, possibly nested: each
archive unpacks to DATE/DATE_drive_NNNN_sync. Everything is joined by frame number, which is a file's name in data/ and
a line's number in timestamps.txt: both may have gaps.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef, Signal, Signals
from wm_data.conversion.moments import time_of_text
from wm_data.conversion.picture_files import merged_pictures, usual_period_ns
from wm_data.conversion.report import DriveReport
from wm_data.errors import ConversionError
from wm_data.files import read_small_file, readable, walk

CAMERAS = ("image_00", "image_01", "image_02", "image_03")  # the first two are grey
DEFAULT_CAMERA = "image_02"
WHEELBASE_M = 2.71  # Volkswagen Passat B6, the car of the recordings
PERIOD_NS = 100_000_000

_DRIVE = re.compile(r"(\d{4}_\d\d_\d\d)_drive_\d{4}_(sync|extract)", re.ASCII)
_PICTURES = (".png", ".jpg")  # the data set's own, and a common smaller form; the first one present
_PARTS = (*CAMERAS, "oxts")
_OXTS_FIELDS = 30
# vf: along the vehicle [m/s]; wu: about its up axis [rad/s], af and al: forward and to the left [m/s^2], positive left.
_FIELDS = {SPEED.name: 8, YAW_RATE.name: 22, "acceleration_along": 14, "acceleration_across": 15}
# Half a period: a frame without a packet must not get the previous frame's speed, which would derive as no acceleration
# and then twice as much.
_MAX_HOLD_S = 0.05
_MAX_STAMPS_BYTES = 1 << 23  # 30 bytes per frame: seven hours at 10 Hz
_MAX_OXTS_BYTES = 1 << 14


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """The drives of a KITTI raw root, of one of its dates, or one drive.

    An unsynchronised drive is listed only where its synchronised twin is missing; open_drive refuses it with the
    reason. Raises ConversionError where the source is not one of these, and for camera names KITTI does not have.
    """
    _camera_names(options.cameras)
    source = Path(options.source).expanduser()
    if not source.is_dir():
        raise ConversionError(f"{source} is not a folder, expected the KITTI raw root, one of its dates, or one drive")
    source = source.resolve()
    with readable(source):
        found = sorted(_drives_below(source))
    names = {drive.name for drive in found}
    found = [drive for drive in found if drive.name.replace("_extract", "_sync") not in names - {drive.name}]
    if not found:
        raise ConversionError(
            f"{source} has no KITTI raw drive: expected DATE/DATE_drive_NNNN_sync at or below it, as "
            f"2011_09_26/2011_09_26_drive_0001_sync, with {', '.join(_PARTS)}"
        )
    return [DriveRef(drive.name, {"folder": str(drive)}, (str(drive),)) for drive in found]


@contextmanager
def open_drive(ref: DriveRef, options: ConvertOptions) -> Iterator[Drive]:
    """One drive. Raises ConversionError for an unsynchronised one, and where pictures or OXTS are missing."""
    folder = Path(ref.locator["folder"])
    if ref.name.endswith("_extract"):
        raise ConversionError(
            f"{folder} is an unsynchronised drive: its OXTS stamps repeat and jump back. Get the drive's '_sync' folder"
        )
    if options.actions in ("applied", "commanded"):
        raise ConversionError(f"KITTI records no {options.actions} actions, only derived ones: use --actions derived")
    report = DriveReport(ref.name)
    cameras = _camera_names(options.cameras)
    endings = [_pictures_ending(folder / camera) for camera in cameras]
    stamps = [_camera_stamps(folder / camera, ending, report) for camera, ending in zip(cameras, endings, strict=True)]
    for camera, of_frames in zip(cameras, stamps, strict=True):
        if not of_frames:
            raise ConversionError(f"{folder / camera} has no picture with a timestamp")
    signals = _oxts_signals(folder / "oxts", stamps[0], options, report)
    report.note("KITTI's timestamps are local time as text; they are taken as UTC")
    views = tuple(options.view(camera) for camera in cameras)
    files = [
        [
            (stamp_ns, folder / camera / "data" / _file_name(frame, ending), frame)
            for frame, stamp_ns in of_frames.items()
        ]
        for camera, ending, of_frames in zip(cameras, endings, stamps, strict=True)
    ]
    yield Drive(
        cameras=views,
        pictures=merged_pictures(views, files, [ending.removeprefix(".") for ending in endings], report),
        picture_period_ns=usual_period_ns(list(stamps[0].values()), PERIOD_NS),
        signals=signals,
        report=report,
        action_source="derived",
        expected_pictures=sum(map(len, stamps)),
        wheelbase_m=options.wheelbase or WHEELBASE_M,
        meta={"dataset": "kitti_raw", "drive": ref.name, "motion_source": "oxts"},
    )


def _camera_names(asked: tuple[str, ...]) -> tuple[str, ...]:
    """The cameras' folders, in the order asked; without any, the left colour camera's."""
    names = []
    for name in asked or (DEFAULT_CAMERA,):
        folder = f"image_{name.lower().removeprefix('image_').zfill(2)}"
        if folder not in CAMERAS:
            raise ConversionError(f"camera '{name}' is not one of KITTI's: {', '.join(CAMERAS)}")
        names.append(folder)
    if len(set(names)) < len(names):
        raise ConversionError(f"cameras are {', '.join(asked)}, expected each once")
    return tuple(names)


def _drives_below(source: Path) -> Iterator[Path]:
    """Folders named like a drive that contain one, at any depth: not those that an archive was unpacked into."""
    for folder, folders, _ in walk(source):
        if _DRIVE.fullmatch(folder.name) and any(part in folders for part in _PARTS):
            folders.clear()
            yield folder


def _pictures_ending(folder: Path) -> str:
    """The suffix of a camera's picture files. Raises ConversionError with the drive's cameras if it has none."""
    if not folder.is_dir():
        there = [camera for camera in CAMERAS if (folder.parent / camera).is_dir()]
        raise ConversionError(
            f"{folder.parent} has no folder {folder.name}; its cameras are {', '.join(there) or 'none'}: choose with "
            f"--cameras, or unpack the archive that holds it"
        )
    endings = (ending for ending in _PICTURES if any((folder / "data").glob(f"*{ending}")))
    return next(endings, _PICTURES[0])


def _camera_stamps(folder: Path, ending: str, report: DriveReport) -> dict[int, int]:
    """Stamp [ns] of every frame that has a picture and a timestamp, in the order of frames."""
    stamps = _read_stamps(folder / "timestamps.txt", report)
    frames = _frames(folder / "data", ending, report)
    report.leave_out(f"picture of {folder.name} without a timestamp", len(frames - stamps.keys()))
    report.leave_out(f"timestamp of {folder.name} without a picture", len(stamps.keys() - frames))
    return {frame: stamps[frame] for frame in sorted(frames & stamps.keys())}


def _frames(folder: Path, suffix: str, report: DriveReport) -> set[int]:
    """Frame numbers of the files in a data folder."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise ConversionError(
            f"cannot list {folder}: {error.strerror}; expected a folder with a file for each frame, as "
            f"{_file_name(0, suffix)}"
        ) from None
    frames = {int(name[:10]) for name in names if re.fullmatch(r"[0-9]{10}" + re.escape(suffix), name)}
    report.leave_out(f"file that is not named as a frame's {suffix} file", len(names) - len(frames))
    return frames


def _file_name(frame: int, suffix: str) -> str:
    return f"{frame:010d}{suffix}"


def _read_stamps(path: Path, report: DriveReport) -> dict[int, int]:
    """Stamp [ns] of each line of a timestamps.txt that has one, by the line's number from 0."""
    stamps = {}
    lines = read_small_file(path, _MAX_STAMPS_BYTES).decode("ascii", "replace").splitlines()
    for frame, line in enumerate(lines):
        stamp_ns = time_of_text(line)
        if stamp_ns is not None:
            stamps[frame] = stamp_ns
        else:
            report.skipped["timestamp unreadable" if line.strip() else "timestamp blank"] += 1
    return stamps


def _oxts_signals(
    folder: Path, picture_stamps: dict[int, int], options: ConvertOptions, report: DriveReport
) -> Signals:
    """Speed and yaw rate of the frames, and what else is asked for.

    A sample belongs to the picture with its number, and gets the picture's stamp: with its own, which is a few
    milliseconds off, it could be matched to the next picture. Frames without a picture keep their own.
    """
    own_stamps = _read_stamps(folder / "timestamps.txt", report)
    names = [name for name in _FIELDS if name in {SPEED.name, YAW_RATE.name} | options.asked()]
    signals = {name: Signal(1, max_hold_s=_MAX_HOLD_S) for name in names}
    topic = report.topic("oxts", "OXTS packet")
    for frame in sorted(_frames(folder / "data", ".txt", report)):
        stamp_ns = picture_stamps.get(frame, own_stamps.get(frame))
        if stamp_ns is None:
            report.skipped["OXTS packet without a timestamp"] += 1
            continue
        sample = _read_oxts(folder / "data" / _file_name(frame, ".txt"), names, report)
        if sample is not None:
            topic.add(own_stamps.get(frame, stamp_ns))
            for signal, number in zip(signals.values(), sample, strict=True):
                signal.add(stamp_ns, number, place=frame)
    if signals[SPEED.name].newest_ns is None:
        raise ConversionError(f"{folder} has no OXTS packet that can be read: no speed, and no controls to derive")
    return Signals(signals)


def _read_oxts(path: Path, names: list[str], report: DriveReport) -> list[float] | None:
    """The named numbers of a packet; None, and counted, if unusable."""
    try:
        fields = read_small_file(path, _MAX_OXTS_BYTES).split()
    except ConversionError:
        report.skipped["OXTS packet that cannot be read"] += 1
        return None
    if len(fields) < _OXTS_FIELDS:
        report.skipped["OXTS packet blank or short"] += 1
        return None
    try:
        numbers = [float(fields[_FIELDS[name]]) for name in names]
    except ValueError:
        report.skipped["OXTS packet that cannot be read"] += 1
        return None
    if not all(map(math.isfinite, numbers)):
        report.skipped["OXTS packet with numbers that are not finite"] += 1
        return None
    return numbers
