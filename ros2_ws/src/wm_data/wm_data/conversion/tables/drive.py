"""The drive of a table of controls with pictures beside it."""

import os
from array import array
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.conversion.controls import USUAL_WHEELBASE_M
from wm_data.conversion.drive import Drive, Picture, Signal, Signals
from wm_data.conversion.options import ConvertOptions
from wm_data.conversion.picture_files import load_picture_file
from wm_data.conversion.report import DriveReport
from wm_data.conversion.tables.cameras import NamedFiles, NumberedFiles, choose_cameras, find_cameras
from wm_data.conversion.tables.columns import Clock, Columns
from wm_data.conversion.tables.reading import Table
from wm_data.errors import ConversionError

_BY_OPTION = "--frame-rate"
_UDACITY = {"center", "left", "right", "steering", "throttle", "speed"}
_PEDALS_AND_WHEEL = ("steer", "throttle", "brake")
_ROWS_TO_LOOK_AT = 200  # until the unit of time and the rate of the pictures are known
_ROUNDING = 1e-3


def drive_of(
    table: Table,
    folder: Path,
    name: str,
    options: ConvertOptions,
    frame_period_ns: int,
    saved_by: str,
    meta: dict | None = None,
) -> Drive:
    """The drive ``name`` of a table whose pictures are in ``folder``. ``frame_period_ns`` [ns] is the time between two
    numbered frames that tell none, as ``saved_by`` saves them; ``meta`` is for the episodes.

    Raises ConversionError for what cannot be a drive.
    """
    try:
        return _drive_of(table, folder, name, options, frame_period_ns, saved_by, meta or {})
    except OSError as error:
        raise ConversionError(f"{folder} cannot be read: {error}") from None


def _drive_of(
    table: Table, folder: Path, name: str, options: ConvertOptions, frame_period_ns: int, saved_by: str, meta: dict
) -> Drive:
    first_rows = list(islice(table.rows(), _ROWS_TO_LOOK_AT))
    if len(first_rows) < 2:
        raise ConversionError(f"{table.path} has {len(first_rows)} rows, expected two or more")
    columns = Columns.of(first_rows, table.path)
    if options.frame_rate is not None:
        frame_period_ns, saved_by = round(NS_PER_S / options.frame_rate), _BY_OPTION
    clock = Clock(columns, first_rows, frame_period_ns, table.path, options.frame_rate is not None)
    if clock.is_of_names and _UDACITY <= {name.strip().lower() for name in columns.names}:
        raise ConversionError(
            f"{table.path} is like a recording of Udacity's simulator, whose speed is in miles per hour: read it by "
            f"`convert udacity`"
        )
    cameras = choose_cameras(find_cameras(folder, table.path, columns), options.cameras, folder)
    report = DriveReport(name)
    source = _action_source(columns, options, table.path)
    signals = _signals(table, columns, clock, source, report)
    _note_clock(clock, frame_period_ns, saved_by, report)
    if note := columns.note_unused():
        report.note(note)
    views = tuple(options.view(name) for name in cameras)
    return Drive(
        cameras=views,
        pictures=_pictures(table, columns, clock, cameras, views, report),
        picture_period_ns=_picture_period_ns(first_rows, columns, clock, cameras, table.path),
        signals=signals,
        report=report,
        action_source=source,
        wheelbase_m=options.wheelbase or USUAL_WHEELBASE_M,
        reverse_told=columns.tells_reverse,
        meta={"table": table.path.name, **meta},
    )


def _note_clock(clock: Clock, frame_period_ns: int, saved_by: str, report: DriveReport) -> None:
    if clock.by_frame:
        apart = f"frames are taken to be {frame_period_ns / 1e6:g} ms apart, as {saved_by}"
        if saved_by == _BY_OPTION:
            report.note(f"{apart} says")
        else:
            report.note(f"the rows have no time: {apart} saves them; {_BY_OPTION} tells another rate")
    if clock.is_of_names:
        report.note("the time is that in the pictures' names, taken as UTC")
    if clock.is_assumed_ns:
        report.note("the column of time does not say its unit and grows so fast that it is taken as nanoseconds")


def _action_source(columns: Columns, options: ConvertOptions, table: Path) -> str:
    """What the table's controls are: "commanded", "applied", or "derived" where there are none or it was asked for."""
    missing = [name for name in _PEDALS_AND_WHEEL if name not in columns.by_meaning]
    has_motion = bool({"speed", "speed_kmh"} & columns.by_meaning.keys()) and "yaw_rate" in columns.by_meaning
    if options.actions == "derived" or (options.actions == "auto" and len(missing) == 3 and has_motion):
        if not has_motion:
            raise ConversionError(
                f"{table}: to derive actions, columns speed [m/s] and yaw_rate [rad/s] are needed; "
                f"its columns are {', '.join(columns.names)}"
            )
        return "derived"
    if missing:
        raise ConversionError(
            f"{table} has no column {', '.join(missing)}; expected steer, throttle and brake, or speed and yaw_rate to "
            f"derive them from; its columns are {', '.join(columns.names)}"
        )
    return "commanded" if options.actions == "auto" else options.actions


