"""What a reader hands over: one drive's pictures in order, and the numbers recorded beside them.

A reader knows a format; it decides nothing about rates, rows, gaps and rewards. Those are decided in rows.py and
assembly.py, the same for every source. All stamps of a drive are of one clock [ns].
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from wm_data.conversion.controls import USUAL_WHEELBASE_M
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport

CLOCK_JUMP_NS = 1_000_000_000


@dataclass(frozen=True)
class DriveRef:
    """One drive found in a source, not yet opened: what a worker converts at a time.

    ``name`` is unique in the source and becomes the name of the episodes' files. ``locator`` holds what the source's
    ``open_drive`` needs to find it again: strings, numbers, lists and dictionaries of such only, as it goes to other
    processes and machines. ``paths`` are the files or folders it is read from, for the manifest.
    """

    name: str
    locator: dict
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """One camera's picture, not yet decoded.

    ``camera`` is an index into the drive's cameras. ``load`` decodes, crops and resizes it to (3, H, W) uint8 RGB, and
    raises ImageError where it is damaged; it is called at most once, soon after the picture was handed over, and only
    for pictures that become part of a row.
    """

    camera: int
    stamp_ns: int
    load: Callable[[], np.ndarray]


class Signal:
    """Numbers over time, which may grow while a drive is read.

    ``holds`` says what a sample tells: "after", the value is so from its stamp until the next sample (a command);
    "before", it was so since the sample before (what was applied until the stamp, what happened until the stamp).
    A sample says nothing about times further from its stamp than ``max_hold_s`` [s].

    Where stamps jump back by more than a second, a clock began anew: a bag that plays in a loop, a simulator that was
    started again. What comes after is kept apart until ``begin_anew`` makes it the present.
    """

    def __init__(self, width: int, holds: Literal["after", "before"] = "after", max_hold_s: float = 0.5):
        self.width = width
        self.holds = holds
        self.max_hold_s = max_hold_s
        self._stamps = array("q")
        self._values = array("d")
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None
        self._anew: int | None = None  # the first sample after a jump back

    def begin_anew(self) -> None:
        """Forget what came before the clock began anew; all of it, where no sample has come since."""
        first = len(self._stamps) if self._anew is None else self._anew
        del self._stamps[:first], self._values[: first * self.width]
        self._sorted = self._anew = None

    def add(self, stamp_ns: int, *values: float) -> None:
        """Take in one sample. Raises ValueError for another number of values than ``width``."""
        if len(values) != self.width:
            raise ValueError(f"a sample has {len(values)} values, expected {self.width}")
        if self._anew is None and self._stamps and stamp_ns < self._stamps[-1] - CLOCK_JUMP_NS:
            self._anew = len(self._stamps)
        self._stamps.append(stamp_ns)
        self._values.extend(values)
        if self._anew is None:
            self._sorted = None

    def extend(self, stamps_ns: np.ndarray, values: np.ndarray) -> None:
        """Take in many: stamps_ns (n,), values (n, width)."""
        for stamp_ns, row in zip(np.asarray(stamps_ns).tolist(), np.asarray(values, np.float64).tolist(), strict=True):
            self.add(stamp_ns, *row)

    @property
    def newest_ns(self) -> int | None:
        """The stamp of the sample that came last, None before the first."""
        return self._stamps[-1] if self._stamps else None

    @property
    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Stamps int64 (n,), strictly increasing, and values float64 (n, width); of equal stamps the last one counts.

        Samples with a number that is not finite are left out.
        """
        if self._sorted is None:
            stamps = np.array(self._stamps, np.int64)[: self._anew]
            values = np.array(self._values, np.float64).reshape(-1, self.width)[: self._anew]
            finite = np.isfinite(values).all(axis=1)
            stamps, values = stamps[finite], values[finite]
            order = np.argsort(stamps, kind="stable")
            stamps, values = stamps[order], values[order]
            last = np.append(stamps[1:] != stamps[:-1], True) if len(stamps) else np.zeros(0, bool)
            self._sorted = stamps[last], values[last]
        return self._sorted


@dataclass
class Signals:
    """The numbers of a drive; None where the recording has nothing of the kind.

    ``control`` (3,): steer in [-1, 1] positive right, throttle, brake; None: derived from speed and yaw rate.
    ``speed`` (1,) [m/s], negative backwards where the source tells that; ``yaw_rate`` (1,) [rad/s] positive left
    (REP-103).
    ``collision`` and ``lane_invasion`` (1,): one sample for each that happened, of how many; an empty signal means that
    a sensor was there and nothing happened. ``step`` (3,): reward, terminated, truncated of a simulator's StepResult.
    ``expert`` (3,): what an expert would do at the stamp.
    """

    control: Signal | None = None
    speed: Signal | None = None
    yaw_rate: Signal | None = None
    collision: Signal | None = None
    lane_invasion: Signal | None = None
    step: Signal | None = None
    expert: Signal | None = None

    def all(self) -> list[Signal]:
        """Those that are there."""
        return [signal for signal in vars(self).values() if signal is not None]


@dataclass
class Drive:
    """One drive of a source.

    ``pictures`` gives every camera's pictures in the order of recording; reading on may add to ``signals`` (that of a
    bag) or they are all there from the beginning, and the reader counts things in ``report``.
    ``picture_period_ns`` is the usual time between two pictures of the first camera. ``action_source`` names where the
    control comes from, in the words of the source ("vehicle_status.control", "can_bus", ...); "derived" where it
    is computed. ``wheelbase_m`` [m] is for that. ``reverse_told``: the reader itself leaves out what was driven in
    reverse gear; otherwise a speed below zero tells it. ``meta`` is added to the meta of the episodes.
    ``expected_pictures`` says how many will come, of all cameras, where that is known; only the progress bar asks.
    """

    cameras: tuple[CameraView, ...]
    pictures: Iterator[Picture]
    picture_period_ns: int
    signals: Signals
    report: DriveReport
    action_source: str
    wheelbase_m: float = USUAL_WHEELBASE_M
    reverse_told: bool = False
    meta: dict = field(default_factory=dict)
    expected_pictures: int | None = None
