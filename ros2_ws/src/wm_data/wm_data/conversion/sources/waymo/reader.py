"""Waymo Motion scenarios as drives: one bird's-eye picture and one state of the self-driving car per step."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from wm_bundle.files import open_regular
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED, YAW_RATE

import wm_data.conversion.sources.waymo.tfrecord as tfrecord
from wm_data.conversion.controls import USUAL_WHEELBASE_M, derived_controls, drives_backwards, held_steer_note
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef, Picture, Signal, Signals
from wm_data.conversion.naming import uniquely_named
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.waymo.example import is_example, scene_of_example
from wm_data.conversion.sources.waymo.ids import scenario_id
from wm_data.conversion.sources.waymo.raster import ACROSS_M, EGO_DOWN, BirdsEyeView
from wm_data.conversion.sources.waymo.scenario import scene_of_scenario
from wm_data.conversion.sources.waymo.scene import Scene
from wm_data.errors import ConversionError
from wm_data.files import readable
from wm_data.line import usual_step_ns

CAMERA = "bev"
WHEELBASE_PER_LENGTH = 0.57  # of the Jaguar I-Pace: 2.99 m of wheelbase, about 5.29 m long with its sensors
_READ_AHEAD_BYTES = 1024  # while searching for ids: most of a record is skipped


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """One per scenario of a TFRecord file, or of all such files in a folder and below it.

    Only framing and scenario ids are read. A damaged file yields the scenarios before the damage, and one drive that
    cannot be opened and reports the damage. Raises ConversionError where there is nothing to read, and for options that
    do not apply to a bird's-eye view."""
    _check_options(options)
    source = Path(options.source).expanduser()
    with readable(source):
        files = _files(source)
    return uniquely_named(ref for file in files for ref in _scenarios(file))


@contextmanager
def open_drive(ref: DriveRef, options: ConvertOptions) -> Iterator[Drive]:
    """Read a complete scenario. Raises ConversionError for a damaged record and for one that is not a scenario."""
    locator = ref.locator
    if "damage" in locator:
        raise ConversionError(locator["damage"])
    file, record = Path(locator["file"]), locator["record"]
    with readable(file):
        payload = tfrecord.payload(file, record, locator["offset"])
    place = f"{file}, record {record} at byte {locator['offset']}"
    scene = scene_of_example(payload, place) if is_example(payload) else scene_of_scenario(payload, place)
    yield _drive(scene, place, ref.name, options)


def _check_options(options: ConvertOptions) -> None:
    if options.cameras not in ((), (CAMERA,)):
        raise ConversionError(
            f"Waymo Motion has no camera {', '.join(options.cameras)}: its only picture is the bird's-eye view, "
            f"{CAMERA}"
        )
    if options.crop is not None:
        raise ConversionError(
            "the bird's-eye view is drawn at --image-size, so there is nothing to cut out: leave out --crop"
        )
    if options.actions not in ("auto", "derived"):
        raise ConversionError(f"Waymo Motion has no {options.actions} actions, only derived ones")


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise ConversionError(f"no file or folder {source}, expected TFRecord files of Waymo Motion scenarios")
    files = sorted(file for file in source.rglob("*tfrecord*") if file.is_file())
    if not files:
        raise ConversionError(f"{source} holds no file with 'tfrecord' in its name, expected those of Waymo Motion")
    return files


def _scenarios(file: Path) -> Iterator[DriveRef]:
    """All scenarios of a file, and its damage."""
    path, number = str(file), -1  # one string for all: there may be half a million scenarios
    try:
        with readable(file), open_regular(file, "rb", _READ_AHEAD_BYTES) as stream:
            for number, offset, length in tfrecord.frames(stream, file):
                name = scenario_id(stream, tfrecord.payload_start(offset), length) or f"{file.name}-{number:05d}"
                yield DriveRef(name, {"file": path, "record": number, "offset": offset}, (path,))
        if number < 0:
            yield DriveRef(file.name, {"damage": f"{file} is empty, expected a TFRecord file"}, (path,))
    except ConversionError as error:
        yield DriveRef(f"{file.name}-damage", {"damage": str(error)}, (path,))


