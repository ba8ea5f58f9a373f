"""Runs of a drive, where a clock restarted and stamps repeat, and what belongs to each run.

The first camera's pictures define the runs. Everything else is assigned by its position in the order of recording: a
stamp alone says little where a simulator was restarted, or a clock was set back.
"""

from array import array
from collections.abc import Sequence

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.conversion.drive import Samples, Signal, Signals, Stream
from wm_data.conversion.report import DriveReport
from wm_data.errors import ConversionError
from wm_data.line import drops, out_of_line, to_and_fro

# Largest distance [ns] in the recording of data of one moment: signals may come shortly after or before the pictures.
APART_NS = 2 * NS_PER_S
_STEP_NS = NS_PER_S // 2  # a longer step between two pictures is a gap, without known data
_ENOUGH = 20  # samples, until statistics are used instead of single ones
_MUDDLED = 0.2  # share of steps back above which two sources share a topic
_EVENTS = ("collision", "lane_invasion")
_MISFIT = "whose stamp does not fit the pictures around it"


class Course:
    """The first camera's pictures so far, by number, and the data around them."""

    def __init__(self, report: DriveReport):
        self._report = report
        self._track = Stream()
        self._elapsed = array("q")
        self._finished = False
        self._beside: dict[str, _Beside] = {}

    def add(self, place: int, stamp_ns: int, anew: bool) -> int:
        """Add the next picture's place and stamp; ``anew``: it starts a run. Returns its number."""
        number = self._track.put(place, stamp_ns)
        if anew:
            self._track.begins.append(number)
        step_ns = 0 if anew or not number else stamp_ns - self._track.stamps[number - 1]
        self._elapsed.append(min(step_ns, _STEP_NS) + (self._elapsed[-1] if number else 0))
        return number

    @property
    def count(self) -> int:
        return len(self._track.stamps)

    def finish(self) -> None:
        self._finished = True

    def is_settled(self, number: int, apart_ns: int = APART_NS) -> bool:
        """Whether all data of a picture's moment is read, if written within ``apart_ns``."""
        return self._finished or (self.count > 0 and self._elapsed[-1] - self._elapsed[number] > apart_ns)

    def is_young(self, number: int, apart_ns: int) -> bool:
        """Whether a picture is so early in its run that data written then may belong to the previous run."""
        begin = self._track.begins[self.run_of(number)]
        return begin > 0 and self._elapsed[number] - self._elapsed[begin] <= apart_ns

    def run_of(self, number: int) -> int:
        return int(np.searchsorted(self._track.begins, number, "right")) - 1

    def places_of(self, numbers: Sequence[int]) -> np.ndarray:
        """The pictures' places (n,)."""
        return np.array([self._track.places[number] for number in numbers], np.int64)

    def part_of(self, stream: Stream, run: int) -> tuple[int, int]:
        """(first, end) of a stream's numbers that belong to a run."""
        is_last = run + 1 == len(self._track.begins)
        return self._begin(stream, run), len(stream.stamps) if is_last else self._begin(stream, run + 1)

    def around(self, stream: Stream, first: int, last: int, margin_ns: int) -> tuple[int, int]:
        """(first, end) of a stream's numbers from ``margin_ns`` before a picture until as long after another of the
        same run."""
        run = self.run_of(first)
        begin, end = self.part_of(stream, run)
        places, stamps = self.pictures_of(run)
        number = self._track.begins[run]
        before = int(np.searchsorted(stamps, stamps[first - number] - margin_ns))
        after = int(np.searchsorted(stamps, stamps[last - number] + margin_ns))
        own = np.array(stream.places, np.int64)
        if before > 0:  # data recorded after the previous picture may belong to this one
            begin = max(begin, int(np.searchsorted(own, places[before - 1])))
        if after < len(places):
            end = min(end, int(np.searchsorted(own, places[after])))
        return begin, max(begin, end)

    def pictures_of(self, run: int) -> tuple[np.ndarray, np.ndarray]:
        begins = self._track.begins
        part = slice(begins[run], begins[run + 1] if run + 1 < len(begins) else None)
        return np.array(self._track.places[part], np.int64), np.array(self._track.stamps[part], np.int64)

    def signals(self, signals: Signals[Signal], first: int, last: int) -> Signals[Samples]:
        """The signals at and between two pictures of one run. Mismatching samples are counted. Raises ConversionError
        where two sources write one signal."""
        for name, signal in signals.named().items():
            if name not in self._beside:
                self._beside[name] = _Beside(name, signal, self._report)
                if name in _EVENTS:
                    self._beside[name] = _Events(name, signal, self._report, self._beside)
        events_last = sorted(self._beside.items(), key=lambda one: one[0] in _EVENTS)
        known = {name: beside.samples(self, first, last) for name, beside in events_last}
        return Signals({name: known.pop(name) for name in signals.vector}, **known)

    def _begin(self, stream: Stream, run: int) -> int:
        begins = list(stream.begins)
        while len(begins) <= run:
            following = len(begins)
            begins.append(self._split(stream, following, begins[-1]))
            if len(stream.begins) == following and self.is_settled(self._track.begins[following]):
                stream.begins.append(begins[-1])
        return begins[run]

    def _split(self, stream: Stream, run: int, earliest: int) -> int:
        """Where, near the first picture of a run, a stream's stamps switch from the previous run's clock to this one's:
        the position of the smallest differences."""
        before, after = self.pictures_of(run - 1), self.pictures_of(run)
        since = before[0][np.searchsorted(before[1], before[1][-1] - APART_NS)]
        until = int(np.searchsorted(after[1], after[1][0] + APART_NS))
        places = np.array(stream.places, np.int64)
        first, end = max(earliest, int(np.searchsorted(places, since))), len(places)
        if until < len(after[0]):
            end = int(np.searchsorted(places, after[0][until]))
        elif run + 1 < len(self._track.begins):
            end = int(np.searchsorted(places, self._track.places[self._track.begins[run + 1]]))
        part = slice(first, max(first, end))
        places, stamps = places[part], np.array(stream.stamps[part], np.int64)
        then, now = clock(places, *before), clock(places, *after)
        # For the other run, the offset is the distance to that run's pictures.
        as_before = np.minimum(np.abs(apart(places, stamps, *before)) + np.maximum(now - after[1][0], 0), APART_NS)
        as_after = np.minimum(np.abs(apart(places, stamps, *after)) + np.maximum(before[1][-1] - then, 0), APART_NS)
        costs = np.append(0, np.cumsum(as_before)) + np.append(np.cumsum(as_after[::-1])[::-1], 0)
        best = np.flatnonzero(costs == costs.min())
        return first + int(best[np.argmin(np.abs(best - np.searchsorted(places, after[0][0])))])


