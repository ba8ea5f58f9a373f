"""Evaluates the stamps of images, samples and results: new episodes, wrong camera rates, and which match."""

import math
from collections import deque
from dataclasses import dataclass

from wm_bundle.times import NS_PER_S

RATE_TOLERANCE = 0.1
_RATE_GAPS = 8  # the most that are compared; with fewer the tolerance is wider than RATE_TOLERANCE
_FEWEST_GAPS = 3
_FRAME = 0.8  # the longest frame of a server that its cameras' pictures are taken from [periods]
_LONG_GAP = 1.3  # a gap of more periods than this may contain lost images
_ALL_LONG = 4  # so many long gaps in a row are another rate
_LATENESS_GAIN = 0.1


@dataclass(frozen=True)
class Sample:
    """A vector input at a stamp [ns].

    ``command``: what was applied until the stamp, None if the source does not report it.
    """

    stamp_ns: int
    value: float
    command: tuple[float, float, float] | None = None


class SampleBuffer:
    """The last samples of one vector input, looked up by stamp: a second of an IMU at 1 kHz, as images may be late."""

    def __init__(self, length: int = 1024):
        self._samples: deque[Sample] = deque(maxlen=length)  # with rising stamps

    def add(self, sample: Sample) -> None:
        """Add a sample, replacing one with the same stamp. When stamps jump back, all are dropped: after a restart of
        the simulator, old samples must not be used in the new run."""
        if self._samples and sample.stamp_ns < self._samples[-1].stamp_ns:
            self._samples.clear()
        elif self._samples and sample.stamp_ns == self._samples[-1].stamp_ns:
            self._samples.pop()
        self._samples.append(sample)

    def at(self, stamp_ns: int) -> Sample | None:
        """The sample of exactly this stamp."""
        return self.latest_before(stamp_ns, 0)

    def latest_before(self, stamp_ns: int, max_age_ns: int) -> Sample | None:
        """The newest sample at or before a stamp that is no older than ``max_age_ns``."""
        return next((s for s in reversed(self._samples) if 0 <= stamp_ns - s.stamp_ns <= max_age_ns), None)

    @property
    def apart_s(self) -> float | None:
        """Time between the last two samples [s], None before the second."""
        if len(self._samples) < 2:
            return None
        return (self._samples[-1].stamp_ns - self._samples[-2].stamp_ns) / NS_PER_S

    @property
    def newest_ns(self) -> int | None:
        """The last sample's stamp, None before the first."""
        return self._samples[-1].stamp_ns if self._samples else None

    @property
    def empty(self) -> bool:
        """Whether none ever came."""
        return not self._samples


@dataclass(frozen=True)
class Beginning:
    """Why an image starts a new episode. ``fault``: unannounced, stamps jumped."""

    reason: str
    fault: bool


class EpisodeTracker:
    """Says which images begin an episode: the first one, and the first after an episode's end or a jump of stamps."""

    def __init__(self, period_s: float):
        """``period_s``: the bundle's control period."""
        self.gap_s = max(5.0 * period_s, 0.5)
        """Longest gap between image stamps that a belief survives."""
        self._gap_ns = int(self.gap_s * NS_PER_S)
        self._last_ns: int | None = None
        self._ended_ns: int | None = None

    def episode_ended(self, stamp_ns: int) -> None:
        """A StepResult with terminated or truncated arrived."""
        self._ended_ns = stamp_ns

    @property
    def over(self) -> bool:
        """Whether an episode has ended and the next has not begun."""
        return self._ended_ns is not None

    def begins(self, stamp_ns: int) -> Beginning | None:
        """Add the next image's stamp; returns why an episode begins with it, None if the last one continues."""
        last_ns, self._last_ns = self._last_ns, stamp_ns
        if last_ns is None:
            return Beginning("first image", fault=False)
        ended = self._ended_ns is not None and stamp_ns > self._ended_ns
        back = stamp_ns < last_ns
        if ended or back:
            self._ended_ns = None
        if ended:
            return Beginning("the previous episode ended", fault=False)
        if back:
            return Beginning(f"stamps jumped back by {(last_ns - stamp_ns) / NS_PER_S:.3f} s", fault=True)
        if stamp_ns - last_ns > self._gap_ns:
            return Beginning(f"stamps jumped forward by {(stamp_ns - last_ns) / NS_PER_S:.3f} s", fault=True)
        return None


def lost_between(last_ns: int, stamp_ns: int, periods: int) -> list[int]:
    """The stamps [ns] of images missing between two received ones that are ``periods`` apart."""
    return [last_ns + round(n * (stamp_ns - last_ns) / periods) for n in range(1, periods)]