def _drive(scene: Scene, place: str, name: str, options: ConvertOptions) -> Drive:
    report = DriveReport(name)
    report.skipped.update(scene.left_out)
    valid = scene.agents.valid[scene.ego]
    report.leave_out("step without a valid state of the self-driving car", int((~valid).sum()))
    if not valid.any():
        raise ConversionError(f"{place}: the self-driving car has no valid state")
    period_ns = usual_step_ns(scene.stamps_ns)
    if not period_ns:
        raise ConversionError(f"{place}: {len(scene.stamps_ns)} timestamps, expected at least two that grow")
    statistics = report.topic("sdc_track", "Waymo Track")
    for stamp_ns in scene.stamps_ns[valid].tolist():
        statistics.add(stamp_ns)
    view = CameraView(CAMERA, options.image_size)
    wheelbase_m = options.wheelbase or _wheelbase_m(scene)
    return Drive(
        cameras=(view,),
        pictures=_pictures(scene, view),
        picture_period_ns=period_ns,
        signals=_signals(scene, period_ns, wheelbase_m, math.radians(options.max_steer_deg), report),
        report=report,
        action_source="derived",
        wheelbase_m=wheelbase_m,
        expected_pictures=int(valid.sum()),
        meta={
            "wheelbase_m": wheelbase_m,
            "birds_eye_view": {
                "metres_per_pixel": ACROSS_M / options.image_size,
                "ego_down": EGO_DOWN,
                "heading": "up",
                "channels": ["road", "agents", "ego, traffic lights, stop signs"],
            },
        },
    )


def _pictures(scene: Scene, view: CameraView) -> Iterator[Picture]:
    birds_eye_view = BirdsEyeView(scene, view.size)

    def load(step: int) -> np.ndarray:
        return view.from_rgb(birds_eye_view.draw(step))

    for step in np.flatnonzero(scene.agents.valid[scene.ego]).tolist():
        yield Picture(0, int(scene.stamps_ns[step]), partial(load, step))


def _signals(scene: Scene, period_ns: int, wheelbase_m: float, max_steer_rad: float, report: DriveReport) -> Signals:
    """Speed along the heading, the yaw rate of the step that ended at each stamp, and controls of each step.

    The controls are made here, not from the yaw rates at the rows: the headings give exactly how far the car turned in
    each step. Steps next to an invalid state have none."""
    agents, ego = scene.agents, scene.ego
    valid, stamps_ns, headings = agents.valid[ego], scene.stamps_ns, agents.headings[ego]
    velocities = agents.velocities[ego]
    speeds = velocities[:, 0] * np.cos(headings) + velocities[:, 1] * np.sin(headings)
    hold_s = 1.5 * period_ns / NS_PER_S
    speed, yaw_rate, control = Signal(1, "after", hold_s), Signal(1, "before", hold_s), Signal(3, "before", hold_s)
    speed.extend(stamps_ns[valid], speeds[valid, None])
    steps_s = np.diff(stamps_ns) / NS_PER_S
    whole = np.flatnonzero(valid[1:] & valid[:-1] & (steps_s > 0))
    steps_s = steps_s[whole]
    turned = np.angle(np.exp(1j * (headings[whole + 1] - headings[whole])))  # the shorter way around
    yaw_rates = turned / steps_s
    ends = speeds[whole], speeds[whole + 1]
    controls, held = derived_controls(ends, yaw_rates, steps_s, wheelbase_m, max_steer_rad)
    held = held[~drives_backwards(*ends)]
    if held.any():
        report.note(held_steer_note(int(held.sum()), len(held), wheelbase_m))
    yaw_rate.extend(stamps_ns[whole + 1], yaw_rates[:, None])
    control.extend(stamps_ns[whole + 1], controls)
    return Signals({SPEED.name: speed, YAW_RATE.name: yaw_rate}, control=control)


def _wheelbase_m(scene: Scene) -> float:
    """From the length of the self-driving car's box; a typical one where that is implausible."""
    lengths = scene.agents.sizes[scene.ego, scene.agents.valid[scene.ego], 0]
    wheelbase_m = WHEELBASE_PER_LENGTH * float(np.median(lengths))
    return wheelbase_m if 1.0 < wheelbase_m < 10.0 else USUAL_WHEELBASE_M
