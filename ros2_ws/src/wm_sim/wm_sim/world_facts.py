"""What everybody may know about a built-in world without loading it: no module here needs more than Python itself."""

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wm_sim.world import World

PHYSICS_PERIOD_S = 0.02  # one physics frame
TIME_LIMIT, STOPPED = "time limit", "stopped"  # endings in every world


def frames_per_tick(fixed_delta_seconds: float) -> int:
    """Physics frames in a control tick; ValueError unless the period is 0.02, 0.04, 0.06 or 0.08 s."""
    frames = round(fixed_delta_seconds / PHYSICS_PERIOD_S) if math.isfinite(fixed_delta_seconds) else 0
    if not 1 <= frames <= 4 or abs(frames * PHYSICS_PERIOD_S - fixed_delta_seconds) > 1e-6:
        raise ValueError(
            f"fixed_delta_seconds must be 0.02, 0.04, 0.06 or 0.08 (physics runs at 50 Hz and CARLA needs less than "
            f"0.1), got {fixed_delta_seconds}"
        )
    return frames


class Step(Protocol):
    """What a step result says of one control tick."""

    reward: float
    wheels_off_road: int
    terminated: bool
    truncated: bool


class WorldFacts(ABC):
    """One world, for options, reports and figures."""

    name: str  # the value of the parameter ``world``
    map_name: str  # what /carla/world_info says; scores are kept under it
    description: str  # for help texts
    episode_s: float  # simulated time of an episode that runs to the time limit [s]
    implementation: str  # module:class of its World, imported when the world is used
    success: str = ""  # the ending that means the task was done; empty where there is none

    @property
    def simulator(self) -> str:
        """The simulator's name in reports."""
        return f"wm_sim ({self.map_name})"

    def make(self, fixed_delta_seconds: float, cars: int) -> "World":
        """The world before its first episode, with so many other cars where it has any; ValueError for a bad period."""
        module, _, name = self.implementation.partition(":")
        return getattr(importlib.import_module(module), name)(fixed_delta_seconds, cars)

    def ending(self, last: Step) -> str:
        """How an episode ended, in words, by its last step."""
        if last.terminated:
            return self.early_ending(last)
        return TIME_LIMIT if last.truncated else STOPPED

    @abstractmethod
    def early_ending(self, last: Step) -> str:
        """The ending of an episode whose last step was terminated."""

    def progress(self, steps: Sequence[Step], period_s: float) -> float | None:
        """Share of the task that was done, 0 to 1, by the episode's steps of ``period_s`` [s]; None where rewards do
        not tell it."""
        return None
