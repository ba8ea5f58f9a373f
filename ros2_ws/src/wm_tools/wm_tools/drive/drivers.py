"""Who answers the camera when no planner does: one command for every frame, in waiting mode. No ROS in
here."""

from typing import Protocol

import numpy as np
from wm_bundle.actions import to_command


class Driver(Protocol):
    """Gives the one command that answers a camera frame."""

    def begin(self, seed: int) -> None:
        """A new episode, on the track of ``seed``, begins."""

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        """(steer, throttle, brake); ``expert`` is what the scripted expert would do, None before its first
        word."""


class EchoDriver:
    """Acknowledges what the simulator's autopilot does: the simulator waits for a command, and ignores what
    it says."""

    def begin(self, seed: int) -> None:
        """Nothing to remember."""

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        """The expert's own command, the brake before its first."""
        return expert if expert is not None else (0.0, 0.0, 1.0)


class RandomDriver:
    """Smooth random actions, a function of the episode's seed alone.

    Steering and longitudinal follow a mean-reverting walk in [-1, 1]; the latter leans towards the throttle,
    else the car would hardly leave the start.
    """

    MEMORY = 0.9  # share of the last value that stays
    SPREAD = 0.3  # standard deviation of what each step adds
    LEAN = (0.0, 0.2)  # mean of (steer, longitudinal)

    def __init__(self):
        self._rng = np.random.default_rng(0)
        self._search = np.zeros(2)

    def begin(self, seed: int) -> None:
        """Restart the walk for this seed."""
        self._rng = np.random.default_rng(seed)
        self._search = np.array(self.LEAN)

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        """The walk's next action."""
        noise = self._rng.normal(0.0, self.SPREAD, 2)
        walk = self.MEMORY * self._search + (1.0 - self.MEMORY) * np.array(self.LEAN) + noise
        self._search = np.clip(walk, -1.0, 1.0)
        steer, throttle, brake = to_command(self._search)
        return float(steer), float(throttle), float(brake)
