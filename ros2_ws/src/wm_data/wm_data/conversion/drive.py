"""What a reader hands over: one drive's pictures in order, and the numbers recorded beside them.

A reader knows a format; it decides nothing about rates, rows, gaps and rewards. Those are decided in rows.py and
assembly.py, the same for every source. All stamps of a drive are of one clock [ns], which may begin anew.
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np

from wm_data.conversion.controls import USUAL_WHEELBASE_M
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport


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
    for pictures that become part of a row. ``place``: see ``Stream``.
    """

    camera: int
    stamp_ns: int
    load: Callable[[], np.ndarray]
    place: int | None = None


class Stream:
    """Stamps [ns] of one source in the order of recording.

    A ``place`` is where something lies in that order, among all that was recorded: the number of a message, of a
    table's row. It tells apart what has the same stamp because a clock began anew. Sources of one clock have none.
    """

    def __init__(self):
        self.places = array("q")
        self.stamps = array("q")
        self.begins = [0]
        """Number of the first one of each run, as far as that is settled; see course.py."""

    def put(self, place: int, stamp_ns: int) -> int:
        """Take in the next one; returns its number."""
        self.places.append(place)
        self.stamps.append(stamp_ns)
        return len(self.stamps) - 1

    @property
    def newest_ns(self) -> int | None:
        return self.stamps[-1] if self.stamps else None


class Samples(NamedTuple):
    """What a signal tells: ``stamps`` int64 (n,) [ns], strictly increasing, and ``values`` float64 (n, width)."""

    stamps: np.ndarray
    values: np.ndarray
    holds: Literal["after", "before"] = "after"
    max_hold_s: float = 0.5


class Signal(Stream):
    """Numbers over time, which may grow while a drive is read.

    ``holds`` says what a sample tells: "after", the value is so from its stamp until the next sample (a command);
    "before", it was so since the sample before (what was applied until the stamp, what happened until the stamp).
    A sample says nothing about times further from its stamp than ``max_hold_s`` [s].
    """

    def __init__(self, width: int, holds: Literal["after", "before"] = "after", max_hold_s: float = 0.5):
        super().__init__()
        self.width = width
        self.holds = holds
        self.max_hold_s = max_hold_s
        self.placed = False
        """Whether its samples have places."""
        self._values = array("d")

    def add(self, stamp_ns: int, *values: float, place: int | None = None) -> None:
        """Take in one sample. Raises ValueError for another number of values than ``width``."""
        if len(values) != self.width:
            raise ValueError(f"a sample has {len(values)} values, expected {self.width}")
        self.placed = place is not None
        self.put(len(self.stamps) if place is None else place, stamp_ns)
        self._values.extend(values)

    def extend(self, stamps_ns: np.ndarray, values: np.ndarray) -> None:
        """Take in many: stamps_ns (n,), values (n, width)."""
        for stamp_ns, row in zip(np.asarray(stamps_ns).tolist(), np.asarray(values, np.float64).tolist(), strict=True):
            self.add(stamp_ns, *row)

    def numbers(self, first: int = 0, end: int | None = None) -> np.ndarray:
        """Which of the samples from ``first`` to ``end`` are finite numbers."""
        values = np.array(self._values[first * self.width : None if end is None else end * self.width])
        return first + np.flatnonzero(np.isfinite(values.reshape(-1, self.width)).all(axis=1))

    def chosen(self, numbers: np.ndarray, stamps: np.ndarray | None = None) -> Samples:
        """The samples of these ``numbers``, at other ``stamps`` where these are given; of equal stamps the last one
        counts."""
        stamps = np.array(self.stamps, np.int64)[numbers] if stamps is None else stamps
        values = np.array(self._values, np.float64).reshape(-1, self.width)[numbers]
        order = np.argsort(stamps, kind="stable")
        stamps, values = stamps[order], values[order]
        last = np.append(stamps[1:] != stamps[:-1], True) if len(stamps) else np.zeros(0, bool)
        return Samples(stamps[last], values[last], self.holds, self.max_hold_s)

    @property
    def samples(self) -> Samples:
        """All finite samples as if they were of one run."""
        return self.chosen(self.numbers())


Kind = TypeVar("Kind", Signal, Samples)


@dataclass
class Signals(Generic[Kind]):
    """The numbers of a drive, as signals or as the samples of a part of it; None where the recording has nothing of the
    kind.

    ``vector``: (1,) each, by the name of the vector input that it is; a speed is negative backwards where the source
    tells that. ``control`` (3,): steer in [-1, 1] positive right, throttle, brake; None: derived from the motion.
    ``collision`` and ``lane_invasion`` (1,): one sample for each that happened, of how many; an empty signal means that
    a sensor was there and nothing happened. ``step`` (3,): reward, terminated, truncated of a simulator's StepResult.
    ``expert`` (3,): what an expert would do at the stamp.
    """

    vector: dict[str, Kind] = field(default_factory=dict)
    control: Kind | None = None
    collision: Kind | None = None
    lane_invasion: Kind | None = None
    step: Kind | None = None
    expert: Kind | None = None

    def named(self) -> dict[str, Kind]:
        others = {name: signal for name, signal in vars(self).items() if name != "vector" and signal is not None}
        return {**others, **self.vector}


@dataclass
class Drive:
    """One drive of a source.

    ``pictures`` gives every camera's pictures in the order of recording; reading on may add to ``signals`` (that of a
    bag) or they are all there from the beginning, and the reader counts things in ``report``.
    ``picture_period_ns`` is the usual time between two pictures of the first camera. ``action_source`` names where the
    control comes from, in the words of the source ("vehicle_status.control", "can_bus", ...); "derived" where it
    is computed. ``wheelbase_m`` [m] is for that. ``reverse_told``: the reader itself skips what was driven in
    reverse gear; otherwise a speed below zero tells it. ``meta`` is added to the meta of the episodes.
    ``expected_pictures`` says how many will come, of all cameras, where that is known; only the progress bar asks.
    """

    cameras: tuple[CameraView, ...]
    pictures: Iterator[Picture]
    picture_period_ns: int
    signals: Signals[Signal]
    report: DriveReport
    action_source: str
    wheelbase_m: float = USUAL_WHEELBASE_M
    reverse_told: bool = False
    meta: dict = field(default_factory=dict)
    expected_pictures: int | None = None
    present: Signals[Samples] = field(default_factory=Signals)
    """The signals around the episode that was made last."""
