"""Which pictures become rows: one rate, gaps told apart from jitter, other cameras joined by stamp."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from wm_bundle import ImageError

from wm_data.conversion.drive import CLOCK_JUMP_NS, Drive, Picture
from wm_data.conversion.errors import ConversionError
from wm_data.conversion.report import NS_PER_S

GAP_PERIODS = 1.5
_SILENT_NS = NS_PER_S  # a camera that is this far behind the first one is not waited for
_SAME_RATE = 0.02


@dataclass(frozen=True)
class Row:
    """One moment. ``pictures`` (3, H, W) of every camera, None where it has none; the first camera always has one.

    ``cut``: why this row does not continue the one before, None where it does. ``anew``: because the clock began anew.
    """

    stamp_ns: int
    pictures: tuple[np.ndarray | None, ...]
    cut: str | None = None
    anew: bool = False


@dataclass
class _Chosen:
    """A picture of the first camera that will be a row, or that the clock began anew."""

    picture: Picture
    cut: str | None = None
    anew: bool = False


class FirstCamera:
    """Chooses among the first camera's pictures: all of them, or those nearest to a grid of ``rate`` that begins anew
    after every gap."""

    def __init__(self, drive: Drive, rate: float | None):
        """Raises ConversionError for a rate [Hz] above that of the pictures."""
        self._report = drive.report
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
        self._waiting: Picture | None = None
        self._cut: str | None = None
        self._anew = False

    def take(self, picture: Picture) -> list[_Chosen]:
        """Take in the next picture; returns those that are chosen now."""
        stamp_ns, newest_ns = picture.stamp_ns, self._newest_ns
        if newest_ns is not None and stamp_ns <= newest_ns:
            if stamp_ns >= newest_ns - CLOCK_JUMP_NS:
                what = "repeats" if stamp_ns == newest_ns else "goes backwards"
                self._report.skipped[f"picture of {self._name} whose stamp {what}"] += 1
                return []
            chosen = self.finish()
            self._last_ns, self._anew = None, True
            self._cut = f"stamps jumped back by {(newest_ns - stamp_ns) / NS_PER_S:.1f} s"
        else:
            chosen = []
        self._newest_ns = stamp_ns
        return chosen + (self._take_all(picture) if self._takes_all else self._take_nearest(picture))

    def finish(self) -> list[_Chosen]:
        """The last one, when no more will come."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or abs(waiting.stamp_ns - self._target_ns) > self.period_ns // 2:
            return []
        return [self._choose(waiting)]

    def _take_all(self, picture: Picture) -> list[_Chosen]:
        if self._last_ns is not None and picture.stamp_ns - self._last_ns > GAP_PERIODS * self.period_ns:
            self._cut = self._gap(picture)
        return [self._choose(picture)]

    def _take_nearest(self, picture: Picture) -> list[_Chosen]:
        chosen = []
        while self._last_ns is not None and picture.stamp_ns >= self._target_ns:
            candidate = picture
            if self._waiting is not None:
                early_ns = self._target_ns - self._waiting.stamp_ns
                candidate = self._waiting if early_ns <= picture.stamp_ns - self._target_ns else picture
            self._waiting = None
            if abs(candidate.stamp_ns - self._target_ns) > self.period_ns // 2:
                self._cut = self._gap(picture)
                break
            chosen.append(self._choose(candidate))
            self._target_ns += self.period_ns
            if candidate is picture:
                return chosen
        if self._last_ns is None or self._cut:
            self._target_ns = picture.stamp_ns + self.period_ns
            return [*chosen, self._choose(picture)]
        self._waiting = picture
        return chosen

    def _gap(self, picture: Picture) -> str:
        return f"no picture of {self._name} for {(picture.stamp_ns - self._last_ns) / NS_PER_S:.3f} s"

    def _choose(self, picture: Picture) -> _Chosen:
        chosen = _Chosen(picture, self._cut, self._anew)
        self._last_ns, self._cut, self._anew = picture.stamp_ns, None, False
        return chosen


class RowChooser:
    """Rows from the pictures of all cameras, in the order of the first camera's stamps."""

    def __init__(self, drive: Drive, rate: float | None, tolerance_ns: int | None):
        """``rate`` [Hz], None for all pictures of the first camera; ``tolerance_ns`` [ns] between it and the others,
        None for half a period. Raises ConversionError for a rate above that of the pictures."""
        self._report = drive.report
        self._cameras = drive.cameras
        self._first = FirstCamera(drive, rate)
        self.period_ns = self._first.period_ns
        self._tolerance_ns = self.period_ns // 2 if tolerance_ns is None else tolerance_ns
        self._others: list[deque[Picture]] = [deque() for _ in drive.cameras[1:]]
        self._rows: deque[tuple[_Chosen, np.ndarray]] = deque()
        self._cut: str | None = None  # what a damaged picture leaves to the next one
        self._anew = False

    def rows(self, pictures: Iterator[Picture]) -> Iterator[Row]:
        """All rows of a drive."""
        for picture in pictures:
            if picture.camera == 0:
                self._load(self._first.take(picture))
            else:
                self._take_other(picture)
            yield from self._complete(finished=False)
        self._load(self._first.finish())
        yield from self._complete(finished=True)

    def _take_other(self, picture: Picture) -> None:
        seen = self._others[picture.camera - 1]
        if seen and seen[-1].stamp_ns - CLOCK_JUMP_NS <= picture.stamp_ns <= seen[-1].stamp_ns:
            name = self._cameras[picture.camera].name
            self._report.skipped[f"picture of {name} whose stamp repeats or goes backwards"] += 1
            return
        if seen and picture.stamp_ns < seen[-1].stamp_ns:
            seen.clear()
        seen.append(picture)
        if not self._rows and len(seen) > 1 and seen[0].stamp_ns < picture.stamp_ns - _SILENT_NS:
            seen.popleft()

    def _load(self, chosen: list[_Chosen]) -> None:
        for one in chosen:
            cut, anew = self._cut or one.cut, self._anew or one.anew
            pixels = self._decode(one.picture)
            if pixels is None:
                self._cut, self._anew = cut or f"a damaged picture of {self._cameras[0].name}", anew
                continue
            self._cut, self._anew = None, False
            self._rows.append((_Chosen(one.picture, cut, anew), pixels))

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

    def _complete(self, finished: bool) -> Iterator[Row]:
        """The rows for which every other camera has had its chance."""
        while self._rows:
            chosen, pixels = self._rows[0]
            newest_ns = self._rows[-1][0].picture.stamp_ns
            stamp_ns = chosen.picture.stamp_ns
            late = finished or not stamp_ns <= newest_ns <= stamp_ns + _SILENT_NS
            if not (late or all(self._has_passed(seen, stamp_ns) for seen in self._others)):
                return
            self._rows.popleft()
            others = [self._nearest(seen, stamp_ns) for seen in self._others]
            yield Row(stamp_ns, (pixels, *others), chosen.cut, chosen.anew)

    @staticmethod
    def _has_passed(seen: deque[Picture], stamp_ns: int) -> bool:
        return bool(seen) and seen[-1].stamp_ns >= stamp_ns

    def _nearest(self, seen: deque[Picture], stamp_ns: int) -> np.ndarray | None:
        """The picture nearest to a row's stamp; it is taken out with all before it."""
        while len(seen) > 1 and abs(seen[1].stamp_ns - stamp_ns) <= abs(seen[0].stamp_ns - stamp_ns):
            seen.popleft()
        if not seen or abs(seen[0].stamp_ns - stamp_ns) > self._tolerance_ns:
            return None
        return self._decode(seen.popleft())