class RateCheck:
    """Compares the images' rate with the bundle's, and counts the periods between two images.

    A simulated camera fires on frames of its server: at 30 frames/s every 0.067 or 0.1 s for a period of 0.08 s. So one
    gap says little, and the sum of several is off by a frame at most: the last few gaps, however many, are compared
    with as many periods. Images may be lost, so a long gap counts as one period more or less, unless all are long.
    """

    def __init__(self, period_s: float):
        self._period_s = period_s
        self._last_ns: int | None = None
        self._gaps: deque[float] = deque(maxlen=_RATE_GAPS + 1)  # [periods]
        self._lateness = 0.0  # of the last image [periods]; its mean is about 0
        self.periods = 1
        """Whole periods between the last two images."""
        self.confirmed = False
        """Whether the rate was ever right."""

    def fault(self, stamp_ns: int, comparable: bool) -> str | None:
        """Add the next stamp; returns the fault, None if there is none.

        ``comparable``: the last image was of the same episode, and the busy planner dropped none since.
        """
        last_ns, self._last_ns = self._last_ns, stamp_ns
        gap = 1.0 if last_ns is None else (stamp_ns - last_ns) / NS_PER_S / self._period_s
        self._count(gap)
        if comparable and last_ns is not None and stamp_ns > last_ns:
            self._gaps.append(gap)
        else:
            self._gaps.clear()
        found = self._wrong()
        if found is None:
            self.confirmed = self.confirmed or len(self._gaps) >= _RATE_GAPS
            return None
        return (
            f"images come every {found * self._period_s:.3f} s by their stamps, the bundle was trained for one every "
            f"{self._period_s:g} s: set the simulator's or camera's period to that, or train a bundle for this "
            f"period"
        )

    def _count(self, gap: float) -> None:
        """The periods in ``gap`` [periods]: the nearest number after which the image is as late as the others were."""
        self.periods = max(1, round(self._lateness + gap))
        lateness = self._lateness + gap - self.periods
        self._lateness = (1.0 - _LATENESS_GAIN) * min(max(lateness, -_FRAME), _FRAME)

    def _wrong(self) -> float | None:
        """The mean gap [periods] of the fewest last gaps whose sum is too short or too long for their number."""
        always_long = len(self._gaps) >= _ALL_LONG and min(list(self._gaps)[-_ALL_LONG:]) > _LONG_GAP
        elapsed = fewest = most = 0.0
        for count, gap in enumerate(reversed(self._gaps), 1):
            may_lack = gap > _LONG_GAP and not always_long
            elapsed += gap
            fewest += max(1, math.floor(gap - _LONG_GAP + 1.0)) if may_lack else 1
            most += math.ceil(gap - _LONG_GAP + 1.0) if may_lack else 1
            # The first image, and one after a long gap, may be late by any time: then the next ones follow faster.
            from_late = count == len(self._gaps) or self._gaps[-count - 1] > _LONG_GAP
            if not _FEWEST_GAPS <= count <= _RATE_GAPS or (from_late and not always_long):
                continue
            if elapsed < fewest - max(_FRAME, RATE_TOLERANCE * fewest):
                return elapsed / fewest
            if elapsed > most + max(_FRAME, RATE_TOLERANCE * most):
                return elapsed / most
        return None


class CommandedMotion:
    """Whether a vehicle of unknown speed must be moving, by the commands sent.

    Throttle is integrated over time until a command brakes more than it drives: then the vehicle may stand. One that
    rolls without throttle only slows down, and needs throttle to keep moving.
    """

    def __init__(self, period_s: float, throttle_s: float):
        """``period_s``: how long a command acts; ``throttle_s`` [s of full throttle] makes the vehicle move."""
        self._period_s = period_s
        self._limit_s = throttle_s
        self._throttle_s = 0.0

    def sent(self, throttle: float, brake: float) -> None:
        self._throttle_s = 0.0 if brake > throttle else self._throttle_s + float(throttle) * self._period_s

    @property
    def moving(self) -> bool:
        """Whether the vehicle must be moving by the commands so far."""
        return self._throttle_s >= self._limit_s


class FrozenPicture:
    """Detects a camera that repeats the same picture, with new stamps, while the vehicle moves.

    The same means bit-identical: a moving vehicle's view never repeats that way, while a stationary simulated vehicle
    always sees the same. A frozen camera stays frozen until another picture arrives: the brake stops the vehicle, and
    standing must not count as recovery.
    """

    def __init__(self, frames: int):
        """``frames`` consecutive repetitions from a moving vehicle are a fault."""
        self._limit = frames
        self._last = b""
        self._repeated = 0
        self._frozen = False

    def seen(self, picture: bytes, moving: bool) -> bool:
        """Add the next picture, and whether the vehicle moves; returns whether the camera is frozen."""
        if picture != self._last:
            self._last, self._repeated, self._frozen = picture, 0, False
        elif moving:
            self._repeated += 1
            self._frozen = self._frozen or self._repeated >= self._limit
        return self._frozen
