"""Which pictures become rows: one rate, gaps told apart from jitter, other cameras joined by stamp."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from wm_bundle import ImageError

from wm_data.conversion.course import Course
from wm_data.conversion.drive import Drive, Picture, Stream
from wm_data.conversion.errors import ConversionError
from wm_data.conversion.line import ANEW, FINE, REPEATS, Line, Told, to_and_fro
from wm_data.conversion.report import NS_PER_S

GAP_PERIODS = 1.5
_SILENT_NS = NS_PER_S  # a camera that is this far behind the first one is not waited for
_WATCHED, _MUDDLED = 100, 0.2  # pictures, and the share of odd ones among them from which nothing is made of them
_SAME_RATE = 0.02


@dataclass(frozen=True)
class Row:
    """One moment. ``pictures`` (3, H, W) of every camera, None where it has none; the first camera always has one.

    ``number``: of the first camera's picture in the drive's course. ``cut``: why this row does not continue the one
    before, None where it does.
    """

    stamp_ns: int
    pictures: tuple[np.ndarray | None, ...]
    number: int
    cut: str | None = None


@dataclass
class _Chosen:
    """A picture of the first camera that will be a row, and its number in the course."""

    picture: Picture
    number: int
    cut: str | None = None


class _Ordered:
    """One camera's pictures without those whose stamps are odd, which are counted."""

    def __init__(self, name: str, drive: Drive):
        self._name = name
        self._report = drive.report
        self._line: Line[Picture] = Line(drive.picture_period_ns)
        self._odd: deque[bool] = deque(maxlen=_WATCHED)

    def take(self, picture: Picture) -> list[Told]:
        """Those that are known to be good now, FINE or ANEW. Raises ConversionError where two cameras come in turns."""
        return self._good(self._line.take(picture.stamp_ns, picture))

    def release(self) -> list[Told]:
        """The one that is held back, where nobody can wait for the next one."""
        return self._good(self._line.release())

    def finish(self) -> list[Told]:
        """The rest, when no more will come."""
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
    """Chooses among the first camera's pictures: all of them, or those nearest to a grid of ``rate`` that begins anew
    after every gap."""

    def __init__(self, drive: Drive, rate: float | None):
        """Raises ConversionError for a rate [Hz] above that of the pictures."""
        self._name = drive.cameras[0].name
        usual_ns = drive.picture_period_ns
        self.period_ns = usual_ns if rate is None else round(NS_PER_S / rate)
        if self.period_ns < (1.0 - _SAME_RATE) * usual_ns:
            raise ConversionError(
                f"camera {self._name} has {NS_PER_S / usual_ns:.3g} pictures per second, {rate:g} Hz were asked for: "
                f"give a --rate of at most that"
            )
        self._takes_all = self.period_ns <= (1.0 + _SAME_RATE) * usual_ns
        self._newest_ns: int | None = None
        self._last_ns: int | None = None  # of the picture chosen last
        self._target_ns = 0
        self._waiting: _Chosen | None = None
        self._cut: str | None = None

    def take(self, picture: Picture, number: int, anew: bool) -> list[_Chosen]:
        """Take in the next picture, of a run that begins ``anew`` with it or goes on; returns those chosen now."""
        chosen = []
        if anew:
            chosen = self.finish()
            self._last_ns = None
            self._cut = f"stamps jumped back by {(self._newest_ns - picture.stamp_ns) / NS_PER_S:.1f} s"
        self._newest_ns = picture.stamp_ns
        one = _Chosen(picture, number)
        return chosen + (self._take_all(one) if self._takes_all else self._take_nearest(one))

    def finish(self) -> list[_Chosen]:
        """The last one, when no more will come."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or abs(waiting.picture.stamp_ns - self._target_ns) > self.period_ns // 2:
            return []
        return [self._choose(waiting)]

    def _take_all(self, one: _Chosen) -> list[_Chosen]:
        if self._last_ns is not None and one.picture.stamp_ns - self._last_ns > GAP_PERIODS * self.period_ns:
            self._cut = self._gap(one.picture)
        return [self._choose(one)]

    def _take_nearest(self, one: _Chosen) -> list[_Chosen]:
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

    def _choose(self, one: _Chosen) -> _Chosen:
        one.cut = self._cut
        self._last_ns, self._cut = one.picture.stamp_ns, None
        return one


class _OtherCamera:
    """Another camera's pictures, held until the rows that they may belong to are known."""

    def __init__(self, name: str, drive: Drive, course: Course):
        self._course = course
        self._ordered = _Ordered(name, drive)
        self._heard = 0  # number of the first camera's picture beside its last one
        self._stream = Stream()
        self._held: deque[tuple[int, Picture]] = deque()  # with their numbers in the stream

    def take(self, picture: Picture, has_rows: bool) -> None:
        """Take in the next one. ``has_rows``: there are some that it may belong to."""
        self._heard = max(self._course.count - 1, 0)
        for told in self._ordered.take(picture):
            self._hold(told.item)
        while not has_rows and len(self._held) > 1 and self._newest_ns - self._held[0][1].stamp_ns > _SILENT_NS:
            self._held.popleft()

    def finish(self) -> None:
        """No more will come."""
        for told in self._ordered.finish():
            self._hold(told.item)

    def has_passed(self, stamp_ns: int) -> bool:
        """Whether it has a picture of a time, or of a later one."""
        return bool(self._held) and self._newest_ns >= stamp_ns

    def nearest(self, row: _Chosen, tolerance_ns: int) -> Picture | None:
        """The picture of the row's run that is nearest to it; it is taken out with all before it."""
        if self._course.is_settled(self._heard, _SILENT_NS):  # it has fallen silent
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


