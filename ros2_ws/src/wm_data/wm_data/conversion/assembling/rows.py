"""Selects the pictures that become rows: one rate, gaps separated from jitter, other cameras matched by stamp."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from wm_bundle import ImageError
from wm_bundle.times import NS_PER_S

from wm_data.conversion.assembling.cameras import SILENT_NS, Chosen, FirstCamera, Ordered, OtherCamera, place_of
from wm_data.conversion.assembling.course import Course
from wm_data.conversion.drive import Drive, Picture
from wm_data.line import ANEW, Told


@dataclass(frozen=True)
class Row:
    """One moment. ``pictures`` (3, H, W) of every camera, None where it has none; the first camera always has one.

    ``number``: of the first camera's picture in the drive's course. ``cut``: why this row does not continue the
    previous one, None where it does."""

    stamp_ns: int
    pictures: tuple[np.ndarray | None, ...]
    number: int
    cut: str | None = None


class RowChooser:
    """Rows from the pictures of all cameras, in the order of the first camera's stamps."""

    def __init__(self, drive: Drive, rate: float | None, tolerance_ns: int | None):
        """``rate`` [Hz], None for all pictures of the first camera; ``tolerance_ns`` [ns] between it and the others,
        None for half a period. Raises ConversionError for a rate above that of the pictures."""
        self._report = drive.report
        self._cameras = drive.cameras
        self.course = Course(drive.report)
        self._ordered = Ordered(drive.cameras[0].name, drive)
        self._first = FirstCamera(drive, rate)
        self.period_ns = self._first.period_ns
        self._tolerance_ns = self.period_ns // 2 if tolerance_ns is None else tolerance_ns
        self._others = [OtherCamera(camera.name, drive, self.course) for camera in drive.cameras[1:]]
        self._rows: deque[tuple[Chosen, np.ndarray]] = deque()
        self._cut: str | None = None  # passed on from a damaged picture to the next one

    def rows(self, pictures: Iterator[Picture]) -> Iterator[Row]:
        """All rows of a drive. Raises ConversionError where pictures of two times alternate."""
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

    def _load(self, chosen: list[Chosen]) -> None:
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
        """The rows for which no other camera's picture is pending."""
        while self._rows:
            chosen, pixels = self._rows[0]
            if self._others and not self.course.is_settled(chosen.number, SILENT_NS):
                passed = all(other.has_passed(chosen.picture.stamp_ns) for other in self._others)
                if not passed or self.course.is_young(chosen.number, SILENT_NS):
                    return
            self._rows.popleft()
            others = (other.nearest(chosen, self._tolerance_ns) for other in self._others)
            found = [None if picture is None else self._decode(picture) for picture in others]
            yield Row(chosen.picture.stamp_ns, (pixels, *found), chosen.number, chosen.cut)
