"""The path and the routes of a bag, read before its pictures: in hindsight, a row's route is what comes after it."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from wm_bundle.rotation import yaw_of
from wm_bundle.routes import Route, RouteError
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.bags.bag import Bag
from wm_data.conversion.assembling.routes import path_of_motion
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag.clock import Clock, header_ns
from wm_data.conversion.sources.rosbag.telemetry import Telemetry
from wm_data.conversion.sources.rosbag.topics import Selection
from wm_data.errors import ConversionError
from wm_data.routes.driven import DrivenPath, PathError
from wm_data.routes.following import Leg, Recorded

NOT_OF_ITS_TYPE = (AttributeError, TypeError, ValueError, OverflowError)
"""Where a bag defines a type differently from its standard definition."""


class _Read(NamedTuple):
    stamps: list[int]
    poses: list[tuple[float, float, float]]
    places: list[int]
    frames: dict[str, None]
    paths: list[tuple[int, Any]]


def driven(bag: Bag, selection: Selection, clock: Clock, options: ConvertOptions, report: DriveReport) -> Recorded:
    """Read a bag's path, and its routes if wanted. Raises ConversionError where there is none."""
    motion = _of_motion(selection)
    telemetry = Telemetry(motion, None, DriveReport(""), motion.entries)
    read = _Read([], [], [], {}, [])
    odometry = selection.kinds.get("odometry")
    for topic, message, stamp_ns, place in _messages(bag, selection, deepcopy(clock)):
        try:
            if topic == selection.route:
                read.paths.append((place, message))
                continue
            if topic == odometry and hasattr(message, "pose"):
                read.poses.append(_pose(message.pose.pose))
                read.stamps.append(stamp_ns)
                read.places.append(place)
                read.frames.setdefault(str(message.header.frame_id).strip("/ "))
            if topic in motion.topics:
                telemetry.take(topic, message, stamp_ns, place)
        except NOT_OF_ITS_TYPE:
            continue  # counted when the drive itself is read
    report.skipped.clear()  # everything will be counted again by the drive itself
    try:
        if not read.poses:
            if options.route == "recorded":
                raise ConversionError(f"{bag.place}: a recorded route needs odometry with poses, and there is none")
            return Recorded(path_of_motion(telemetry.signals), "speed and yaw rate")
        path = DrivenPath(np.array(read.stamps), np.array(read.poses), np.array(read.places))
        return Recorded(path, odometry, _legs(bag, selection, read, options, report))
    except PathError as error:
        raise ConversionError(f"{bag.place}: {odometry}: {error}") from None


def _of_motion(selection: Selection) -> Selection:
    """Of the speed and the yaw rate alone."""
    inputs = {name: source for name, source in selection.inputs.items() if name in (SPEED.name, YAW_RATE.name)}
    kinds = {source.topic.kind: selection.kinds[source.topic.kind] for source in inputs.values()}
    return replace(selection, cameras=(), inputs=inputs, kinds=kinds, actions="derived")


def _messages(bag: Bag, selection: Selection, clock: Clock) -> Iterator[tuple[str, Any, int, int]]:
    """Topic, message, stamp and place of what is needed; places are those of the drive itself."""
    place = 0
    needed = {selection.kinds.get("odometry"), *_of_motion(selection).topics}
    route = {selection.route} - {None}
    for recorded in bag.messages(selection.topics | route):
        if recorded.topic in needed or recorded.topic in route:
            message = bag.deserialize(recorded)
            if message is not None and recorded.topic in route:
                yield recorded.topic, message, recorded.log_ns, place
            elif message is not None and (stamp_ns := _stamp_ns(message, recorded, clock)) is not None:
                yield recorded.topic, message, stamp_ns, place
        place += recorded.topic not in route


def _stamp_ns(message: Any, recorded: Any, clock: Clock) -> int | None:
    try:
        return clock.stamp_ns(recorded.topic, header_ns(message), recorded.log_ns)
    except NOT_OF_ITS_TYPE:
        return None


def _pose(pose: Any) -> tuple[float, float, float]:
    turn = pose.orientation
    return pose.position.x, pose.position.y, yaw_of(turn.x, turn.y, turn.z, turn.w)


def _legs(
    bag: Bag, selection: Selection, read: _Read, options: ConvertOptions, report: DriveReport
) -> list[tuple[int, Leg | None]] | None:
    """The recorded routes, None where they are not wanted or cannot be used. Raises ConversionError for the latter, if
    they are asked for."""
    if options.route == "hindsight" or selection.route is None:
        return None
    legs, frames = [], {}
    for place, message in read.paths:
        try:
            frames.setdefault(str(message.header.frame_id).strip("/ "))
            points = np.array([(pose.pose.position.x, pose.pose.position.y) for pose in message.poses])
            leg = Leg(Route.of_points(points, message.header.frame_id)) if len(points) else None
        except (RouteError, *NOT_OF_ITS_TYPE) as error:
            report.note(f"a message of {selection.route} is no route: {error}")
            leg = None
        legs.append((place, leg))
    why = ""
    if not any(leg for _, leg in legs):
        why = f"{selection.route} has no route that can be followed"
    elif len({*frames, *read.frames} - {""}) > 1:
        told = (" and ".join(f"'{name}'" for name in names) for names in (frames, read.frames))
        why = "the route is in the frame {}, the odometry in {}".format(*told)
    if not why:
        return legs
    if options.route == "recorded":
        raise ConversionError(f"{bag.place}: {why}: use --route hindsight")
    report.note(f"{why}: the route is made in hindsight")
    return None