def _signals(table: Table, columns: Columns, clock: Clock, source: str, report: DriveReport) -> Signals:
    """All numbers of a table. A row's commanded control acts from it on, an applied one acted up to it."""
    there = columns.by_meaning
    motion = {SPEED.name: {"speed", "speed_kmh"}, YAW_RATE.name: {"yaw_rate"}}
    signals = Signals(
        {name: Signal(1) for name, columns_of in motion.items() if columns_of & there.keys()},
        control=None if source == "derived" else Signal(3, "before" if source == "applied" else "after"),
        collision=Signal(1) if "collision" in there else None,
        lane_invasion=Signal(1) if "lane_invasion" in there else None,
    )
    statistics = report.topic(table.path.name, "table")
    stamps = array("q")
    outside = 0
    for place, row in enumerate(table.rows()):
        stamp_ns = clock.stamp_ns(row)
        left_out = columns.left_out(row)
        if stamp_ns is None:
            report.skipped[f"row {left_out or 'without a time or frame number'}"] += 1
            continue
        statistics.add(stamp_ns)
        stamps.append(stamp_ns)
        if left_out:
            report.skipped[f"row {left_out}"] += 1
        elif signals.control is not None:
            outside += _add_control(signals.control, stamp_ns, place, row, columns, report)
        _add_motion(signals, stamp_ns, place, row, columns, report)
        for name in ("collision", "lane_invasion"):
            happened = columns.value(row, name)
            if happened > 0.0:
                getattr(signals, name).add(stamp_ns, happened, place=place)
    if outside and signals.control is not None and signals.control.newest_ns is None:
        raise ConversionError(
            f"{table.path}: no row has its steer in [-1, 1] and throttle and brake in [0, 1]; expected CARLA's "
            f"fractions, steer positive right, no angles and no percentages"
        )
    gaps = np.diff(np.array(stamps, np.int64))
    period_s = float(np.median(gaps[gaps > 0])) / NS_PER_S if (gaps > 0).any() else 0.0
    for signal in signals.named().values():
        signal.max_hold_s = max(signal.max_hold_s, 1.5 * period_s)  # tables at two rows per second are common
    return signals


def _add_control(control: Signal, stamp_ns: int, place: int, row: dict, columns: Columns, report: DriveReport) -> int:
    """Add a row's control where it makes sense. Returns 1 for one outside its range, else 0."""
    values = np.array([columns.value(row, name) for name in _PEDALS_AND_WHEEL])
    if not np.isfinite(values).all():
        report.skipped["control that is not a number"] += 1
        return 0
    inside = np.clip(values, (-1.0, 0.0, 0.0), 1.0)
    if np.abs(values - inside).max() > _ROUNDING:
        report.skipped["control outside its range"] += 1
        return 1
    control.add(stamp_ns, *inside.tolist(), place=place)
    return 0


def _add_motion(signals: Signals, stamp_ns: int, place: int, row: dict, columns: Columns, report: DriveReport) -> None:
    speed = columns.value(row, "speed") if "speed" in columns.by_meaning else columns.value(row, "speed_kmh") / 3.6
    for name, value in ((SPEED.name, speed), (YAW_RATE.name, columns.value(row, "yaw_rate"))):
        signal = signals.vector.get(name)
        if signal is None:
            continue
        if np.isfinite(value):
            signal.add(stamp_ns, value, place=place)
        else:
            report.skipped[f"{name} that is not a number"] += 1


def _picture_period_ns(
    first_rows: list[dict], columns: Columns, clock: Clock, cameras: dict[str, NamedFiles | NumberedFiles], table: Path
) -> int:
    """The usual time between two pictures of the first camera: not every row need have one."""
    name, files = next(iter(cameras.items()))
    stamps, timed = [], 0
    for row in first_rows:
        path, stamp_ns = files.path(row, columns.frame(row)), clock.stamp_ns(row)
        timed += stamp_ns is not None
        if path is not None and stamp_ns is not None and os.path.isfile(path):
            stamps.append(stamp_ns)
    gaps = np.diff(np.array(stamps, np.int64))
    if not (gaps > 0).any():
        raise ConversionError(
            f"{table}: of the first {len(first_rows)} rows, {timed} have a time or frame number and {len(stamps)} of "
            f"these a picture of {name} that is there, expected two or more at different times; looked for "
            f"{files.path(first_rows[0], columns.frame(first_rows[0]))}"
        )
    return int(np.median(gaps[gaps > 0]))


def _pictures(table: Table, columns: Columns, clock: Clock, cameras, views, report: DriveReport) -> Iterator[Picture]:
    used: list[set[Path]] = [set() for _ in views]
    for place, row in enumerate(table.rows()):
        stamp_ns = clock.stamp_ns(row)
        if stamp_ns is None:
            continue
        frame = columns.frame(row)
        for k, (view, files) in enumerate(zip(views, cameras.values(), strict=True)):
            path = files.path(row, frame)
            if path is None or not os.path.isfile(path):
                report.skipped[f"row without a picture of {view.name}"] += 1
            elif path in used[k]:
                report.skipped[f"row with the picture of {view.name} that another row has"] += 1
            else:
                used[k].add(path)
                if columns.left_out(row) is None:
                    report.topic(view.name, "pictures").add(stamp_ns)
                    yield Picture(k, stamp_ns, partial(load_picture_file, view, path), place)
    for view, files, seen in zip(views, cameras.values(), used, strict=True):
        if isinstance(files, NumberedFiles) and files.count > len(seen):
            report.skipped[f"picture of {view.name} without a row"] += files.count - len(seen)
