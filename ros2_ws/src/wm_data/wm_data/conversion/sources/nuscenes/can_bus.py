"""The CAN bus expansion of nuScenes: the car's steering, pedals and motion.

steeranglefeedback is the angle of the steering wheel, positive left [rad]. The road wheels turn by that over a ratio,
which is fitted per log: the road angle of the kinematic bicycle, atan(wheelbase * yaw rate / speed), against the
steering wheel's, over all scenes of the log. Pedals are the driver's: the electric car also brakes on its own, with
the brake at 0, when the throttle is released.
"""

import json
import re
from array import array
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from wm_bundle.vehicle_commands.definition import steer_of_angle

from wm_data.conversion.drive import Signal
from wm_data.conversion.report import DriveReport
from wm_data.errors import ConversionError
from wm_data.files import read_small_file

WHEELBASE_M = 2.588  # Renault Zoe
USUAL_RATIO = 15.5
PLAUSIBLE_RATIOS = (10.0, 22.0)
_FAST_MPS = 3.0  # below it noise dominates the yaw rate
_MIN_FIT_SAMPLES = 100
_MIN_FIT_SPREAD_RAD = 0.1  # root mean square of the steering wheel's angle: a straight road gives no ratio
_MAX_FILE_BYTES = 1 << 26  # the largest, zoesensors, has about 2 MB
_MAX_AGE_NS = 500_000_000

_THROTTLE_FULL = 1000.0  # zoe_veh_info.pedal_cc
_THROTTLE_SENSOR = (0.105, 0.411)  # zoesensors.throttle_sensor, released and full
_BRAKE_SENSOR = (0.166, 0.631)  # zoesensors.brake_sensor

Samples = tuple[np.ndarray, np.ndarray]
"""Stamps int64 (n,), strictly increasing [ns], and values float64 (n, columns)."""


@dataclass(frozen=True)
class SteeringRatio:
    """Ratio of the steering wheel's angle to the road wheels', and its origin."""

    value: float
    fitted: bool
    origin: str


def read_messages(root: Path, scene: str, message: str, columns: tuple, report: DriveReport) -> Samples | None:
    """A scene's messages of a kind; None without usable ones. ``columns`` are names, or (name, index) for one number of
    a list. Raises ConversionError for a damaged file. Unusable messages are counted."""
    path = root / "can_bus" / f"{scene}_{message}.json"
    if not re.fullmatch(r"[\w-]+", scene, re.ASCII) or not path.is_file():
        return None
    try:
        rows = json.loads(read_small_file(path, _MAX_FILE_BYTES))
    except ConversionError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{path} is damaged: {error}") from None
    if not isinstance(rows, list):
        raise ConversionError(f"{path} holds a {type(rows).__name__}, expected a list of messages")
    stamps, values = array("q"), array("d")
    for row in rows:
        try:
            numbers = [float(row[c] if isinstance(c, str) else row[c[0]][c[1]]) for c in columns]
            stamps.append(int(row["utime"]) * 1000)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            report.skipped[f"CAN message {message} that cannot be read"] += 1
            continue
        values.extend(numbers)
    return _in_order(np.array(stamps, np.int64), np.array(values).reshape(-1, len(columns)), message, report)


def _in_order(stamps: np.ndarray, values: np.ndarray, message: str, report: DriveReport) -> Samples | None:
    """Sorted by stamp, without non-finite numbers and repeated stamps; None if empty."""
    finite = np.isfinite(values).all(axis=1)
    report.leave_out(f"CAN message {message} with a number that is not finite", int((~finite).sum()))
    unique, first = np.unique(stamps[finite], return_index=True)
    report.leave_out(f"CAN message {message} with the stamp of another", int(finite.sum()) - len(unique))
    return (unique, values[finite][first]) if len(unique) else None


def read_motion(root: Path, scene: str, report: DriveReport) -> Samples | None:
    """Speed [m/s] and yaw rate [rad/s], columns of (n, 2), at 50 Hz. Raises ConversionError for a damaged file."""
    return read_messages(root, scene, "pose", (("vel", 0), ("rotation_rate", 2)), report)


