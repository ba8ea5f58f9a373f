"""Simulated time as a clock that is safe to measure silence with."""

import time
from collections.abc import Callable

from wm_bundle.times import NS_PER_S

_LONGEST_TICK_NS = NS_PER_S // 2  # longer steps are jumps: another episode, another map


class SimulatedTime:
    """Seconds that have passed in the simulation; the steady clock until a first stamp comes.

    Stands still while the simulation does, and so does its vehicle. Where stamps jump, back or forward, no vehicle has
    driven: it counts on from the new one. Stamps that do nothing but jump are no vehicle's time (two clocks publish, or
    ticks are too long): then the steady clock counts.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic):
        self._steady = steady
        self._now_s = 0.0
        self._last_ns: int | None = None
        self._last_s = 0.0  # when it came
        self._jumped = False  # with the last stamp

    def take(self, stamp_ns: int) -> None:
        """A stamp of /clock [ns]."""
        steady_s = self._steady()
        step_ns = 0 if self._last_ns is None else stamp_ns - self._last_ns
        jumps = not 0 <= step_ns <= _LONGEST_TICK_NS
        if self._last_ns is None:
            self._now_s = steady_s
        elif not jumps:
            self._now_s += step_ns / NS_PER_S
        elif self._jumped:
            self._now_s += steady_s - self._last_s
        self._last_ns, self._last_s, self._jumped = stamp_ns, steady_s, jumps

    def __call__(self) -> float:
        return self._steady() if self._last_ns is None else self._now_s
