"""Ticks at a steady rate of wall time."""

import time
from collections.abc import Callable


class Pacer:
    """Absolute deadlines, one period apart, so that errors do not add up.

    After a tick more than one period late the deadlines restart from there: the lost time is not made up by a burst of
    short ticks.
    """

    def __init__(self, period_s: float, clock: Callable[[], float] = time.monotonic):
        """``period_s``: wall time of a tick [s], 0 for as fast as possible; ``clock``: monotonic wall time [s]."""
        self.period_s = period_s
        self.late = 0  # how often the deadlines restarted
        self._clock = clock
        self._deadline: float | None = None

    def restart(self) -> None:
        """Forget the deadlines: the next tick sets them, as after a pause."""
        self._deadline = None

    def next_deadline(self) -> float:
        """When the next tick is due [s of the clock]."""
        now = self._clock()
        if self._deadline is None:
            self._deadline = now
        self._deadline += self.period_s
        if now - self._deadline > self.period_s > 0.0:
            self.late += 1
            self._deadline = now
        return self._deadline
