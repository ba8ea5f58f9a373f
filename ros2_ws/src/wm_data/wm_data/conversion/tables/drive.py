"""The drive from a table of controls with pictures."""

import os
from array import array
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.conversion.controls import USUAL_WHEELBASE_M
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, Picture, Signal, Signals
from wm_data.conversion.picture_files import load_picture_file
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport
from wm_data.conversion.tables.cameras import NumberedFiles, choose_cameras, find_cameras
from wm_data.conversion.tables.columns import Clock, Columns
from wm_data.conversion.tables.reading import Row, Table
from wm_data.conversion.tables.way import Way
from wm_data.errors import ConversionError
from wm_data.files import readable
from wm_data.line import usual_step_ns

_BY_OPTION = "--frame-rate"
_UDACITY = {"center", "left", "right", "steering", "throttle", "speed"}
_PEDALS_AND_WHEEL = ("steer", "throttle", "brake")
_ROWS_TO_LOOK_AT = 200  # to determine the unit of time and the rate of the pictures
_ROUNDING = 1e-3


class Frames(NamedTuple):
    """Numbered frames without times: their period [ns], and which program saves them."""

    period_ns: int
    saved_by: str


def drive_of(
    table: Table, folder: Path, name: str, options: ConvertOptions, frames: Frames, meta: dict | None = None
) -> Drive:
    """The drive ``name`` of a table whose pictures are in ``folder``; ``meta`` is for the episodes. Raises
    ConversionError if it is not a drive."""
    with readable(folder):
        return _TableDrive(table, folder, name, options, frames).drive(meta or {})


