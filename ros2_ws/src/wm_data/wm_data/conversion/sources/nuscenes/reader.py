"""Scenes of nuScenes as drives: finding them, their pictures in order, and their signals."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from wm_bundle.vector_inputs import SPEED, YAW_RATE

import wm_data.conversion.sources.nuscenes.can_bus as can_bus
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef, Signal, Signals
from wm_data.conversion.picture_files import merged_pictures, usual_period_ns
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.nuscenes.index import PictureIndex, picture_index, read_cameras, read_logs, read_scenes
from wm_data.conversion.sources.nuscenes.poses import motion_of_poses, picture_poses
from wm_data.conversion.sources.nuscenes.tables import NEEDED, check_tables
from wm_data.errors import ConversionError

_FRONT = "CAM_FRONT"
PERIOD_NS = 83_333_333  # the cameras' nominal 12 Hz
_PREFERRED = ("v1.0-trainval", "v1.0-test", "v1.0-mini")


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """The scenes of all versions below a root, or of one version's folder, by name; each scene once. Raises
    ConversionError where the source is neither, for missing or damaged tables, and for unknown cameras."""
    source = Path(options.source).expanduser()
    if not source.is_dir():
        raise ConversionError(f"{source} is not a folder, expected the nuScenes root, which holds v1.0-mini or similar")
    source = source.resolve()
    folders = [path for path in source.glob("v1.0-*") if path.is_dir()]
    if not folders and any((source / f"{name}.json").is_file() for name in NEEDED):
        folders = [source]
    if not folders:
        raise ConversionError(f"{source} has no folder v1.0-mini, v1.0-trainval or similar with the tables of nuScenes")
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
    """One scene. Raises ConversionError for damaged tables, and for a scene without pictures, or without the requested
    actions."""
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
    period_ns = usual_period_ns(index.stamps[chains[0]], PERIOD_NS)
    signals, meta = _signals(index, scene, index.chain(scene, 0)[0], period_ns, options, report)
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
        wheelbase_m=_wheelbase_m(options),
        meta={
            "dataset": "nuscenes",
            "version": folder.name,
            "scene": ref.name,
            **read_logs(folder).get(index.scenes[scene].log, {}),
            **meta,
        },
    )


def _preference(folder: Path) -> tuple[int, str]:
    """Order in which versions are searched for a scene: mini is a part of trainval."""
    return (_PREFERRED.index(folder.name) if folder.name in _PREFERRED else len(_PREFERRED), folder.name)


def _camera_names(folder: Path, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The dataset's channels of cameras given as CAM_BACK_LEFT or back_left; without any, the front camera."""
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
    """nuScenes's front camera, the only one, or the only one with "front" in its name."""
    front = [channel for channel in channels if "front" in channel.lower()]
    for candidates in ([channel for channel in channels if channel == _FRONT], channels, front):
        if len(candidates) == 1:
            return candidates[0]
    raise ConversionError(f"{folder} has the cameras {', '.join(channels)}: choose with --cameras")


def _existing(index: PictureIndex, scene: str, number: int, camera: str, report: DriveReport) -> list[int]:
    """A camera's rows in a scene whose files exist. Raises ConversionError where none does."""
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


class _CanBus(NamedTuple):
    """A scene's data from the CAN bus."""

    control: Signal | None = None
    motion: can_bus.Samples | None = None
    ratio: can_bus.SteeringRatio | None = None


def _signals(
    index: PictureIndex, scene: str, rows: list[int], period_ns: int, options: ConvertOptions, report: DriveReport
) -> tuple[Signals, dict]:
    """Control, speed and yaw rate from the CAN bus if available and wanted, else from ego_pose; and the meta. ``rows``:
    those of the first camera."""
    if options.actions == "commanded":
        raise ConversionError("nuScenes has no commanded actions: use --actions applied (CAN bus) or derived")
    found = _CanBus() if options.actions == "derived" else _from_can_bus(index, scene, options, report)
    if found.control is None and options.actions == "applied":
        raise ConversionError(
            f"the scene has no steering and pedals below {_root(index) / 'can_bus'}: unpack the CAN bus expansion, "
            f"or use --actions auto or derived"
        )
    meta = {"motion_source": "ego_pose" if found.motion is None else "can_bus.pose"}
    if found.ratio is not None:  # which is fitted with the wheelbase
        meta["wheelbase_m"] = _wheelbase_m(options)
        meta |= {"steering_ratio": round(found.ratio.value, 4), "steering_ratio_fitted": found.ratio.fitted}
    if found.motion is None:
        speed, yaw_rate = _from_poses(index, rows, period_ns, report)
    else:
        stamps, values = found.motion
        speed, yaw_rate = Signal(1), Signal(1)
        speed.extend(stamps, values[:, :1])
        yaw_rate.extend(stamps, values[:, 1:])
    sources = (("can_bus", "steeranglefeedback", found.control), (meta["motion_source"], "pose", speed))
    for name, kind, signal in sources:
        for stamp_ns in [] if signal is None else signal.samples.stamps.tolist():
            report.topic(name, kind).add(stamp_ns)
    vector = {SPEED.name: speed, YAW_RATE.name: yaw_rate}
    if asked := options.asked():
        ratio = _steering_ratio(index, scene, options)
        vector |= can_bus.read_signals(_root(index), index.scenes[scene].name, asked, ratio.value)
    return Signals(vector, control=found.control), meta


def _wheelbase_m(options: ConvertOptions) -> float:
    return options.wheelbase or can_bus.WHEELBASE_M


def _steering_ratio(index: PictureIndex, scene: str, options: ConvertOptions) -> can_bus.SteeringRatio:
    log = index.scenes[scene].log
    of_log = tuple(sorted({other.name for other in index.scenes.values() if other.log == log}))
    return can_bus.steering_ratio(str(_root(index)), of_log, _wheelbase_m(options))


def _from_can_bus(index: PictureIndex, scene: str, options: ConvertOptions, report: DriveReport) -> _CanBus:
    this, root = index.scenes[scene], _root(index)
    ratio = _steering_ratio(index, scene, options)
    control = motion = None
    try:
        control = can_bus.read_control(root, this.name, ratio.value, math.radians(options.max_steer_deg), report)
        motion = can_bus.read_motion(root, this.name, report)
    except ConversionError as error:
        report.skipped["damaged CAN bus file"] += 1
        report.note(str(error))
    if control is None:
        report.note("no steering or pedals on the CAN bus: actions are derived from ego_pose")
        return _CanBus()
    report.note(f"steering ratio {ratio.value:.2f}: {ratio.origin}")
    report.note("stamps of zoe_veh_info and zoesensors are when they were received")
    return _CanBus(control, motion, ratio)


def _from_poses(index: PictureIndex, rows: list[int], period_ns: int, report: DriveReport) -> tuple[Signal, Signal]:
    """Speed and yaw rate at the first camera's pictures. Raises ConversionError where their poses are missing."""
    poses = picture_poses(str(index.folder), index.cameras)[rows]
    report.leave_out("picture without an ego pose", int(np.isnan(poses).any(axis=1).sum()))
    speed, yaw_rate = motion_of_poses(index.stamps[rows], poses, period_ns)
    if speed.newest_ns is None:
        raise ConversionError(f"{index.folder / 'ego_pose.json'} has no two successive poses of this scene")
    return speed, yaw_rate
