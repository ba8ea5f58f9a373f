"""Notices that images have stopped."""

import time
from collections.abc import Callable

# A brake is repeated for those who join late; rarely, because a simulator that waits for commands counts them.
REPEAT_S = 0.5


class Watchdog:
    """Says when the vehicle must brake because nothing was seen for too long.

    The time runs from ``start``, so that a camera that never begins is noticed too, and from every ``feed``. The clock
    is monotonic: a paused or jumping simulated one must not keep the brake off.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic):
        self._timeout_s = timeout_s
        self._clock = clock
        self._last_s: float | None = None
        self._braked_s: float | None = None
        self.seen_any = False
        """Whether an image came since ``start``."""

    @property
    def silent_s(self) -> float:
        """For how long nothing was seen [s]; 0 while it does not watch."""
        return 0.0 if self._last_s is None else self._clock() - self._last_s

    def start(self) -> None:
        """Begin to watch."""
        self._last_s = self._clock()
        self._braked_s = None
        self.seen_any = False

    def stop(self) -> None:
        """Watch no longer: ``brake_due`` stays None."""
        self._last_s = None

    def feed(self) -> None:
        """An image came, or has just been answered."""
        if self._last_s is not None:
            self._last_s = self._clock()
            self._braked_s = None
            self.seen_any = True

    def brake_due(self) -> str | None:
        """Why a brake must be sent now; None while all is well, and until it is time to repeat the last one."""
        now_s = self._clock()
        if self._last_s is None or now_s - self._last_s <= self._timeout_s:
            return None
        if self._braked_s is not None and now_s - self._braked_s < REPEAT_S:
            return None
        self._braked_s = now_s
        what = "no image" if self.seen_any else "no image since activation"
        return f"{what} for {now_s - self._last_s:.1f} s, the limit is {self._timeout_s:g} s"