class _TableDrive:
    """Reads a table's numbers up front and its pictures row by row."""

    def __init__(self, table: Table, folder: Path, name: str, options: ConvertOptions, frames: Frames):
        self._table, self._options = table, options
        self._report = DriveReport(name)
        self._first_rows = list(islice(table.rows(), _ROWS_TO_LOOK_AT))
        if len(self._first_rows) < 2:
            raise ConversionError(f"{table.path} has {len(self._first_rows)} rows, expected two or more")
        self._columns = columns = Columns.of(self._first_rows, table.path, options.inputs(), options.route != "none")
        if options.frame_rate is not None:
            frames = Frames(round(NS_PER_S / options.frame_rate), _BY_OPTION)
        prefers_frames = options.frame_rate is not None
        self._clock = clock = Clock(columns, self._first_rows, frames.period_ns, table.path, prefers_frames)
        if clock.is_of_names and _UDACITY <= {name.strip().lower() for name in columns.names}:
            raise ConversionError(
                f"{table.path} is like a recording of Udacity's simulator, whose speed is in miles per hour: read it "
                f"by `convert udacity`"
            )
        self._cameras = choose_cameras(find_cameras(folder, table.path, columns), options.cameras, folder)
        self._source = _action_source(columns, options, table.path)
        self._way = Way()
        self._note_clock(frames)
        if note := columns.note_unused():
            self._report.note(note)

    def drive(self, meta: dict) -> Drive:
        views = tuple(self._options.view(name) for name in self._cameras)
        signals = self._signals()
        return Drive(
            driven=self._way.recorded(str(self._table.path)) if self._options.route in ("auto", "hindsight") else None,
            cameras=views,
            pictures=self._pictures(views),
            picture_period_ns=self._picture_period_ns(),
            signals=signals,
            report=self._report,
            action_source=self._source,
            wheelbase_m=self._options.wheelbase or USUAL_WHEELBASE_M,
            reverse_told=self._columns.tells_reverse,
            meta={"table": self._table.path.name, **meta},
        )

    def _note_clock(self, frames: Frames) -> None:
        clock, note = self._clock, self._report.note
        if clock.by_frame:
            apart = f"frames are taken to be {frames.period_ns / 1e6:g} ms apart, as {frames.saved_by}"
            if frames.saved_by == _BY_OPTION:
                note(f"{apart} says")
            else:
                note(f"the rows have no time: {apart} saves them; {_BY_OPTION} tells another rate")
        if clock.is_of_names:
            note("the time is that in the pictures' names, taken as UTC")
        if clock.is_assumed_ns:
            note("the column of time does not say its unit and grows so fast that it is taken as nanoseconds")

    def _signals(self) -> Signals:
        """All numbers of the table. A row's commanded control acts after it, an applied one acted before it."""
        there, report = self._columns.by_meaning, self._report
        holds = "before" if self._source == "applied" else "after"
        signals = Signals(
            {name: Signal(1) for name in self._options.inputs() if self._columns.tells(name)},
            control=None if self._source == "derived" else Signal(3, holds),
            collision=Signal(1) if "collision" in there else None,
            lane_invasion=Signal(1) if "lane_invasion" in there else None,
        )
        statistics = report.topic(self._table.path.name, "table")
        stamps = array("q")
        outside = 0
        for place, row in enumerate(self._table.rows()):
            stamp_ns, left_out = self._clock.stamp_ns(row), self._columns.left_out(row)
            if stamp_ns is None:
                report.skipped[f"row {left_out or 'without a time or frame number'}"] += 1
                continue
            statistics.add(stamp_ns)
            stamps.append(stamp_ns)
            if left_out:
                report.skipped[f"row {left_out}"] += 1
            elif signals.control is not None:
                outside += self._add_control(signals.control, stamp_ns, place, row)
            self._add_motion(signals, stamp_ns, place, row)
            self._way.add(stamp_ns, place, *(self._columns.value(row, name) for name in ("x", "y", "steer")))
            for name in ("collision", "lane_invasion"):
                happened = self._columns.value(row, name)
                if happened > 0.0:
                    getattr(signals, name).add(stamp_ns, happened, place=place)
        if outside and signals.control is not None and signals.control.newest_ns is None:
            raise ConversionError(
                f"{self._table.path}: no row has its steer in [-1, 1] and throttle and brake in [0, 1]; expected "
                f"CARLA's fractions, steer positive right, no angles and no percentages"
            )
        period_s = usual_step_ns(stamps) / NS_PER_S
        for signal in signals.named().values():
            signal.max_hold_s = max(signal.max_hold_s, 1.5 * period_s)  # tables at two rows per second are common
        return signals

    def _add_control(self, control: Signal, stamp_ns: int, place: int, row: Row) -> int:
        """Add a row's control if plausible. Returns 1 for one outside its range, else 0."""
        values = np.array([self._columns.value(row, name) for name in _PEDALS_AND_WHEEL])
        if not np.isfinite(values).all():
            self._report.skipped["control that is not a number"] += 1
            return 0
        inside = np.clip(values, (-1.0, 0.0, 0.0), 1.0)
        if np.abs(values - inside).max() > _ROUNDING:
            self._report.skipped["control outside its range"] += 1
            return 1
        control.add(stamp_ns, *inside.tolist(), place=place)
        return 0

    def _add_motion(self, signals: Signals, stamp_ns: int, place: int, row: Row) -> None:
        for name, signal in signals.vector.items():
            value = self._columns.vector_input(row, name)
            if np.isfinite(value):
                signal.add(stamp_ns, value, place=place)
            else:
                self._report.skipped[f"{name} that is not a number"] += 1

    def _picture_period_ns(self) -> int:
        """The usual time between two pictures of the first camera: rows may lack one."""
        name, files = next(iter(self._cameras.items()))
        paths = [files.path(row, self._columns.frame(row)) for row in self._first_rows]
        stamps = [self._clock.stamp_ns(row) for row in self._first_rows]
        timed = [(path, stamp_ns) for path, stamp_ns in zip(paths, stamps, strict=True) if stamp_ns is not None]
        there = [stamp_ns for path, stamp_ns in timed if path is not None and os.path.isfile(path)]
        if not (usual_ns := usual_step_ns(there)):
            raise ConversionError(
                f"{self._table.path}: of the first {len(paths)} rows, {len(timed)} have a time or frame number and "
                f"{len(there)} of these a picture of {name} that is there, expected two or more at different times; "
                f"looked for {paths[0]}"
            )
        return usual_ns

    def _pictures(self, views: tuple[CameraView, ...]) -> Iterator[Picture]:
        report, used = self._report, [set() for _ in views]
        for place, row in enumerate(self._table.rows()):
            stamp_ns = self._clock.stamp_ns(row)
            if stamp_ns is None:
                continue
            frame = self._columns.frame(row)
            for k, (view, files) in enumerate(zip(views, self._cameras.values(), strict=True)):
                path = files.path(row, frame)
                if path is None or not os.path.isfile(path):
                    report.skipped[f"row without a picture of {view.name}"] += 1
                elif path in used[k]:
                    report.skipped[f"row with the picture of {view.name} that another row has"] += 1
                else:
                    used[k].add(path)
                    if self._columns.left_out(row) is None:
                        report.topic(view.name, "pictures").add(stamp_ns)
                        yield Picture(k, stamp_ns, partial(load_picture_file, view, path), place)
        for view, files, seen in zip(views, self._cameras.values(), used, strict=True):
            if isinstance(files, NumberedFiles):
                report.leave_out(f"picture of {view.name} without a row", max(files.count - len(seen), 0))


def _action_source(columns: Columns, options: ConvertOptions, table: Path) -> str:
    """The kind of the table's controls: "commanded", "applied", or "derived" if there are none or on request."""
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
