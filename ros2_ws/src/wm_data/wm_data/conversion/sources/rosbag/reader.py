"""One bag as a drive."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from wm_bundle.free_signals import SignalError
from wm_bundle.vector_inputs import SPEED
from wm_bundle.vehicle_commands.reading import CommandReader

from wm_data.bags.bag import Bag, open_bag
from wm_data.conversion.controls import USUAL_WHEELBASE_M
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef, Picture
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag.clock import Clock, apart_note, epochs_differ, header_ns, tells_time
from wm_data.conversion.sources.rosbag.driven import NOT_OF_ITS_TYPE, driven
from wm_data.conversion.sources.rosbag.images import load_picture
from wm_data.conversion.sources.rosbag.publishers import OnePublisher
from wm_data.conversion.sources.rosbag.telemetry import Telemetry
from wm_data.conversion.sources.rosbag.topics import Selection, select_topics
from wm_data.errors import ConversionError
from wm_data.line import drops, to_and_fro, usual_step_ns

# How far a bag is read ahead, to determine its clocks and the rate of its pictures.
_PEEKED_PICTURES = 50
_PEEKED_BYTES = 16_000_000  # fewer pictures suffice, down to _ENOUGH, if they are large
_ENOUGH = 10
_UNSTAMPED = 1000  # messages without a stamp after which a topic is assumed to have none
_MUDDLED = 0.2  # share of pictures with decreasing stamps above which they are refused


@contextmanager
def open_drive(
    ref: DriveRef, options: ConvertOptions, view_of: Callable[[str], CameraView] | None = None
) -> Iterator[Drive]:
    """Open a bag found by ``find_drives``. ``view_of`` replaces the options' camera view. Raises ConversionError where
    it cannot be read, or has no pictures."""
    report = DriveReport(ref.name)
    with open_bag([Path(path) for path in ref.locator["paths"]], report, options.recover) as bag:
        selection = _selected(bag, options)
        bag.check_types(selection.topics | ({selection.route} - {None}))
        clock, period_ns = _peek(bag, selection, report)
        _note_choices(bag, selection, report)
        commands = None
        wheelbase_m = options.wheelbase or USUAL_WHEELBASE_M
        if "control" in selection.kinds:
            kind = bag.topics[selection.kinds["control"]].type
            commands = CommandReader(kind, math.radians(options.max_steer_deg), wheelbase_m)
            if commands.needs_speed and SPEED.name not in selection.inputs:
                raise ConversionError(
                    f"{bag.place}: commands of type {kind} are wanted speeds; to tell the pedals from them the "
                    f"measured speed is needed, and the bag has neither vehicle status nor odometry"
                )
        path = None if options.route == "none" else driven(bag, selection, clock, options, report)
        telemetry = Telemetry(selection, commands, report, selection.entries)
        views = tuple((view_of or options.view)(name) for name, _ in selection.cameras)
        yield Drive(
            cameras=views,
            pictures=_pictures(bag, selection, views, telemetry, clock, report),
            picture_period_ns=period_ns,
            signals=telemetry.signals,
            report=report,
            action_source=_action_source(selection),
            wheelbase_m=wheelbase_m,
            reverse_told=selection.actions != "derived",
            meta={"wheelbase_m": wheelbase_m} if commands is not None and commands.uses_wheelbase else {},
            expected_pictures=sum(bag.topics[topic].count for _, topic in selection.cameras),
            driven=path,
        )


def _selected(bag: Bag, options: ConvertOptions) -> Selection:
    try:
        return select_topics(bag.topics, options)
    except ConversionError as error:
        raise ConversionError(f"{bag.place}: {error}") from None


def _action_source(selection: Selection) -> str:
    if selection.actions == "applied":
        return "vehicle_status.control"
    return selection.kinds["control"] if selection.actions == "commanded" else "derived"


def _pictures(
    bag: Bag,
    selection: Selection,
    views: tuple[CameraView, ...],
    telemetry: Telemetry,
    clock: Clock,
    report: DriveReport,
) -> Iterator[Picture]:
    """The cameras' pictures as recorded; all other messages go to ``telemetry`` in passing."""
    cameras = {topic: index for index, (_, topic) in enumerate(selection.cameras)}
    publishers = {topic: OnePublisher(topic) for topic in cameras}
    statistics = {topic: report.topic(topic, bag.topics[topic].type) for topic in sorted(selection.topics)}
    for place, recorded in enumerate(bag.messages(selection.topics)):
        message = bag.deserialize(recorded)
        if message is None:
            continue
        topic = recorded.topic
        try:
            in_header_ns = header_ns(message)
            stamp_ns = clock.stamp_ns(topic, in_header_ns, recorded.log_ns)
            if topic not in cameras:
                telemetry.take(topic, message, stamp_ns, place)
        except SignalError as error:
            raise ConversionError(f"{bag.place}: {error}") from None
        except NOT_OF_ITS_TYPE:
            bag.count_unreadable(topic)
            continue
        statistics[topic].add(stamp_ns, recorded.log_ns)
        if in_header_ns is None and clock.knows_stamps_of(topic):
            report.skipped[f"message of {topic} without a stamp, placed by when it was recorded"] += 1
        if topic in cameras:
            publishers[topic].look(str(message.header.frame_id), stamp_ns, recorded.raw)
            if telemetry.beyond:
                report.skipped[f"picture of {selection.cameras[cameras[topic]][0]} {telemetry.beyond}"] += 1
                continue
            view = views[cameras[topic]]
            yield Picture(cameras[topic], stamp_ns, partial(load_picture, view, message), place)


