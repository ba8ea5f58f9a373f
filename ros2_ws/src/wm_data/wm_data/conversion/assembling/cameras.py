"""Cameras' pictures in order: drops odd ones, selects the first camera's, and matches the others' to them."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.conversion.assembling.course import Course
from wm_data.conversion.drive import Drive, Picture, Stream
from wm_data.errors import ConversionError
from wm_data.line import ANEW, FINE, REPEATS, Line, Told, to_and_fro

GAP_PERIODS = 1.5
SILENT_NS = NS_PER_S  # no waiting for a camera this far behind the first one
_SAME_RATE = 0.02
_PAIRS, _SHORT = 40, 0.35  # compared steps, and the ratio of the shorter to the longer one in pairs
_WATCHED, _MUDDLED = 100, 0.2  # pictures, and the share of odd ones above which they are refused


@dataclass
class Chosen:
    """A picture of the first camera that becomes a row, and its number in the course."""

    picture: Picture
    number: int
    cut: str | None = None


class Ordered:
    """One camera's pictures; those with odd stamps are dropped and counted."""

    def __init__(self, name: str, drive: Drive):
        self._name = name
        self._report = drive.report
        self._line: Line[Picture] = Line(drive.picture_period_ns)
        self._odd: deque[bool] = deque(maxlen=_WATCHED)

    def take(self, picture: Picture) -> list[Told]:
        """Add a picture; returns those now known to be good, FINE or ANEW. Raises ConversionError where two cameras
        alternate."""
        return self._good(self._line.take(picture.stamp_ns, picture))

    def release(self) -> list[Told]:
        """The picture held back, when there is no time to wait for the next one."""
        return self._good(self._line.release())

    def finish(self) -> list[Told]:
        return self._good(self._line.finish())

    def _good(self, told: Iterable[Told]) -> list[Told]:
        good = []
        for one in told:
            if one.verdict in (FINE, ANEW):
                good.append(one)
            else:
                self._report.skipped[f"picture of {self._name} whose stamp {one.verdict}"] += 1
            if one.verdict == REPEATS:
                continue
            self._odd.append(one.verdict != FINE)
            if sum(self._odd) > _MUDDLED * _WATCHED:
                raise ConversionError(to_and_fro(self._name, sum(self._odd), len(self._odd)))
        return good