class _Beside:
    def __init__(self, name: str, signal: Signal, report: DriveReport):
        self._name = name
        self._signal = signal
        self._report = report
        self._counted: set[int] = set()
        self._usual_ns: int | None = None  # usual distance of its stamps from the clock of the nearby pictures
        self.track: tuple[np.ndarray, np.ndarray] | None = None
        """Places and stamps of the good samples returned last."""

    def samples(self, course: Course, first: int, last: int) -> Samples:
        """The samples at and between two pictures of one run, and around them as far as they matter."""
        signal = self._signal
        if not signal.placed:
            numbers = signal.numbers()
            return self._fitting(numbers, None, np.array(signal.stamps, np.int64)[numbers], None)
        margin_ns = round(signal.max_hold_s * NS_PER_S) + 2 * APART_NS
        numbers = signal.numbers(*course.around(signal, first, last, margin_ns))
        places, stamps = (np.array(column, np.int64)[numbers] for column in (signal.places, signal.stamps))
        return self._fitting(numbers, places, stamps, course.pictures_of(course.run_of(first)))

    def _fitting(self, numbers, places, stamps, track) -> Samples:
        """The samples without outliers and without those that do not follow the pictures' clock. numbers, places,
        stamps (n,); track: places and stamps of the run's pictures. Signals without places have neither."""
        back = drops(stamps)
        if back > max(_ENOUGH, _MUDDLED * len(stamps)):
            raise ConversionError(to_and_fro(self._name, back, len(stamps)))
        odd = np.zeros(len(stamps), bool)
        late = None
        if track is not None:
            late = apart(places, stamps, *track)
            odd = self._off_the_clock(stamps, late, (places >= track[0][0]) & (places <= track[0][-1]))
            late = late[~odd]
        odd[~odd] = out_of_line(stamps[~odd], late)
        self._count(numbers[odd], f"{self._name} {_MISFIT}")
        if track is not None and not odd.all():
            self.track = places[~odd], stamps[~odd]
        return self._signal.chosen(numbers[~odd])

    def _off_the_clock(self, stamps, late, inside) -> np.ndarray:
        """Which stamps are unusually far from the pictures' clock. Not those between two good ones in order: there the
        pictures were late."""
        judged = np.flatnonzero(inside)
        if self._usual_ns is None and len(judged) >= _ENOUGH:
            self._usual_ns = int(np.median(late[judged[: 2 * _ENOUGH]]))
        off = inside & (np.abs(late - (self._usual_ns or 0)) > APART_NS)
        good = np.flatnonzero(~off)
        for place in np.flatnonzero(np.diff(good) > 1):
            before, after = good[place], good[place + 1]
            if (np.diff(stamps[before : after + 1]) > 0).all():
                off[before:after] = False
        return off

    def _count(self, numbers: np.ndarray, reason: str) -> None:
        new = set(numbers.tolist()) - self._counted
        if new:
            self._counted |= new
            self._report.skipped[reason] += len(new)


