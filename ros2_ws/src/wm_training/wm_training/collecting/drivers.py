"""Drivers for recording episodes. Plain classes: a tick in, a decision out."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from wm_bundle import from_command, to_command
from wm_bundle.random_walk import RandomWalk

from wm_training.collecting.recording import Tick

BRAKE = np.array([0.0, 0.0, 1.0], np.float32)  # [steer, throttle, brake]


@dataclass(frozen=True)
class Decision:
    """Answer to one tick. ``manual`` sends it on the manual channel with the override on; ``expert_drives``: the
    vehicle will obey the autopilot, not this command, so that its action is a label."""

    command: np.ndarray
    manual: bool = False
    expert_drives: bool = False


class Driver(Protocol):
    """Drives episodes."""

    wants_autopilot: bool

    def begin(self, seed: int) -> None:
        """A new episode; the same seed gives the same noise."""

    def drive(self, tick: Tick) -> Decision:
        """The command for the interval that begins at this tick."""


class BurstNoise:
    """Disturbances in (steer, longitudinal): quiet stretches, then a constant push for a moment.

    Bursts rather than constant noise: the car leaves the expert's line, and the recording shows the expert's recovery.
    The strength is drawn once per episode, so that some drives are quiet."""

    def __init__(self, period_s: float, every_s: float, strength: float):
        """``period_s`` [s] between ticks, ``every_s`` [s] between bursts on average, ``strength`` their deviation."""
        self.start_probability = min(1.0, period_s / every_s)
        self.longest = max(2, round(0.8 / period_s))
        self.strength = strength
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Draw the episode's noise level."""
        self.random = np.random.default_rng([seed, 0x6E6F])
        self.level = self.strength * self.random.uniform(0.0, 1.5)
        self.left = 0
        self.push = np.zeros(2)

    def next(self) -> np.ndarray | None:
        """The push (2,) for this tick, None between bursts."""
        if self.left == 0 and self.random.random() < self.start_probability:
            self.left = int(self.random.integers(2, self.longest + 1))
            self.push = self.random.normal(0.0, self.level, 2)
        if self.left == 0:
            return None
        self.left -= 1
        return self.push


class Follower:
    """Sends the command that arrives with the tick, disturbed or not: the ``expert``'s, if the simulator publishes it
    (expert_control), or the one ``planned``; the expert's action remains the label of its row."""

    wants_autopilot = False

    def __init__(self, told: Literal["expert", "planned"], noise: BurstNoise | None):
        self.told = told
        self.noise = noise

    def begin(self, seed: int) -> None:
        """See Driver."""
        if self.noise:
            self.noise.begin(seed)

    def drive(self, tick: Tick) -> Decision:
        """The command plus the push of the moment."""
        push = self.noise.next() if self.noise else None
        command = getattr(tick, self.told)
        return Decision(command if push is None else to_command(from_command(command) + push))


class AutopilotWithBursts:
    """CARLA's autopilot drives; bursts take over through the manual override channel.

    Around a hand-over the driver is uncertain, so only ticks well inside a quiet stretch count as the expert's.
    """

    wants_autopilot = True

    def __init__(self, noise: BurstNoise | None):
        self.noise = noise
        self.quiet = 0

    def begin(self, seed: int) -> None:
        """See Driver."""
        self.quiet = 0
        if self.noise:
            self.noise.begin(seed)

    def drive(self, tick: Tick) -> Decision:
        """A copy of the applied command (it only answers the tick), or the disturbed command during a burst."""
        push = self.noise.next() if self.noise else None
        if push is not None:
            self.quiet = 0
            return Decision(to_command(from_command(tick.control) + push), manual=True)
        self.quiet += 1
        return Decision(tick.control, expert_drives=self.quiet > 2)


class RandomDriver:
    """Smooth random commands, with some throttle on average."""

    wants_autopilot = False

    def __init__(self, period_s: float, correlation_s: float = 0.6, strength: float = 0.5):
        """``correlation_s`` [s] is how long a command lasts, ``strength`` its standard deviation."""
        keep = float(np.exp(-period_s / correlation_s))
        self._walk = RandomWalk(keep, strength * float(np.sqrt(1.0 - keep**2)))

    def begin(self, seed: int) -> None:
        """See Driver."""
        self._walk.begin([seed, 0x7264])

    def drive(self, tick: Tick) -> Decision:
        """The next sample of the walk."""
        return Decision(to_command(self._walk.next()))
