"""The planner's modes, and the two faults that are judged over several images: surprise and lateness."""

from dataclasses import dataclass
from enum import IntEnum


class Mode(IntEnum):
    """What the planner does with the vehicle; the numbers of wm_msgs/PlannerStatus."""

    INACTIVE = 0
    DRIVING = 1
    BRAKING = 2
    DEGRADED = 3
    """Drives, but slower and with wider margins."""


@dataclass(frozen=True)
class Judgement:
    """A mode, and why it is not DRIVING; the reason is empty where it is."""

    mode: Mode
    reason: str = ""


class SurpriseMonitor:
    """DEGRADED, then BRAKING, while the model is surprised by what it sees.

    A count decides while driving: a surprise above the threshold adds one to it, any other takes one away, down to
    zero. At ``surprise_frames`` the mode becomes DEGRADED, ``degraded_frames`` later BRAKING; DEGRADED ends at zero.
    So a single expected picture among surprising ones neither hides a fault nor lets the mode flap.

    BRAKING ends after ``recovery_frames`` calm observations in a row. Calm is stricter than not surprising: a belief
    that began on a wrong picture, or has grown used to one, is seldom above the threshold, but never as sure of what
    comes next as in the world it was trained for. docs/safety.md has the figures between which ``calm_share`` lies.
    """

    def __init__(
        self, threshold: float, surprise_frames: int, degraded_frames: int, recovery_frames: int, calm_share: float
    ):
        """``threshold`` [nats] is the bundle's, ``calm_share`` the part of it below which an observation is calm."""
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
        """Take in one observation's surprise [nats]; not a belief's first one, which had nothing to expect."""
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
    """BRAKING when several plans in a row came too late, until several are in time again."""

    def __init__(self, deadline_frames: int, recovery_frames: int):
        """``deadline_frames`` plans too late in a row are a fault, 0 for never; ``recovery_frames`` in time end it."""
        self._limit = deadline_frames
        self._recovery = recovery_frames
        self._late = 0
        self._in_time = 0
        self._faulty = False

    def take(self, late: bool) -> None:
        """Take in whether one plan was late."""
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
