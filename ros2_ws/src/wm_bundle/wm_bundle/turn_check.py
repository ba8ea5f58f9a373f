"""Compares a vehicle's yaw rate with its steering: a wrong sign or unit of either shows within some turns.

Steer +1 is right, and a yaw rate is positive to the left (REP-103), so a vehicle that drives forwards turns with the
sign of -steer. Sources of another convention exist, and nothing but the turns tells: CARLA's own IMU is left-handed in
some versions, and others report degrees per second.
"""

import math
from collections import Counter, deque
from enum import Enum

from wm_bundle.times import NS_PER_S

_JUDGED = 12  # turns
_AGREED = 10  # so many of them must say the same
_TURN_RAD, _LEAST_RAD = 0.5, 0.25  # less is no turn: of the yaw, and of what the steering must cause
_ENDS_AT = 0.3  # of a turn's largest yaw rate
_SMOOTHED_S = 0.5
_LONGEST_TURN_S = 10.0  # a slower one is none: a drift, or a sensor's bias
_LONGEST_S = 1.0  # a longer step is a gap
_SLOWEST_MPS = 2.0
_SPIN_RAD, _SPIN_RAD_S = 2.0 * math.pi, 2.5  # a vehicle that spins turns without its steering
# Turn of a vehicle per metre at full steer [rad/m]. Cars have 0.1 to 0.5, models of cars up to 2.5.
_LARGEST_CURVATURE = 3.0
# What any vehicle turns at least: by its steering when slow, by its grip when fast.
_LEAST_CURVATURE, _LEAST_GRIP = 0.1, 3.0  # [rad/m], [m/s^2]
_TOO_LITTLE = 1.0 / 6.0  # of that


class Turn(Enum):
    """What a turn says of the yaw rate."""

    AS_STEERED = "as steered"
    AGAINST = "against the steering"
    TOO_LARGE = "far too fast for the steering"
    TOO_SMALL = "far too slow for the steering"


_FACTORS = {Turn.AGAINST: -1.0, Turn.TOO_LARGE: math.radians(1.0), Turn.TOO_SMALL: math.degrees(1.0)}


class _Swing:
    """A rate that swings to one side and back, and its sum."""

    def __init__(self):
        self._smoothed = 0.0
        self.begin()

    def begin(self) -> None:
        self.sum = self._peak = 0.0

    def add(self, seconds: float, rate: float) -> None:
        self.sum += seconds * rate
        self._smoothed += (rate - self._smoothed) * (1.0 - math.exp(-seconds / _SMOOTHED_S))
        self._peak = max(self._peak, abs(self._smoothed))

    @property
    def goes_on(self) -> bool:
        return self._smoothed * math.copysign(1.0, self.sum) > _ENDS_AT * self._peak


class TurnCheck:
    """Judges the last turns of one vehicle. Sliding, noise, delays of some periods, standing and straight roads make
    single turns wrong or none, and no verdict. Without a speed only the sign is judged."""

    def __init__(self):
        self._turns: deque[Turn] = deque(maxlen=_JUDGED)
        self._fault: Turn | None = None
        self._turn, self._least = _Swing(), _Swing()
        self._last_ns = 0
        self._begin()

    def _begin(self) -> None:
        self._turn.begin()
        self._least.begin()
        self._steered = self._seconds = 0.0

    def add(self, stamp_ns: int, steer: float, speed: float | None, yaw_rate: float) -> None:
        """Add the next moment [ns]: the ``steer`` that was applied until then, the speed [m/s], negative backwards,
        None where unknown, and the yaw rate [rad/s]."""
        seconds, self._last_ns = (stamp_ns - self._last_ns) / NS_PER_S, stamp_ns
        finite = math.isfinite(steer) and math.isfinite(yaw_rate)
        if not (finite and 0.0 < seconds <= _LONGEST_S) or not (speed is None or _SLOWEST_MPS <= speed < math.inf):
            self._begin()
            return
        least = 0.0 if speed is None else min(_LEAST_CURVATURE * speed * abs(steer), _LEAST_GRIP / speed)
        self._turn.add(seconds, yaw_rate)
        self._least.add(seconds, math.copysign(least, -steer))
        self._steered -= seconds * steer * (1.0 if speed is None else speed)
        self._seconds += seconds
        if (self._turn.goes_on or self._least.goes_on) and self._seconds < _LONGEST_TURN_S:
            return
        self._turns.extend(self._judged(speed is not None))
        self._begin()

    def _judged(self, speed_known: bool) -> list[Turn]:
        """What the turn that is over says; nothing if it was a small one or a spin."""
        turned, least = abs(self._turn.sum), abs(self._least.sum)
        if least >= _LEAST_RAD and turned < _TOO_LITTLE * least:
            return [Turn.TOO_SMALL]
        if turned < _TURN_RAD:
            return []
        if speed_known and turned > _LARGEST_CURVATURE * abs(self._steered):
            return [Turn.TOO_LARGE]
        if turned > min(_SPIN_RAD, _SPIN_RAD_S * self._seconds):
            return []
        return [Turn.AS_STEERED if self._turn.sum * self._steered > 0.0 else Turn.AGAINST]

    @property
    def fault(self) -> Turn | None:
        """What nearly all of the last turns say, if it is not that all is well. A fault stays until half of them are as
        steered."""
        if 2 * self._turns.count(Turn.AS_STEERED) >= _JUDGED:
            self._fault = None
        for turn in (Turn.AGAINST, Turn.TOO_LARGE, Turn.TOO_SMALL):
            if self._turns.count(turn) >= _AGREED:
                self._fault = turn
        return self._fault

    @property
    def fault_told(self) -> str:
        """The fault and what to do, empty without one."""
        if self.fault is None:
            return ""
        wrong = "sign of the yaw rate or of the steer" if self.fault is Turn.AGAINST else "unit of the yaw rate"
        return (
            f"the vehicle turns {self.fault.value} ({self.told}): the {wrong} must be wrong. If it is the yaw rate, "
            f"multiply yaw_rate_factor by {_FACTORS[self.fault]:.6g}"
        )

    @property
    def told(self) -> str:
        """The last turns in words."""
        counts = Counter(turn.value for turn in self._turns)
        return ", ".join(f"{count} {what}" for what, count in counts.most_common()) or "no turn yet"