def read_control(root: Path, scene: str, ratio: float, max_steer_rad: float, report: DriveReport) -> Signal | None:
    """Steer, throttle and brake at the stamps of the steering, 100 Hz; None if the scene lacks one of them. Raises
    ConversionError for a damaged file."""
    steering = read_messages(root, scene, "steeranglefeedback", ("value",), report)
    throttle = _pedal(read_messages(root, scene, "zoe_veh_info", ("pedal_cc",), report), (0.0, _THROTTLE_FULL))
    if throttle is None:
        throttle = _pedal(read_messages(root, scene, "zoesensors", ("throttle_sensor",), report), _THROTTLE_SENSOR)
    brake = _pedal(read_messages(root, scene, "zoesensors", ("brake_sensor",), report), _BRAKE_SENSOR)
    if steering is None or throttle is None or brake is None:
        return None
    stamps, wheel_angle = steering
    (throttle_now, throttle_known), (brake_now, brake_known) = (_latest(pedal, stamps) for pedal in (throttle, brake))
    known = throttle_known & brake_known
    report.leave_out("steering angle without the pedals beside it", int((~known).sum()))
    control = Signal(3)
    steer = steer_of_angle(wheel_angle[:, 0] / ratio, max_steer_rad)
    control.extend(stamps[known], np.stack([steer, throttle_now, brake_now], axis=1)[known])
    return control if known.any() else None


def read_signals(root: Path, scene: str, names: Collection[str], ratio: float) -> dict[str, Signal]:
    """Those of the named vector inputs that the scene has: accelerations at 50 Hz, the front wheels' angle at 100 Hz.
    Raises ConversionError for a damaged file."""
    sources = {
        "acceleration_along": ("pose", ("accel", 0), 1.0),
        "acceleration_across": ("pose", ("accel", 1), 1.0),
        "steering_angle": ("steeranglefeedback", "value", 1.0 / ratio),
    }
    signals = {}
    for name in sources.keys() & names:
        message, column, factor = sources[name]
        samples = read_messages(root, scene, message, (column,), DriveReport(scene))  # its faults are counted elsewhere
        if samples is not None:
            signals[name] = Signal(1)
            signals[name].extend(samples[0], factor * samples[1])
    return signals


def _pedal(samples: Samples | None, ends: tuple[float, float]) -> Samples | None:
    """A pedal's sensor as a fraction: 0 and 1 at its ``ends``."""
    if samples is None:
        return None
    return samples[0], np.clip((samples[1] - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)


def _latest(samples: Samples, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The newest value at or before each time, and whether it is recent enough: (n,) both."""
    stamps, values = samples
    newest = np.searchsorted(stamps, times, "right") - 1
    found = np.maximum(newest, 0)
    return values[found, 0], (newest >= 0) & (times - stamps[found] <= _MAX_AGE_NS)


@lru_cache(maxsize=256)
def steering_ratio(root: str, scenes: tuple[str, ...], wheelbase_m: float = WHEELBASE_M) -> SteeringRatio:
    """The ratio of a log with these scenes, once per process. The usual one where the log has no CAN data, drives too
    straight, or gives an implausible ratio. Scenes with damaged files count as those without."""
    angles, roads, usable = [], [], 0
    for scene in scenes:
        pair = _angles_of_scene(Path(root), scene, wheelbase_m)
        if pair is not None:
            angles.append(pair[0])
            roads.append(pair[1])
            usable += 1
    wheel, road = (np.concatenate(parts) if parts else np.zeros(0) for parts in (angles, roads))
    usual = f"the usual ratio of {USUAL_RATIO:g} is taken"
    if len(wheel) < _MIN_FIT_SAMPLES:
        return SteeringRatio(USUAL_RATIO, False, f"{len(wheel)} samples above {_FAST_MPS:g} m/s in the log: {usual}")
    if np.sqrt(np.mean(wheel**2)) < _MIN_FIT_SPREAD_RAD:
        return SteeringRatio(USUAL_RATIO, False, f"the log drives too straight to fit the steering ratio: {usual}")
    # The steering wheel's angle is far less noisy than the yaw rate, so it is the regressor.
    slope = float(wheel @ road / (wheel @ wheel))
    if not 1.0 / PLAUSIBLE_RATIOS[1] <= slope <= 1.0 / PLAUSIBLE_RATIOS[0]:
        return SteeringRatio(USUAL_RATIO, False, f"the log's steering fits no plausible ratio: {usual}")
    return SteeringRatio(1.0 / slope, True, f"fitted to {len(wheel)} samples of {usable} scenes of the log")


def _angles_of_scene(root: Path, scene: str, wheelbase_m: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Angles of the steering wheel and of the road wheels [rad] while the car is fast enough."""
    try:
        steering = read_messages(root, scene, "steeranglefeedback", ("value",), DriveReport(scene))
        motion = read_motion(root, scene, DriveReport(scene))
    except ConversionError:
        return None
    if steering is None or motion is None:
        return None
    stamps, (speed, yaw_rate) = motion[0], motion[1].T
    wheel, known = _latest(steering, stamps)
    fast = known & (speed > _FAST_MPS)
    return wheel[fast], np.arctan(wheelbase_m * yaw_rate[fast] / speed[fast])