class RowChooser:
    """Rows from the pictures of all cameras, in the order of the first camera's stamps."""

    def __init__(self, drive: Drive, rate: float | None, tolerance_ns: int | None):
        """``rate`` [Hz], None for all pictures of the first camera; ``tolerance_ns`` [ns] between it and the others,
        None for half a period. Raises ConversionError for a rate above that of the pictures."""
        self._report = drive.report
        self._cameras = drive.cameras
        self.course = Course(drive.report)
        self._ordered = _Ordered(drive.cameras[0].name, drive)
        self._first = FirstCamera(drive, rate)
        self.period_ns = self._first.period_ns
        self._tolerance_ns = self.period_ns // 2 if tolerance_ns is None else tolerance_ns
        self._others = [_OtherCamera(camera.name, drive, self.course) for camera in drive.cameras[1:]]
        self._rows: deque[tuple[_Chosen, np.ndarray]] = deque()
        self._cut: str | None = None  # what a damaged picture leaves to the next one

    def rows(self, pictures: Iterator[Picture]) -> Iterator[Row]:
        """All rows of a drive. Raises ConversionError where pictures of two times come in turns."""
        for picture in pictures:
            if picture.camera == 0:
                self._take_first(self._ordered.take(picture))
            else:
                self._others[picture.camera - 1].take(picture, bool(self._rows))
            yield from self._complete()
        self._take_first(self._ordered.finish())
        self._load(self._first.finish())
        for other in self._others:
            other.finish()
        self.course.finish()
        yield from self._complete()

    def _take_first(self, good: list[Told]) -> None:
        for told in good:
            anew = told.verdict == ANEW
            number = self.course.add(place_of(told.item), told.item.stamp_ns, anew)
            self._load(self._first.take(told.item, number, anew))

    def _load(self, chosen: list[_Chosen]) -> None:
        for one in chosen:
            one.cut = self._cut or one.cut
            pixels = self._decode(one.picture)
            if pixels is None:
                self._cut = one.cut or f"a damaged picture of {self._cameras[0].name}"
                continue
            self._cut = None
            self._rows.append((one, pixels))

    def _decode(self, picture: Picture) -> np.ndarray | None:
        try:
            return picture.load()
        except ImageError as error:
            reason = f"picture of {self._cameras[picture.camera].name}: {error}"
            if not self._report.skipped[reason]:
                where = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
                self._report.note(f"the first {reason} (stamp {picture.stamp_ns / NS_PER_S:.3f} s{where})")
            self._report.skipped[reason] += 1
            return None

    def _complete(self) -> Iterator[Row]:
        """The rows for which every other camera has had its chance."""
        while self._rows:
            chosen, pixels = self._rows[0]
            if self._others and not self.course.is_settled(chosen.number, _SILENT_NS):
                passed = all(other.has_passed(chosen.picture.stamp_ns) for other in self._others)
                if not passed or self.course.is_young(chosen.number, _SILENT_NS):
                    return
            self._rows.popleft()
            others = (other.nearest(chosen, self._tolerance_ns) for other in self._others)
            found = [None if picture is None else self._decode(picture) for picture in others]
            yield Row(chosen.picture.stamp_ns, (pixels, *found), chosen.number, chosen.cut)


def place_of(picture: Picture) -> int:
    """Where a picture lies in the order of recording; in sources of one clock its stamp tells."""
    return picture.stamp_ns if picture.place is None else picture.place
