"""A driver that is held below its usual speed, so that a recording has every speed."""

import numpy as np
from wm_bundle import from_command, to_command

from wm_training.collecting.recording import STANDING_MPS, Tick

_ALONE = 0.25  # share of the segments in which the driver goes as fast as it wants
_BAND, _BAND_MPS = 0.1, 0.5  # the throttle is taken away over the last 10 % and 0.5 m/s below the limit
_BRAKE_BAND = 3.0  # bands above the limit with the hardest brake
_HARDEST = 0.5  # brake, in units of the command
HANDS_OFF_S = 0.4  # longest time with the steering held, for a driver that steers only while it drives alone
HANDS_ON_S = 0.8  # and shortest time until the next


class SpeedShares:
    """Holds the car at a share of the driver's usual speed; the share changes with every segment of a few seconds.

    The usual speed is the highest one of this episode while the driver was left alone: through the first segment, and
    one in four of the others. Never faster than the driver wants: its throttle is taken away below the limit, and its
    brake made stronger above it; its steering stays."""

    def __init__(self, period_s: float, slowest: float, segment_s: float, hands_off_s: float = np.inf):
        """``period_s`` [s] between ticks; shares are uniform from ``slowest`` to 1, segments ``segment_s`` [s] long on
        average. ``hands_off_s`` [s]: longest time without a tick of the driver alone, which then lasts HANDS_ON_S."""
        self._period_s, self._slowest, self._segment_s = period_s, slowest, segment_s
        self._longest = hands_off_s / period_s
        self._rest = round(HANDS_ON_S / period_s)
        self.begin(0)

    def begin(self, seed: int) -> None:
        """A new episode; the same seed gives the same segments."""
        self._random = np.random.default_rng([seed, 0x736C])
        self._share: float | None = None  # None: alone
        self._left = self._length()
        self._usual_mps = 0.0
        self._held, self._resting = 0, 0  # ticks

    def _length(self) -> int:
        """Ticks of a segment."""
        return max(1, round(self._segment_s * self._random.uniform(0.5, 1.5) / self._period_s))

    def change(self, tick: Tick, command: np.ndarray) -> np.ndarray | None:
        """The command (3,) instead of the driver's ``command``, None where that one stays."""
        if self._left == 0:
            alone, share = self._random.random() < _ALONE, self._random.uniform(self._slowest, 1.0)
            self._share, self._left = None if alone else float(share), self._length()
        if self._usual_mps > 0.0 or tick.speed > STANDING_MPS:  # what stands at first has no usual speed yet
            self._left -= 1
        if self._share is None:
            self._usual_mps = max(self._usual_mps, tick.speed if tick.speed > STANDING_MPS else 0.0)
            changed = None
        else:
            changed = _held(command, tick.speed, self._share * self._usual_mps)
        return self._within_hands_off(changed)

    def _within_hands_off(self, changed: np.ndarray | None) -> np.ndarray | None:
        if self._held >= self._longest:
            self._held, self._resting = 0, self._rest
        self._resting = max(self._resting - 1, 0)
        if changed is None or self._resting:
            self._held = 0
            return None
        self._held += 1
        return changed


def _held(command: np.ndarray, speed_mps: float, limit_mps: float) -> np.ndarray | None:
    """The command that keeps to a speed limit, None if ``command`` does."""
    steer, wanted = from_command(command)
    room = (limit_mps - speed_mps) / (_BAND * limit_mps + _BAND_MPS)  # in bands
    if room >= 1.0:
        return None
    allowed = max(wanted, 0.0) * room if room >= 0.0 else max(room / _BRAKE_BAND, -1.0) * _HARDEST
    return to_command(np.array([steer, allowed])) if allowed < wanted else None


class Both:
    """Two disturbances, the second one on top of the first."""

    def __init__(self, first, second):
        self.first, self.second = first, second

    def begin(self, seed: int) -> None:
        """A new episode."""
        self.first.begin(seed)
        self.second.begin(seed)

    def change(self, tick: Tick, command: np.ndarray) -> np.ndarray | None:
        """See SpeedShares."""
        one = self.first.change(tick, command)
        two = self.second.change(tick, command if one is None else one)
        return one if two is None else two
