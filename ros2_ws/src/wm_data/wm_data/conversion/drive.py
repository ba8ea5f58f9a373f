"""A reader's output: one drive's pictures in order, and its recorded signals.

A reader knows a format; it decides nothing about rates, rows, gaps and rewards. Those are decided in rows.py and
assembly.py, the same for every source. All stamps of a drive are of one clock [ns], which may restart.
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np

from wm_data.conversion.controls import USUAL_WHEELBASE_M
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport
from wm_data.routes.following import Recorded


@dataclass(frozen=True)
class DriveRef:
    """One drive found in a source, not yet opened: a worker's unit of work.

    ``name`` is unique in the source and becomes the name of the episodes' files. ``locator`` holds what the source's
    ``open_drive`` needs to find it: strings, numbers, lists and dictionaries of these only, as it goes to other
    processes and machines. ``paths`` are the files or folders it is read from, for the manifest."""

    name: str
    locator: dict
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """One camera's picture, not yet decoded.

    ``camera`` is an index into the drive's cameras. ``load`` decodes, crops and resizes it to (3, H, W) uint8 RGB, and
    raises ImageError for a damaged one; it is called at most once, soon after the picture was passed on, and only
    for pictures that become part of a row. ``place``: see ``Stream``.
    """

    camera: int
    stamp_ns: int
    load: Callable[[], np.ndarray]
    place: int | None = None


class Stream:
    """Stamps [ns] of one source in the order of recording.

    A ``place`` is a position in that order, among all recorded data: the number of a message, or of a table's row. It
    separates data with equal stamps after a clock restarted. Sources with one clock have none.
    """

    def __init__(self):
        self.places = array("q")
        self.stamps = array("q")
        self.begins = [0]
        """Number of the first one of each run, as far as known; see course.py."""

    def put(self, place: int, stamp_ns: int) -> int:
        """Add the next one; returns its number."""
        self.places.append(place)
        self.stamps.append(stamp_ns)
        return len(self.stamps) - 1

    @property
    def newest_ns(self) -> int | None:
        return self.stamps[-1] if self.stamps else None


class Samples(NamedTuple):
    """A signal's samples: ``stamps`` int64 (n,) [ns], strictly increasing, and ``values`` float64 (n, width)."""

    stamps: np.ndarray
    values: np.ndarray
    holds: Literal["after", "before"] = "after"
    max_hold_s: float = 0.5


class Signal(Stream):
    """Numbers over time, which may grow while a drive is read.

    ``holds``: for "after", a value is valid from its stamp until the next sample (a command); for "before", since the
    previous sample (what was applied or happened until the stamp). A sample is valid at most ``max_hold_s`` [s] from
    its stamp."""

    def __init__(self, width: int, holds: Literal["after", "before"] = "after", max_hold_s: float = 0.5):
        super().__init__()
        self.width = width
        self.holds = holds
        self.max_hold_s = max_hold_s
        self.placed = False
        """Whether its samples have places."""
        self._values = array("d")

    def add(self, stamp_ns: int, *values: float, place: int | None = None) -> None:
        """Add one sample. Raises ValueError for another number of values than ``width``."""
        if len(values) != self.width:
            raise ValueError(f"a sample has {len(values)} values, expected {self.width}")
        self.placed = place is not None
        self.put(len(self.stamps) if place is None else place, stamp_ns)
        self._values.extend(values)

    def extend(self, stamps_ns: np.ndarray, values: np.ndarray) -> None:
        """Add many: stamps_ns (n,), values (n, width)."""
        for stamp_ns, row in zip(np.asarray(stamps_ns).tolist(), np.asarray(values, np.float64).tolist(), strict=True):
            self.add(stamp_ns, *row)

    def numbers(self, first: int = 0, end: int | None = None) -> np.ndarray:
        """Which of the samples from ``first`` to ``end`` are finite numbers."""
        values = np.array(self._values[first * self.width : None if end is None else end * self.width])
        return first + np.flatnonzero(np.isfinite(values.reshape(-1, self.width)).all(axis=1))

    def chosen(self, numbers: np.ndarray, stamps: np.ndarray | None = None) -> Samples:
        """The samples of these ``numbers``, at other ``stamps`` if given; of equal stamps the last one counts."""
        stamps = np.array(self.stamps, np.int64)[numbers] if stamps is None else stamps
        values = np.array(self._values, np.float64).reshape(-1, self.width)[numbers]
        order = np.argsort(stamps, kind="stable")
        stamps, values = stamps[order], values[order]
        last = np.append(stamps[1:] != stamps[:-1], True) if len(stamps) else np.zeros(0, bool)
        return Samples(stamps[last], values[last], self.holds, self.max_hold_s)

    @property
    def samples(self) -> Samples:
        """All finite samples as one run."""
        return self.chosen(self.numbers())


Kind = TypeVar("Kind", Signal, Samples)


@dataclass
class Signals(Generic[Kind]):
    """The signals of a drive, or the samples of a part of it; None for a kind that the recording lacks.


    ``vector``: (1,) each, by the name of the vector input; a speed is negative backwards if the source has a sign.
    ``control`` (3,): steer in [-1, 1] positive right, throttle, brake; None: derived from the motion. ``collision`` and
    ``lane_invasion`` (1,): the number of events per sample; an empty signal means that there was a sensor and nothing
    happened. ``step`` (3,): reward, terminated, truncated of a simulator's StepResult. ``expert`` (3,): the expert's
    action at the stamp."""

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

    ``pictures`` yields every camera's pictures in the order of recording; reading may add to ``signals`` (of a bag), or
    they are all there from the start, and the reader counts things in ``report``. ``picture_period_ns`` is the usual
    time between two pictures of the first camera. ``action_source`` names the origin of the control, in the source's
    terms ("vehicle_status.control", "can_bus", ...); "derived" where it is computed, with ``wheelbase_m`` [m].
    ``reverse_told``: the reader itself skips what was driven in reverse gear; otherwise a negative speed marks it.
    ``driven``: the path and the routes of a bag, where they are wanted; of other sources the path is that of their
    motion. ``meta`` is added to the episodes' meta. ``expected_pictures`` of all cameras, if known, for the progress
    bar."""

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
    driven: Recorded | None = None
    present: Signals[Samples] = field(default_factory=Signals)
    """The signals around the last episode."""