def _peek(bag: Bag, selection: Selection, report: DriveReport) -> tuple[Clock, int]:
    """The clock to use, and the usual time between two pictures of the first camera [ns]."""
    camera = selection.cameras[0][1]
    pictures, size = [], 0
    offsets: dict[str, list[int]] = {topic: [] for topic in selection.topics}
    unstamped: Counter = Counter()  # as sent by nodes with use_sim_time until the first /clock
    told: set[str] = set()  # topics that would tell of another clock
    for recorded in bag.messages(selection.topics):
        known = offsets[recorded.topic]
        if recorded.topic != camera and (len(known) >= _ENOUGH or unstamped[recorded.topic] >= _UNSTAMPED):
            continue
        message = bag.deserialize(recorded)
        if message is None:
            continue
        in_header_ns = _safe_header_ns(message)
        told |= {recorded.topic} if tells_time(message) else set()
        if in_header_ns is None:
            unstamped[recorded.topic] += 1
        else:
            known.append(in_header_ns - recorded.log_ns)
        if recorded.topic == camera:
            pictures.append((in_header_ns, recorded.log_ns))
            size += len(recorded.raw)
            if len(pictures) >= _PEEKED_PICTURES or (size > _PEEKED_BYTES and len(pictures) >= _ENOUGH):
                break
    # Unreadable messages will be counted again by the drive itself.
    report.skipped.clear()
    headers = [in_header_ns for in_header_ns, _ in pictures if in_header_ns is not None]
    back = drops(np.array(headers, np.int64))
    if back > _MUDDLED * len(headers):
        raise ConversionError(f"{bag.place}: {to_and_fro(camera, back, len(headers))}")
    by_recording = epochs_differ({topic: offsets[topic] or [0] * unstamped[topic] for topic in told})
    if by_recording:
        report.note("the topics' stamps are of clocks with different beginnings: the times of recording are used")
    period_ns = 0 if by_recording else usual_step_ns([header or log for header, log in pictures])
    if not period_ns:
        period_ns = usual_step_ns([log for _, log in pictures])
        if not by_recording and period_ns:
            by_recording = True
            report.note(f"the stamps of {camera} do not advance: the times of recording are used")
    if not period_ns:
        raise ConversionError(
            f"{bag.place}: {camera} has {len(pictures)} pictures that can be read, or all of one time; expected two"
        )
    if not by_recording and (note := apart_note({topic: known[:_ENOUGH] for topic, known in offsets.items()})):
        report.note(note)
    return Clock(by_recording, offsets), period_ns


def _safe_header_ns(message) -> int | None:
    try:
        return header_ns(message)
    except NOT_OF_ITS_TYPE:  # counted when the drive itself is read
        return None


def _note_choices(bag: Bag, selection: Selection, report: DriveReport) -> None:
    """Note which topics are used for what, and which are not used."""
    for name, topic in selection.cameras:
        report.note(f"camera {name}: {topic}")
    for kind, topic in sorted(selection.kinds.items()):
        report.note(f"{kind}: {topic}")
    unused = sorted(bag.topics.keys() - selection.topics - {selection.route})
    if unused:
        report.note(f"not used: {', '.join(unused)}")
