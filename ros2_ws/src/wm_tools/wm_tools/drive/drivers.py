"""Drivers that answer the camera instead of a planner: one command for every frame, in lock-step. No ROS in here."""

from typing import Protocol

from wm_bundle.actions import to_command
from wm_bundle.random_walk import RandomWalk


class Driver(Protocol):
    """Returns the command that answers a camera frame."""

    def begin(self, seed: int) -> None:
        """A new episode, on the track of ``seed``, begins."""

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        """(steer, throttle, brake); ``expert`` is what the scripted expert would do, None before its first message."""


class EchoDriver:
    """Returns the expert's command, a brake before its first: the simulator waits for one, and ignores it."""

    def begin(self, seed: int) -> None:
        pass

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        return expert if expert is not None else (0.0, 0.0, 1.0)


class RandomDriver:
    """Smooth random actions, a function of the episode's seed alone."""

    def __init__(self):
        self._walk = RandomWalk(keep=0.9, spread=0.3, limit=1.0)

    def begin(self, seed: int) -> None:
        self._walk.begin(seed)

    def command(self, expert: tuple[float, float, float] | None) -> tuple[float, float, float]:
        return tuple(to_command(self._walk.next()).tolist())
