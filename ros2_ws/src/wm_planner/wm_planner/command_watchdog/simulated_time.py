"""Simulated time as a clock that is safe to measure silence with."""

import time
from collections.abc import Callable

from wm_bundle.times import NS_PER_S

_LONGEST_TICK_NS = NS_PER_S // 2  # longer steps are jumps: another episode, another map


class SimulatedTime:
    """Seconds that have passed in the simulation; the steady clock until a first stamp comes.

    Stands still while the simulation does, and so does its vehicle. Where stamps jump, back or forward, no vehicle has
    driven: it counts on from the new one.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic):
        self._steady = steady
        self._now_s = 0.0
        self._last_ns: int | None = None

    def take(self, stamp_ns: int) -> None:
        """A stamp of /clock [ns]."""
        if self._last_ns is None:
            self._now_s = self._steady()
        elif 0 < stamp_ns - self._last_ns <= _LONGEST_TICK_NS:
            self._now_s += (stamp_ns - self._last_ns) / NS_PER_S
        self._last_ns = stamp_ns

    def __call__(self) -> float:
        return self._steady() if self._last_ns is None else self._now_s
