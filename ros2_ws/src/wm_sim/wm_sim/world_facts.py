"""Facts about a built-in world, available without loading it: modules here need only Python itself."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wm_sim.world import World

TIME_LIMIT, STOPPED = "time limit", "stopped"  # endings in every world


class Step(Protocol):
    """A step result's view of one control tick."""

    reward: float
    wheels_off_road: int
    terminated: bool
    truncated: bool


class WorldFacts(ABC):
    """One world, for options, reports and figures."""

    name: str  # the value of the parameter ``world``
    map_name: str  # as in /carla/world_info; scores are stored under it
    description: str  # for help texts
    episode_s: float  # simulated time of an episode that runs to the time limit [s]
    implementation: str  # module:class of its World, imported when the world is used
    success: str = ""  # the ending that means success; empty where there is none
    wheelbase_m: float = 2.9  # of the driven car
    full_steer_rad: float = 0.5  # angle of its front wheels that steer 1 asks for
    top_speed_mps: float = 60.0  # no command has to ask for more
    full_pedals_mps2: tuple[float, float] | None = None  # about what full throttle and brake give; None: as `convert`
    reach_s: float | None = None  # its speed controller reaches a speed within this time; None: as `convert`

    @property
    def vehicle(self) -> dict[str, float]:
        """The car, in the parameters of a node that commands it otherwise than by pedals."""
        from wm_bundle.vehicle_commands.definition import BRAKE_MPS2, REACH_S, THROTTLE_MPS2

        throttle_mps2, brake_mps2 = self.full_pedals_mps2 or (THROTTLE_MPS2, BRAKE_MPS2)
        return {
            "wheelbase": self.wheelbase_m,
            "max_steering_angle": self.full_steer_rad,
            "max_speed": self.top_speed_mps,
            "full_throttle": throttle_mps2,
            "full_brake": brake_mps2,
            "max_acceleration": throttle_mps2,
            "max_deceleration": brake_mps2,
            "speed_reach_s": self.reach_s or REACH_S,
        }

    @property
    def simulator(self) -> str:
        """The simulator's name in reports."""
        return f"wm_sim ({self.map_name})"

    def make(self, fixed_delta_seconds: float, cars: int) -> "World":
        """The world before its first episode, with this many other cars where it has any; ValueError for a bad
        period."""
        module, _, name = self.implementation.partition(":")
        return getattr(importlib.import_module(module), name)(fixed_delta_seconds, cars)

    def ending(self, last: Step) -> str:
        """How an episode ended, as text, by its last step."""
        if last.terminated:
            return self.early_ending(last)
        return TIME_LIMIT if last.truncated else STOPPED

    @abstractmethod
    def early_ending(self, last: Step) -> str:
        """The ending of an episode whose last step was terminated."""

    def progress(self, steps: Sequence[Step], period_s: float) -> float | None:
        """Share of the task done, 0 to 1, by the episode's steps of ``period_s`` [s]; None where rewards do not show
        it."""
        return None
