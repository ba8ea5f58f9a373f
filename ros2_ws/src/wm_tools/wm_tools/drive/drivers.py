"""Drivers that answer the camera instead of a planner: one command for every frame, in lock-step. No ROS in here."""

from typing import Protocol

from wm_bundle.actions import to_command
from wm_bundle.random_walk import RandomWalk


class Driver(Protocol):
    """Returns the command that answers a camera frame; ``needs_expert``: only once the frame's own ``expert`` is
    known."""

    needs_expert: bool

    def begin(self, seed: int) -> None:
        """A new episode, on the track of ``seed``, begins."""

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        """(steer, throttle, brake); ``expert`` is what the scripted expert would do, None if it is not needed."""


class EchoDriver:
    """Returns the expert's command: the simulator waits for one, and applies it."""

    needs_expert = True

    def begin(self, seed: int) -> None:
        pass

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        return expert


class RandomDriver:
    """Smooth random actions, a function of the episode's seed alone."""

    needs_expert = False

    def __init__(self):
        self._walk = RandomWalk(keep=0.9, spread=0.3, limit=1.0)

    def begin(self, seed: int) -> None:
        self._walk.begin(seed)

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        return tuple(to_command(self._walk.next()).tolist())
