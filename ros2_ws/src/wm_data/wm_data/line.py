"""Finds odd stamps, and restarts of a clock, from the order of stamps.

Stamps of one source increase. Where they do not, either one of them is wrong and the others continue without it, or the
clock was set back and all later ones continue from the new time. Only the following stamps show which.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")
FINE, ANEW, REPEATS, BACKWARDS, AHEAD = "fine", "anew", "repeats", "goes backwards", "is far ahead"
_IN_STEP = 0.25  # of a period: tolerance of a usual step
_LONG_STEP = 1.75  # medians: after a longer one some are missing
_JITTER_STEPS = 3.0  # number of usual steps by which samples may be out of order, as with two writer threads


class Told(NamedTuple):
    """An item and the verdict on its stamp: FINE, ANEW (the first one after a restart of the clock), or why it is
    odd."""

    item: object
    verdict: str


class Line(Generic[Item]):
    """Takes items in the order of recording; judges each when the next two are known."""

    def __init__(self, period_ns: int):
        self._period_ns = period_ns
        self._before_ns: int | None = None  # of the last fine one in this run
        self._held: list[tuple[int, Item]] = []
        self._released = False  # the first held one was already returned
        self._anew = False

    def take(self, stamp_ns: int, item: Item) -> Iterator[Told]:
        """Add an item; yields those now decided."""
        if self._held and stamp_ns == self._held[-1][0]:
            yield Told(item, REPEATS)
            return
        self._held.append((stamp_ns, item))
        while len(self._held) > 1:
            first, second, *later = (stamp for stamp, _ in self._held)
            if second > first:
                yield from self._fine()
            elif not later:
                return
            else:
                yield from self._at_a_drop(first, second, later[0])

    def release(self) -> Iterator[Told]:
        """The item held back, when there is no time to wait for the next one."""
        if len(self._held) == 1 and not self._released:
            yield Told(self._held[0][1], ANEW if self._anew else FINE)
            self._released = True

    def finish(self) -> Iterator[Told]:
        """The rest, at the end: a final step back cannot be judged."""
        while self._held:
            if len(self._held) > 1 and self._held[1][0] <= self._held[0][0]:
                yield from self._odd(1, BACKWARDS)
            else:
                yield from self._fine()

    def _at_a_drop(self, first: int, second: int, third: int) -> list[Told]:
        """Decide on one of three, where the second is not after the first."""
        if third > first and not self._is_set_back(first, second, third):
            return self._odd(1, BACKWARDS)
        if third <= second:
            return self._odd(1, BACKWARDS)
        if third <= first and (self._before_ns is None or second > self._before_ns):
            return self._odd(0, AHEAD)
        told = self._fine()
        self._before_ns, self._anew = None, True
        return told

    def _is_set_back(self, first: int, second: int, third: int) -> bool:
        """Whether the clock was set back by so little that only one stamp shows it: the following steps are usual ones,
        and without that stamp they are not."""
        in_step = abs(third - second - self._period_ns) < _IN_STEP * self._period_ns
        return in_step and third - first < (1.0 - _IN_STEP) * self._period_ns

    def _fine(self) -> list[Told]:
        stamp_ns, item = self._held.pop(0)
        told = [] if self._released else [Told(item, ANEW if self._anew else FINE)]
        self._before_ns, self._anew, self._released = stamp_ns, False, False
        return told

    def _odd(self, which: int, verdict: str) -> list[Told]:
        _, item = self._held.pop(which)
        told_before = self._released and which == 0
        if told_before:
            self._released = False
        return [] if told_before else [Told(item, verdict)]


def out_of_line(stamps: np.ndarray, late: np.ndarray | None = None) -> np.ndarray:
    """Which of the stamps (n,) of one run are odd, bool (n,): far from the position among the others, which increase.
    ``late`` (n,): their distance from another clock, if known, which decides between two at an end."""
    steps = np.diff(stamps)
    if (steps >= 0).all():
        return np.zeros(len(stamps), bool)
    line = _longest_growing(stamps.tolist())
    if late is not None:
        other = len(stamps) - 1 - _longest_growing((-stamps[::-1]).tolist())[::-1]
        apart = np.abs(late - np.median(late))
        line = min(line, other, key=lambda places: apart[places].sum())
    growing = np.diff(stamps[line])
    usual = float(np.median(growing[growing > 0])) if (growing > 0).any() else 0.0
    base = stamps[line[0]]
    expected = np.interp(np.arange(len(stamps)), line, (stamps[line] - base).astype(np.float64))
    odd = np.abs((stamps - base) - expected) > _JITTER_STEPS * usual
    odd[line] = False
    return odd


def to_and_fro(what: str, back: int, count: int) -> str:
    """The message about too many decreasing stamps."""
    return (
        f"the stamps of {what} go to and fro between two times ({back} of {count} lead back): two sources write on one "
        f"topic, or a recording was played beside them; record one of them, or give each its own topic"
    )


def drops(stamps: np.ndarray) -> int:
    """How often the stamps (n,) go back by more than jitter."""
    if len(stamps) < 2:
        return 0
    low, high = np.percentile(stamps, (10, 90))  # an odd one must not lengthen the step
    return int((np.diff(stamps) < -_JITTER_STEPS * (high - low) / (0.8 * len(stamps))).sum())


def usual_step_ns(stamps: Iterable[int]) -> int:
    """The mean of the steps forward without the long ones, 0 without one. Not the median: a camera that fires on frames
    of a simulator has steps of 67, 67 and 100 ms, one that waits for a lidar of 100, 100 and 50 ms."""
    steps = np.diff(np.asarray(stamps, np.int64))
    forward = steps[steps > 0]
    return round(float(forward[forward <= _LONG_STEP * np.median(forward)].mean())) if len(forward) else 0


def _longest_growing(stamps: list[int]) -> np.ndarray:
    """Indices of the longest non-decreasing part of the stamps."""
    tails: list[int] = []  # the smallest last stamp of such a part, by length
    ends: list[int] = []  # its index
    before = [-1] * len(stamps)
    for place, stamp in enumerate(stamps):
        length = bisect_right(tails, stamp)
        before[place] = ends[length - 1] if length else -1
        if length == len(tails):
            tails.append(stamp)
            ends.append(place)
        else:
            tails[length], ends[length] = stamp, place
    line = [ends[-1]]
    while before[line[-1]] >= 0:
        line.append(before[line[-1]])
    return np.array(line[::-1])
