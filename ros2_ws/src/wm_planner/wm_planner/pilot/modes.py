"""The planner's modes, and the two faults evaluated over several images: surprise and lateness."""

from dataclasses import dataclass
from enum import IntEnum


class Mode(IntEnum):
    """How the planner drives the vehicle; the values of wm_msgs/PlannerStatus."""

    INACTIVE = 0
    DRIVING = 1
    BRAKING = 2
    DEGRADED = 3
    """Drives, but slower and with wider margins."""
    ARRIVED = 4
    """Stands at the end of its route."""


@dataclass(frozen=True)
class Judgement:
    """A mode, and why it is not DRIVING (else empty)."""

    mode: Mode
    reason: str = ""


class SurpriseMonitor:
    """DEGRADED, then BRAKING, while the model is surprised by what it sees.

    While driving, a counter goes up by one for a surprise above the threshold, and down by one, to zero, for any other.
    At ``surprise_frames`` the mode becomes DEGRADED, ``degraded_frames`` later BRAKING; DEGRADED ends at zero. So a
    single expected picture among surprising ones neither hides a fault nor makes the mode flap.

    BRAKING ends after ``recovery_frames`` consecutive calm observations. Calm is stricter than not surprising: a belief
    that started from a wrong picture, or adapted to one, is seldom above the threshold, but never predicts as well as
    in the world it was trained for. docs/safety.md has the figures between which ``calm_share`` lies."""

    def __init__(
        self, threshold: float, surprise_frames: int, degraded_frames: int, recovery_frames: int, calm_share: float
    ):
        """``threshold`` [nats] is the bundle's, ``calm_share`` its fraction below which an observation is calm."""
        self.threshold = threshold
        self._calm_below = calm_share * threshold
        self._degraded_at = surprise_frames
        self._braking_at = surprise_frames + degraded_frames
        self._recovery = recovery_frames
        self._count = 0
        self._calm = 0
        self._mode = Mode.DRIVING
        self._surprise = 0.0

    def take(self, surprise: float) -> None:
        """Add one observation's surprise [nats]; not a belief's first one, which had no expectation."""
        surprising = surprise > self.threshold
        if surprising:
            self._surprise = surprise  # for the reason
        if self._mode is Mode.BRAKING:
            self._calm = self._calm + 1 if surprise < self._calm_below else 0
            if self._calm >= self._recovery:
                self._mode, self._count = Mode.DRIVING, 0
            return
        self._count = self._count + 1 if surprising else max(self._count - 1, 0)
        if self._count >= self._braking_at:
            self._mode, self._calm = Mode.BRAKING, 0
        elif self._count >= self._degraded_at:
            self._mode = Mode.DEGRADED
        elif self._count == 0:
            self._mode = Mode.DRIVING

    @property
    def judgement(self) -> Judgement:
        """The mode after the observations so far."""
        if self._mode is Mode.DRIVING:
            return Judgement(Mode.DRIVING)
        reason = (
            f"surprise was {self._surprise:.1f} nats, the bundle's limit is {self.threshold:.1f}: "
            f"the model does not know what it sees"
        )
        if self._mode is Mode.BRAKING:
            reason += f"; {self._calm} of {self._recovery} images in a row below {self._calm_below:.1f} since"
        return Judgement(self._mode, reason)


class LatenessMonitor:
    """BRAKING when several consecutive plans were late, until several are on time again."""

    def __init__(self, deadline_frames: int, recovery_frames: int):
        """``deadline_frames`` consecutive late plans are a fault, 0: never; ``recovery_frames`` on time end it."""
        self._limit = deadline_frames
        self._recovery = recovery_frames
        self._late = 0
        self._in_time = 0
        self._faulty = False

    def take(self, late: bool) -> None:
        """Add whether one plan was late."""
        self._late = self._late + 1 if late else 0
        self._in_time = 0 if late else self._in_time + 1
        if self._limit and self._late >= self._limit:
            self._faulty = True
        elif self._in_time >= self._recovery:
            self._faulty = False

    @property
    def judgement(self) -> Judgement:
        """The mode after the plans so far."""
        if not self._faulty:
            return Judgement(Mode.DRIVING)
        if self._late:
            return Judgement(Mode.BRAKING, f"{self._late} plans in a row came after the deadline")
        return Judgement(
            Mode.BRAKING,
            f"plans came after the deadline; {self._in_time} in a row are in time again, {self._recovery} are needed",
        )
