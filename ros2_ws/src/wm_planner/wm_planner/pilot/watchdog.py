"""Detects that images have stopped."""

import time
from collections.abc import Callable

# A brake is repeated for late subscribers.
REPEAT_S = 0.5


class Watchdog:
    """Decides when the vehicle must brake because no image arrived for too long.

    The time runs from ``start``, so that a camera that never starts is detected too, and from every ``feed``. The clock
    is monotonic: a paused or jumping simulated one must not delay the brake.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic):
        self._timeout_s = timeout_s
        self._clock = clock
        self._last_s: float | None = None
        self._braked_s: float | None = None
        self.seen_any = False
        """Whether an image arrived since ``start``."""

    @property
    def silent_s(self) -> float:
        """Time without an image [s]; 0 while stopped."""
        return 0.0 if self._last_s is None else self._clock() - self._last_s

    def start(self) -> None:
        self._last_s = self._clock()
        self._braked_s = None
        self.seen_any = False

    def stop(self) -> None:
        """Stop watching: ``brake_due`` stays None."""
        self._last_s = None

    def feed(self) -> None:
        """An image arrived, or was just answered."""
        if self._last_s is not None:
            self._last_s = self._clock()
            self._braked_s = None
            self.seen_any = True

    def brake_due(self) -> str | None:
        """Why a brake must be sent now; None while all is well or the last brake need not be repeated yet."""
        now_s = self._clock()
        if self._last_s is None or now_s - self._last_s <= self._timeout_s:
            return None
        if self._braked_s is not None and now_s - self._braked_s < REPEAT_S:
            return None
        self._braked_s = now_s
        what = "no image" if self.seen_any else "no image since activation"
        return f"{what} for {now_s - self._last_s:.1f} s, the limit is {self._timeout_s:g} s"