class _Events(_Beside):
    """Events: too few for statistics, and none may be lost. One with an odd stamp counts at its recording time."""

    def __init__(self, name: str, signal: Signal, report: DriveReport, beside: dict[str, _Beside]):
        super().__init__(name, signal, report)
        self._others = beside

    def _fitting(self, numbers, places, stamps, track) -> Samples:
        if track is None:
            return self._signal.chosen(numbers)
        # Where the pictures were late, the other signals define the time.
        tracks = [track, *(other.track for name, other in self._others.items() if name not in _EVENTS and other.track)]
        odd = np.min([np.abs(apart(places, stamps, *each)) for each in tracks], axis=0) > APART_NS
        self._count(numbers[odd], f"{self._name} {_MISFIT}, counted where it was recorded")
        return self._signal.chosen(numbers, np.where(odd, clock(places, *track), stamps))


def apart(places: np.ndarray, stamps: np.ndarray, track_places: np.ndarray, track_stamps: np.ndarray) -> np.ndarray:
    """How far [ns] ``stamps`` (n,) at their ``places`` are from those (m,) of the two adjacent pictures of a run in the
    order of recording: negative before both, positive after both, 0 between."""
    last = len(track_places) - 1
    before = track_stamps[np.maximum(np.searchsorted(track_places, places, "right") - 1, 0)]
    after = track_stamps[np.minimum(np.searchsorted(track_places, places, "left"), last)]
    return np.minimum(stamps - before, 0) + np.maximum(stamps - after, 0)


def clock(places: np.ndarray, track_places: np.ndarray, track_stamps: np.ndarray) -> np.ndarray:
    """The stamps [ns] of other ``places`` (n,) from those (m,) of a run's pictures: that of the first one before it,
    that of the last one plus a nanosecond after it."""
    moments = np.interp(
        (places - track_places[0]).astype(np.float64),
        (track_places - track_places[0]).astype(np.float64),
        (track_stamps - track_stamps[0]).astype(np.float64),
    )
    return track_stamps[0] + np.rint(moments).astype(np.int64) + (places > track_places[-1])
