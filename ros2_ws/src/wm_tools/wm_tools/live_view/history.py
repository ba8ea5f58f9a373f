"""The last few seconds: points for the charts, rates, and unanswered frames."""

from collections import deque
from collections.abc import Callable

WINDOW_S = 20.0  # that the charts show
_CLOSEST_S = 0.04  # points closer together cannot be distinguished in a chart
_RATE_WINDOW_S = 3.0
_PENDING = 64  # frames waiting for their answer; further ones are dropped uncounted


class History:
    """Points (time [s], *values) of the last ``WINDOW_S``, at most 25 a second. ``total``: number ever added."""

    def __init__(self):
        self._points: deque[tuple] = deque(maxlen=int(WINDOW_S / _CLOSEST_S))
        self.total = 0

    def add(self, time_s: float, *values) -> None:
        """Add a point, unless it is too close to the last one; drop old ones."""
        if self._points and time_s - self._points[-1][0] < _CLOSEST_S:
            return
        self._points.append((round(time_s, 3), *values))
        self.total += 1
        while time_s - self._points[0][0] > WINDOW_S:
            self._points.popleft()

    def since(self, total: int) -> list[tuple]:
        """The points added after the first ``total``, as far as they are kept; all if ``total`` is too large."""
        new = self.total - total
        return list(self._points)[-new:] if 0 < new < len(self._points) else [] if new == 0 else list(self._points)


class Arrivals:
    """Arrival times of one kind of message: the age of the last one, and the rate."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._times_s: deque[float] = deque(maxlen=256)

    def add(self) -> None:
        self._times_s.append(self._clock())

    def age_s(self) -> float | None:
        """Seconds since the last one, None if none came."""
        return self._clock() - self._times_s[-1] if self._times_s else None

    def rate_hz(self) -> float:
        """Messages per second over the last few seconds, 0 with fewer than two."""
        while self._times_s and self._clock() - self._times_s[0] > _RATE_WINDOW_S:
            if len(self._times_s) == 1:
                return 0.0  # the last one is kept for its age
            self._times_s.popleft()
        span_s = self._times_s[-1] - self._times_s[0] if self._times_s else 0.0
        return (len(self._times_s) - 1) / span_s if span_s > 0.0 else 0.0


class FrameCount:
    """Counts camera frames, and those that the planner skipped: it answered a later frame instead.

    Frames and answers come on two topics, so either may be first. Camera frames that this process missed are not
    counted.
    """

    def __init__(self):
        self.frames = 0
        self.unanswered = 0
        self._pending: deque[int] = deque(maxlen=_PENDING)
        self._answered: deque[int] = deque(maxlen=_PENDING)
        self._last_frame_ns = -1

    def take_frame(self, stamp_ns: int) -> None:
        if stamp_ns < self._last_frame_ns:  # another clock: a new simulation, or a recording played again
            self._pending.clear()
            self._answered.clear()
        self._last_frame_ns = stamp_ns
        self.frames += 1
        if not self._answered or stamp_ns > self._answered[-1]:
            self._pending.append(stamp_ns)
        elif stamp_ns not in self._answered:
            self.unanswered += 1

    def take_answer(self, stamp_ns: int) -> None:
        if self._answered and stamp_ns < self._answered[-1]:
            self._answered.clear()
        self._answered.append(stamp_ns)
        while self._pending and self._pending[0] <= stamp_ns:
            self.unanswered += self._pending.popleft() != stamp_ns
