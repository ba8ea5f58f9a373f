"""Between ROS messages and the planner's plain types."""

import array
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from carla_msgs.msg import CarlaEgoVehicleStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray
from wm_bundle import ACTION_HIGH, ACTION_LOW, VectorSpec
from wm_bundle.pictures.frames import RawImage
from wm_bundle.times import NS_PER_S, ns_of
from wm_bundle.vector_inputs import Source
from wm_msgs.msg import ImaginedRollouts

from wm_planner.node.diagnostics import Diagnosis
from wm_planner.pilot.continuity import Sample
from wm_planner.planning.plan import Plan

MOST_MARKED = 32  # candidates drawn: more cannot be distinguished, and every point is a Python object
_MARKER_LIFETIME = Duration(sec=1)  # so that no old plans remain after the planner has gone


def time_message(nanoseconds: int) -> Time:
    """A stamp in nanoseconds as a message, as precisely as a message allows."""
    seconds = min(max(nanoseconds // NS_PER_S, -(2**31)), 2**31 - 1)
    return Time(sec=seconds, nanosec=nanoseconds % NS_PER_S)


def raw_image_of(message: Image | CompressedImage) -> RawImage:
    """A view of a camera's message: no copy, no checks.

    The encoding of a compressed one is its format, as written: ``foreign_encodings.readable`` understands it.
    """
    if isinstance(message, CompressedImage):
        return RawImage(ns_of(message.header.stamp), 0, 0, message.format, 0, message.data, compressed=True)
    return RawImage(
        ns_of(message.header.stamp),
        message.height,
        message.width,
        message.encoding,
        message.step,
        message.data,
        bool(message.is_bigendian),
    )


def sample_of(source: Source, message: Any) -> Sample:
    """A message's value of a vector input, and the command applied until then, clipped to its limits, if it reports
    one. The value is not finite if any of these numbers is not: such a message is ignored."""
    stamp, value = ns_of(getattr(message, "header", message).stamp), source.read(message)
    if not isinstance(message, CarlaEgoVehicleStatus):
        return Sample(stamp, value)
    control = message.control
    command = (control.steer, control.throttle, control.brake)
    if not all(map(math.isfinite, command)):
        return Sample(stamp, math.nan)
    limited = tuple(
        min(max(number, low), high) for number, low, high in zip(command, ACTION_LOW, ACTION_HIGH, strict=True)
    )
    return Sample(stamp, value, limited)


def future_message(pictures: np.ndarray, stamp: Time) -> Image:
    """Decoded pictures (H, C, height, width) uint8 side by side, the first camera's."""
    strip = pictures[:, :3].transpose(2, 0, 3, 1)  # (height, H, width, 3)
    height, steps, width, _ = strip.shape
    message = Image(
        height=height,
        width=steps * width,
        encoding="rgb8",
        step=3 * steps * width,
        data=array.array("B", np.ascontiguousarray(strip).tobytes()),
    )
    message.header.stamp = stamp
    return message


def rollouts_message(plan: Plan, future: Image, period_s: float, stamp: Time) -> ImaginedRollouts:
    """All candidates of a plan, and the pictures of its best future."""
    message = ImaginedRollouts(period_s=period_s, best=plan.best, future=future, in_flight=plan.in_flight)
    message.header.stamp = stamp
    message.candidates, message.horizon = plan.candidates.shape[:2]
    message.actions = array.array("f", np.ascontiguousarray(plan.candidates, np.float32).tobytes())
    message.returns = array.array("f", np.ascontiguousarray(plan.returns, np.float32).tobytes())
    return message


def tell_signals(message: ImaginedRollouts, signals: np.ndarray, specs: Sequence[VectorSpec]) -> None:
    """Add the vector inputs (1 + H, V): as observed, then as imagined along the best candidate."""
    message.signals, message.signal_units = [spec.name for spec in specs], [spec.unit for spec in specs]
    message.signal_values = array.array("f", np.ascontiguousarray(signals, np.float32).tobytes())


def markers_message(paths: np.ndarray, returns: np.ndarray, best: int, frame: str, stamp: Time) -> MarkerArray:
    """Paths (N, points, 2) [m] as lines: thin ones from red (least return) to green, the best one thick and white.

    At most ``MOST_MARKED`` candidates, evenly spaced by return, plus the best. ``returns`` (N,) may be NaN.
    """
    order = np.argsort(returns)
    shown = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), MOST_MARKED)).astype(int))]
    lines = _marker("candidates", Marker.LINE_LIST, 0.05, frame, stamp)
    for rank, index in enumerate(shown):
        goodness = rank / max(len(shown) - 1, 1)
        colour = ColorRGBA(r=1.0 - goodness, g=goodness, b=0.0, a=0.5)
        points = _points(paths[index])
        for start, end in zip(points, points[1:], strict=False):
            lines.points += [start, end]
            lines.colors += [colour, colour]
    chosen = _marker("best", Marker.LINE_STRIP, 0.15, frame, stamp)
    chosen.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
    chosen.points = _points(paths[best])
    return MarkerArray(markers=[lines, chosen])


def _marker(namespace: str, kind: int, width_m: float, frame: str, stamp: Time) -> Marker:
    marker = Marker(ns=namespace, type=kind, action=Marker.ADD, lifetime=_MARKER_LIFETIME)
    marker.header.frame_id = frame
    marker.header.stamp = stamp
    marker.scale.x = width_m
    marker.pose.orientation.w = 1.0
    return marker


def _points(path: np.ndarray) -> list[Point]:
    return [Point(x=float(x), y=float(y)) for x, y in path]


def diagnostics_message(lines: Sequence[Diagnosis], hardware_id: str, stamp: Time) -> DiagnosticArray:
    """The lines of ``Diagnostics.report``; ``hardware_id`` is what they are about."""
    message = DiagnosticArray(
        status=[
            DiagnosticStatus(
                level=bytes([line.level]),
                name=line.name,
                message=line.message,
                hardware_id=hardware_id,
                values=[KeyValue(key=key, value=value) for key, value in line.values.items()],
            )
            for line in lines
        ]
    )
    message.header.stamp = stamp
    return message
