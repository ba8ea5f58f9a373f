"""Notices that images have stopped."""

import time
from collections.abc import Callable


class Watchdog:
    """Says when the vehicle must brake because nothing was seen for too long.

    The time runs from ``start`` (so a camera that never begins is noticed too) and from every ``feed``. Only the
    injected monotonic clock counts: a paused or jumping simulated clock must not keep the brake off.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic):
        self._timeout_s = timeout_s
        self._clock = clock
        self._last_s: float | None = None
        self._seen_any = False

    def start(self) -> None:
        """Begin to watch."""
        self._last_s = self._clock()
        self._seen_any = False

    def stop(self) -> None:
        """Watch no longer: ``fault`` stays None."""
        self._last_s = None

    def feed(self) -> None:
        """An image came, or the work on one was just finished."""
        if self._last_s is not None:
            self._last_s = self._clock()
            self._seen_any = True

    def fault(self) -> str | None:
        """Why the vehicle must brake now, None while all is well."""
        if self._last_s is None:
            return None
        silent_s = self._clock() - self._last_s
        if silent_s <= self._timeout_s:
            return None
        what = "no image" if self._seen_any else "no image since activation"
        return f"{what} for {silent_s:.1f} s, the limit is {self._timeout_s:g} s"
