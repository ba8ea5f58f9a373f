"""Scenes of nuScenes as drives: which there are, their pictures in order, and their numbers."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.conversion.drive import Drive, DriveRef, Signal, Signals
from wm_data.conversion.options import ConvertOptions
from wm_data.conversion.picture_files import merged_pictures, usual_period_ns
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.nuscenes import can_bus
from wm_data.conversion.sources.nuscenes.index import PictureIndex, picture_index, read_cameras, read_logs, read_scenes
from wm_data.conversion.sources.nuscenes.poses import motion_of_poses, picture_poses
from wm_data.conversion.sources.nuscenes.tables import NEEDED, check_tables
from wm_data.errors import ConversionError

_FRONT = "CAM_FRONT"
PERIOD_NS = 83_333_333  # the cameras' nominal 12 Hz
_PREFERRED = ("v1.0-trainval", "v1.0-test", "v1.0-mini")


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """The scenes of all versions below a root, or of one version's folder, by name; each scene once.

    Raises ConversionError where the source is neither, for missing or damaged tables, and for unknown cameras.
    """
    source = Path(options.source).expanduser()
    if not source.is_dir():
        raise ConversionError(f"{source} is no folder, expected the nuScenes root, which holds v1.0-mini or alike")
    source = source.resolve()
    folders = [path for path in source.glob("v1.0-*") if path.is_dir()]
    if not folders and any((source / f"{name}.json").is_file() for name in NEEDED):
        folders = [source]
    if not folders:
        raise ConversionError(f"{source} has no folder v1.0-mini, v1.0-trainval or alike with the tables of nuScenes")
    found: dict[str, DriveRef] = {}
    for folder in sorted(folders, key=_preference):
        check_tables(folder)
        _camera_names(folder, options.cameras)
        for token, scene in read_scenes(folder).items():
            if token in found:
                found[token].locator["also_in"].append(folder.name)
                continue
            locator = {"folder": str(folder), "scene": token, "also_in": []}
            found[token] = DriveRef(scene.name, locator, (str(folder),))
    if not found:
        raise ConversionError(f"{source} has tables without a scene")
    return sorted(found.values(), key=lambda ref: (ref.name, ref.locator["folder"], ref.locator["scene"]))


@contextmanager
def open_drive(ref: DriveRef, options: ConvertOptions) -> Iterator[Drive]:
    """One scene. Raises ConversionError for damaged tables, and for a scene without pictures, or without the actions
    asked for."""
    folder = Path(ref.locator["folder"])
    scene = ref.locator["scene"]
    report = DriveReport(ref.name)
    if ref.locator["also_in"]:
        report.note(f"the scene is also in {', '.join(ref.locator['also_in'])}; it is taken from {folder.name}")
    cameras = _camera_names(folder, options.cameras)
    index = picture_index(str(folder), cameras)
    if scene not in index.scenes:
        raise ConversionError(f"{folder} has no scene {scene!r}: did its tables change?")
    chains = [_existing(index, scene, number, camera, report) for number, camera in enumerate(cameras)]
    wheelbase_m = options.wheelbase or can_bus.WHEELBASE_M
    period_ns = usual_period_ns(index.stamps[chains[0]], PERIOD_NS)
    signals, meta = _signals(index, scene, cameras, options, wheelbase_m, period_ns, report)
    views = tuple(options.view(camera) for camera in cameras)
    files = [((int(index.stamps[row]), _root(index) / index.filename(row), None) for row in rows) for rows in chains]
    yield Drive(
        cameras=views,
        pictures=merged_pictures(views, files, ["jpeg"] * len(views), report),
        picture_period_ns=period_ns,
        signals=signals,
        report=report,
        action_source="derived" if signals.control is None else "can_bus",
        expected_pictures=sum(map(len, chains)),
        wheelbase_m=wheelbase_m,
        meta={
            "dataset": "nuscenes",
            "version": folder.name,
            "scene": ref.name,
            **read_logs(folder).get(index.scenes[scene].log, {}),
            **meta,
        },
    )


def _preference(folder: Path) -> tuple[int, str]:
    """Order in which versions are asked for a scene: mini is a part of trainval."""
    return (_PREFERRED.index(folder.name) if folder.name in _PREFERRED else len(_PREFERRED), folder.name)


def _camera_names(folder: Path, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The dataset's channels of cameras named as CAM_BACK_LEFT or back_left; without any, the front camera."""
    channels = {channel.upper(): channel for channel in sorted(read_cameras(folder).values())}
    there = ", ".join(channels.values())
    if not channels:
        raise ConversionError(f"{folder / 'sensor.json'} has no sensor whose modality is 'camera'")
    names = []
    for name in asked or (_front_camera(list(channels.values()), folder),):
        channel = channels.get(name.upper()) or channels.get(f"CAM_{name.upper()}")
        if channel is None:
            raise ConversionError(f"camera '{name}' is not in {folder}, expected one of {there}")
        names.append(channel)
    if len(set(names)) < len(names):
        raise ConversionError(f"cameras are {', '.join(asked)}, expected each once")
    return tuple(names)


