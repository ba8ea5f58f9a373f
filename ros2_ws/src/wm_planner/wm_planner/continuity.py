"""What the stamps of images, status and results say: new episodes, wrong camera rates, and which belongs to which."""

import statistics
from collections import OrderedDict, deque
from dataclasses import dataclass

NS_PER_S = 1_000_000_000
_RATE_TOLERANCE = 0.1
_RATE_FRAMES = 8


@dataclass(frozen=True)
class StatusSample:
    """What the planner takes from a vehicle_status: stamp [ns], speed [m/s], the applied command."""

    stamp_ns: int
    speed_mps: float
    command: tuple[float, float, float]


class StatusBuffer:
    """The last few vehicle_status messages, found again by stamp."""

    def __init__(self, length: int = 16):
        self._length = length
        self._samples: OrderedDict[int, StatusSample] = OrderedDict()

    def add(self, sample: StatusSample) -> None:
        """Keep a sample, drop the oldest beyond the length."""
        self._samples[sample.stamp_ns] = sample
        while len(self._samples) > self._length:
            self._samples.popitem(last=False)

    def at(self, stamp_ns: int) -> StatusSample | None:
        """The sample of exactly this stamp."""
        return self._samples.get(stamp_ns)

    def latest_before(self, stamp_ns: int, max_age_ns: int) -> StatusSample | None:
        """The newest sample at or before a stamp that is no older than ``max_age_ns``."""
        fitting = [s for s in self._samples.values() if 0 <= stamp_ns - s.stamp_ns <= max_age_ns]
        return max(fitting, key=lambda s: s.stamp_ns, default=None)

    @property
    def empty(self) -> bool:
        """Whether none has ever come."""
        return not self._samples


class EpisodeTracker:
    """Says which images begin an episode: the first, the first after a result that ended one, and after a jump."""

    def __init__(self, period_s: float):
        """``period_s``: the bundle's control period."""
        self._gap_ns = int(max(5.0 * period_s, 0.5) * NS_PER_S)
        self._last_ns: int | None = None
        self._ended_ns: int | None = None

    def episode_ended(self, stamp_ns: int) -> None:
        """A StepResult with terminated or truncated came."""
        self._ended_ns = stamp_ns

    def begins(self, stamp_ns: int) -> str | None:
        """Take in the next image's stamp; returns why an episode begins with it, None if the last one goes on."""
        last_ns, self._last_ns = self._last_ns, stamp_ns
        if last_ns is None:
            return "first image"
        if stamp_ns < last_ns:
            self._ended_ns = None
            return f"stamps jumped back by {(last_ns - stamp_ns) / NS_PER_S:.3f} s"
        if self._ended_ns is not None and stamp_ns > self._ended_ns:
            self._ended_ns = None
            return "the episode before ended"
        if stamp_ns - last_ns > self._gap_ns:
            return f"no image for {(stamp_ns - last_ns) / NS_PER_S:.3f} s"
        return None


class RateCheck:
    """Compares the images' period with the bundle's control period over several frames.

    Images may be dropped on the way, so single long gaps do not count: the period is the median of the gaps that are
    near the shortest.
    """

    def __init__(self, period_s: float):
        self._period_s = period_s
        self._gaps_s: deque[float] = deque(maxlen=_RATE_FRAMES)
        self._last_ns: int | None = None

    def fault(self, stamp_ns: int, comparable: bool) -> str | None:
        """Take in the next stamp; returns what is wrong, None if nothing is.

        ``comparable``: the image before was of the same episode, and none between can have been dropped because the
        planner itself was busy.
        """
        if comparable and self._last_ns is not None and stamp_ns > self._last_ns:
            self._gaps_s.append((stamp_ns - self._last_ns) / NS_PER_S)
        else:
            self._gaps_s.clear()
        self._last_ns = stamp_ns
        if len(self._gaps_s) < _RATE_FRAMES:
            return None
        shortest = min(self._gaps_s)
        found_s = statistics.median(gap for gap in self._gaps_s if gap < 1.5 * shortest)
        if abs(found_s / self._period_s - 1.0) <= _RATE_TOLERANCE:
            return None
        return (f"images come every {found_s:.3f} s by their stamps, the bundle was trained for one every "
                f"{self._period_s:g} s: set the simulator's or camera's period to that, or train a bundle for this "
                f"period")