class FirstCamera:
    """Selects the first camera's pictures: all of them, or those nearest to a grid of ``rate`` that restarts after
    every gap."""

    def __init__(self, drive: Drive, rate: float | None):
        """Raises ConversionError for a rate [Hz] above that of the pictures."""
        self._name = drive.cameras[0].name
        usual_ns = drive.picture_period_ns
        self.period_ns = usual_ns if rate is None else round(NS_PER_S / rate)
        if self.period_ns < (1.0 - _SAME_RATE) * usual_ns:
            raise ConversionError(
                f"camera {self._name} has {NS_PER_S / usual_ns:.3g} pictures per second, {rate:g} Hz were requested: "
                f"give a --rate of at most that"
            )
        self._takes_all = self.period_ns <= (1.0 + _SAME_RATE) * usual_ns
        self._newest_ns: int | None = None
        self._last_ns: int | None = None  # of the last selected picture
        self._target_ns = 0
        self._waiting: Chosen | None = None
        self._cut: str | None = None
        self._steps: list[int] = []  # between the latest pictures [ns]

    def take(self, picture: Picture, number: int, anew: bool) -> list[Chosen]:
        """Add the next picture, which starts a new run if ``anew``; returns those selected now."""
        chosen = []
        if anew:
            chosen = self.finish()
            self._last_ns = None
            self._cut = f"stamps jumped back by {(self._newest_ns - picture.stamp_ns) / NS_PER_S:.1f} s"
        self._newest_ns = picture.stamp_ns
        one = Chosen(picture, number)
        return chosen + (self._take_all(one) if self._takes_all else self._take_nearest(one))

    def finish(self) -> list[Chosen]:
        waiting, self._waiting = self._waiting, None
        if waiting is None or abs(waiting.picture.stamp_ns - self._target_ns) > self.period_ns // 2:
            return []
        return [self._choose(waiting)]

    def _take_all(self, one: Chosen) -> list[Chosen]:
        if self._last_ns is not None and one.picture.stamp_ns - self._last_ns > GAP_PERIODS * self.period_ns:
            self._cut = self._gap(one.picture)
        if self._last_ns is not None:
            self._check_turns(one.picture.stamp_ns - self._last_ns)
        return [self._choose(one)]

    def _check_turns(self, step_ns: int) -> None:
        """Refuse pictures in pairs, with alternating short and long steps: those of two cameras."""
        self._steps.append(step_ns)
        if len(self._steps) < _PAIRS:
            return
        even, odd = np.array(self._steps[::2]), np.array(self._steps[1::2])
        self._steps.clear()
        short, long = sorted((even, odd), key=np.median)
        if (short < _SHORT * long).all():
            raise ConversionError(
                f"pictures of {self._name} come {np.median(short) / 1e6:.0f} and {np.median(long) / 1e6:.0f} ms after "
                f"one another in turns: two cameras publish on one topic; give each its own topic, record one of "
                f"them, or take half of the pictures with --rate {NS_PER_S / np.median(short + long):.3g}"
            )

    def _take_nearest(self, one: Chosen) -> list[Chosen]:
        chosen = []
        stamp_ns = one.picture.stamp_ns
        while self._last_ns is not None and stamp_ns >= self._target_ns:
            candidate = one
            if self._waiting is not None:
                early_ns = self._target_ns - self._waiting.picture.stamp_ns
                candidate = self._waiting if early_ns <= stamp_ns - self._target_ns else one
            self._waiting = None
            if abs(candidate.picture.stamp_ns - self._target_ns) > self.period_ns // 2:
                self._cut = self._gap(one.picture)
                break
            chosen.append(self._choose(candidate))
            self._target_ns += self.period_ns
            if candidate is one:
                return chosen
        if self._last_ns is None or self._cut:
            self._target_ns = stamp_ns + self.period_ns
            return [*chosen, self._choose(one)]
        self._waiting = one
        return chosen

    def _gap(self, picture: Picture) -> str:
        return f"no picture of {self._name} for {(picture.stamp_ns - self._last_ns) / NS_PER_S:.3f} s"

    def _choose(self, one: Chosen) -> Chosen:
        one.cut = self._cut
        self._last_ns, self._cut = one.picture.stamp_ns, None
        return one


class OtherCamera:
    """Another camera's pictures, held until their possible rows are known."""

    def __init__(self, name: str, drive: Drive, course: Course):
        self._course = course
        self._ordered = Ordered(name, drive)
        self._heard = 0  # number of the first camera's picture next to its last one
        self._stream = Stream()
        self._held: deque[tuple[int, Picture]] = deque()  # with their numbers in the stream

    def take(self, picture: Picture, has_rows: bool) -> None:
        """Add the next one. ``has_rows``: there are rows that it may belong to."""
        self._heard = max(self._course.count - 1, 0)
        for told in self._ordered.take(picture):
            self._hold(told.item)
        while not has_rows and len(self._held) > 1 and self._newest_ns - self._held[0][1].stamp_ns > SILENT_NS:
            self._held.popleft()

    def finish(self) -> None:
        for told in self._ordered.finish():
            self._hold(told.item)

    def has_passed(self, stamp_ns: int) -> bool:
        """Whether it has a picture at this time or later."""
        return bool(self._held) and self._newest_ns >= stamp_ns

    def nearest(self, row: Chosen, tolerance_ns: int) -> Picture | None:
        """The picture of the row's run nearest to it; removes it and all before it."""
        if self._course.is_settled(self._heard, SILENT_NS):  # it has fallen silent
            for told in self._ordered.release():
                self._hold(told.item)
        first, end = self._course.part_of(self._stream, self._course.run_of(row.number))

        def apart_ns(place: int) -> int:
            return abs(self._held[place][1].stamp_ns - row.picture.stamp_ns)

        there = [place for place, (number, _) in enumerate(self._held) if first <= number < end]
        best = min(there, key=apart_ns, default=None)
        if best is None or apart_ns(best) > tolerance_ns:
            return None
        for _ in range(best):
            self._held.popleft()
        return self._held.popleft()[1]

    @property
    def _newest_ns(self) -> int:
        return self._held[-1][1].stamp_ns

    def _hold(self, picture: Picture) -> None:
        self._held.append((self._stream.put(place_of(picture), picture.stamp_ns), picture))


def place_of(picture: Picture) -> int:
    """A picture's position in the order of recording; in sources with one clock, its stamp."""
    return picture.stamp_ns if picture.place is None else picture.place