def _front_camera(channels: list[str], folder: Path) -> str:
    """The one that nuScenes calls so, the only one, or the only one that has "front" in its name."""
    front = [channel for channel in channels if "front" in channel.lower()]
    for candidates in ([channel for channel in channels if channel == _FRONT], channels, front):
        if len(candidates) == 1:
            return candidates[0]
    raise ConversionError(f"{folder} has the cameras {', '.join(channels)}: choose with --cameras")


def _existing(index: PictureIndex, scene: str, number: int, camera: str, report: DriveReport) -> list[int]:
    """A camera's rows in a scene whose files are there. Raises ConversionError where none is."""
    rows, unreachable = index.chain(scene, number)
    report.leave_out(f"picture of {camera} that no other links to", unreachable)
    there = [row for row in rows if _is_inside(index.filename(row)) and (_root(index) / index.filename(row)).is_file()]
    report.leave_out(f"picture of {camera} whose file is missing", len(rows) - len(there))
    if not there:
        example = f", as {index.filename(rows[0])}" if rows else ""
        raise ConversionError(
            f"none of the {len(rows)} pictures of {camera} is below {_root(index)}{example}: unpack the archives "
            f"(samples and sweeps) that hold this scene"
        )
    return there


def _is_inside(filename: str) -> bool:
    path = PurePosixPath(filename)
    return bool(filename) and "\0" not in filename and not path.is_absolute() and ".." not in path.parts


def _root(index: PictureIndex) -> Path:
    """The dataset's root, which holds samples, sweeps, can_bus, and the version's folder."""
    return index.folder.parent


def _signals(
    index: PictureIndex,
    scene: str,
    cameras: tuple[str, ...],
    options: ConvertOptions,
    wheelbase_m: float,
    period_ns: int,
    report: DriveReport,
) -> tuple[Signals, dict]:
    """Control, speed and yaw rate from the CAN bus where they are there and wanted, else from ego_pose."""
    if options.actions == "commanded":
        raise ConversionError("nuScenes has no commanded actions: use --actions applied (CAN bus) or derived")
    control = motion = ratio = None
    if options.actions != "derived":
        control, motion, ratio = _from_can_bus(index, scene, options, wheelbase_m, report)
        if control is None and options.actions == "applied":
            raise ConversionError(
                f"the scene has no steering and pedals below {_root(index) / 'can_bus'}: unpack the CAN bus expansion, "
                f"or use --actions auto or derived"
            )
    meta = {"motion_source": "ego_pose" if motion is None else "can_bus.pose"}
    if ratio is not None:
        meta["wheelbase_m"] = wheelbase_m  # the ratio is fitted by it
        meta |= {"steering_ratio": round(ratio.value, 4), "steering_ratio_fitted": ratio.fitted}
    if motion is None:
        motion = _from_poses(index, scene, cameras, period_ns, report)
    speed, yaw_rate = motion
    for name, kind, signal in (("can_bus", "steeranglefeedback", control), (meta["motion_source"], "pose", speed)):
        if signal is not None:
            topic = report.topic(name, kind)
            for stamp_ns in signal.samples.stamps.tolist():
                topic.add(stamp_ns)
    return Signals({SPEED.name: speed, YAW_RATE.name: yaw_rate}, control=control), meta


def _from_can_bus(index: PictureIndex, scene: str, options: ConvertOptions, wheelbase_m: float, report: DriveReport):
    """(control or None, (speed, yaw rate) or None, steering ratio or None) of a scene."""
    this = index.scenes[scene]
    of_log = tuple(sorted({other.name for other in index.scenes.values() if other.log == this.log}))
    ratio = can_bus.steering_ratio(str(_root(index)), of_log, wheelbase_m)
    control = samples = None
    try:
        max_steer_rad = math.radians(options.max_steer_deg)
        control = can_bus.read_control(_root(index), this.name, ratio.value, max_steer_rad, report)
        samples = can_bus.read_motion(_root(index), this.name, report)
    except ConversionError as error:
        report.skipped["damaged CAN bus file"] += 1
        report.note(str(error))
    if control is None:
        report.note("no steering or pedals on the CAN bus: actions are derived from ego_pose")
        return None, None, None
    report.note(f"steering ratio {ratio.value:.2f}: {ratio.origin}")
    report.note("stamps of zoe_veh_info and zoesensors are when they were received")
    return control, None if samples is None else _motion_signals(*samples), ratio


def _from_poses(
    index: PictureIndex, scene: str, cameras: tuple[str, ...], period_ns: int, report: DriveReport
) -> tuple[Signal, Signal]:
    """Speed and yaw rate at the first camera's pictures. Raises ConversionError where there are no poses for it."""
    rows, _ = index.chain(scene, 0)
    poses = picture_poses(str(index.folder), cameras)[rows]
    report.leave_out("picture without an ego pose", int(np.isnan(poses).any(axis=1).sum()))
    speed, yaw_rate = motion_of_poses(index.stamps[rows], poses, period_ns)
    if speed.newest_ns is None:
        raise ConversionError(f"{index.folder / 'ego_pose.json'} has no two successive poses of this scene")
    return speed, yaw_rate


def _motion_signals(stamps: np.ndarray, values: np.ndarray) -> tuple[Signal, Signal]:
    speed, yaw_rate = Signal(1), Signal(1)
    speed.extend(stamps, values[:, :1])
    yaw_rate.extend(stamps, values[:, 1:])
    return speed, yaw_rate
