"""The interface of built-in worlds: episodes of a car driven by three numbers, in whole control ticks.

Units: metres, kilograms, seconds, radians. Axes: right-handed with z up, as in ROS; yaw is counter-clockwise positive.
Steer +1 is right, as in CARLA, and decreases the yaw.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np

from wm_sim.ground_view import Layer
from wm_sim.solids import Box
from wm_sim.spawn import SensorSpec
from wm_sim.ticks import PHYSICS_PERIOD_S, frames_per_tick

FOLLOW = 4  # of CARLA's RoadOption


class Marking(IntEnum):
    """Lines on the road, numbered as in CarlaLaneInvasionEvent."""

    BROKEN = 1
    SOLID = 2


@dataclass(frozen=True)
class Collision:
    """The car hit something."""

    other_id: int  # actor id, 0 for anything else
    impulse: tuple[float, float]  # [N s] on the car, map axes


@dataclass(frozen=True)
class StepOutcome:
    """The result of one control tick."""

    reward: float
    terminated: bool
    truncated: bool  # the time limit was reached
    frames: int  # physics frames advanced; fewer than a full tick only in an episode's last one
    ending: str = ""  # how the episode ended, as text; empty while it continues
    collisions: tuple[Collision, ...] = ()
    crossed: tuple[Marking, ...] = ()  # markings that the car touched in this tick
    # Begun in this tick, by the names of CARLA's leaderboard; outside_route_lanes in every tick that it lasts.
    infractions: tuple[str, ...] = ()
    route_completion: float = math.nan  # 0 to 1: share of the route driven; NaN where there is none
    time_to_collision_s: float = math.nan  # least of the tick, at unchanged velocities; infinite: none; NaN: unknown


@dataclass(frozen=True)
class CarState:
    """The car at one instant, ROS axes, metres and radians."""

    x: float  # [m] map
    y: float  # [m] map
    yaw: float  # [rad] counter-clockwise, 0 along map x, in (-pi, pi]
    velocity_x: float  # [m/s] map
    velocity_y: float  # [m/s] map
    acceleration_x: float  # [m/s^2] map, mean over the last control tick
    acceleration_y: float  # [m/s^2] map, mean over the last control tick
    yaw_rate: float  # [rad/s]
    steering_angle: float  # [rad] of the front wheels, positive to the right
    rear_wheel_rate: float  # [rad/s] mean of both driven wheels
    wheels_off_road: int  # 0 to 4

    @property
    def place(self) -> tuple[float, float, float]:
        """x, y [m] and yaw [rad]."""
        return self.x, self.y, self.yaw

    @property
    def speed(self) -> float:
        """|v| [m/s]."""
        return math.hypot(self.velocity_x, self.velocity_y)

    @property
    def forward_speed(self) -> float:
        """Signed speed along the car's heading [m/s]."""
        return self.velocity_x * math.cos(self.yaw) + self.velocity_y * math.sin(self.yaw)

    @property
    def left_speed(self) -> float:
        """Speed to the car's left [m/s]."""
        return -self.velocity_x * math.sin(self.yaw) + self.velocity_y * math.cos(self.yaw)


@dataclass(frozen=True)
class CarBody:
    """Constants of the car."""

    type: str  # like CARLA's blueprint names
    mass_kg: float
    size_m: tuple[float, float, float]  # length, width, height
    max_steering_angle: float  # [rad] of the front wheels
    wheel_radius_m: float
    wheel_positions_m: tuple[tuple[float, float], ...]  # ahead and left of the car's origin


class Expert(Protocol):
    """A script that knows the world and drives one episode."""

    def act(self, state: CarState) -> tuple[float, float, float]:
        """(steer, throttle, brake) for this state, in CARLA's ranges; call it once per tick."""

    def search_everywhere(self) -> None:
        """The car was moved externally."""


class World(ABC):
    """One car and its surroundings. Call ``reset`` first; an episode depends on its seed and commands alone."""

    car: CarBody
    camera: SensorSpec  # the built-in one, at its default size
    plans_routes = False  # whether it has a ``goal`` and takes another
    _over = True  # no episode is running

    def __init__(self, fixed_delta_seconds: float = 0.08, cars: int = 0):
        """``fixed_delta_seconds``: length of a control tick [s], see ``frames_per_tick``, which raises ValueError;
        ``cars``: number of other cars, where the world has any."""
        self.frames_per_tick = frames_per_tick(fixed_delta_seconds)
        self._period_s = self.frames_per_tick * PHYSICS_PERIOD_S
        self._cars = cars

    def reset(self, seed: int) -> None:
        """Begin the episode of ``seed`` (0 to 2**63 - 1)."""
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, got {seed}")
        self._begin(int(seed))
        self._over = False

    def step(self, steer: float, throttle: float, brake: float) -> StepOutcome:
        """Hold one command for a control tick; raises RuntimeError before ``reset`` and after the end."""
        if self._over:
            raise RuntimeError("step() needs a running episode: call reset(seed) first")
        outcome = self._advance(steer, throttle, brake)
        self._over = outcome.terminated or outcome.truncated
        return outcome

    @abstractmethod
    def _begin(self, seed: int) -> None: ...

    @abstractmethod
    def _advance(self, steer: float, throttle: float, brake: float) -> StepOutcome: ...

    @abstractmethod
    def state(self) -> CarState:
        """The car now."""

    @abstractmethod
    def image(self) -> np.ndarray:
        """The native view: (height, width, 3) uint8 RGB from above, drawn at the first call for a tick."""

    @abstractmethod
    def layers(self) -> list[Layer]:
        """The ground now, for GroundView."""

    def boxes(self) -> Sequence[Box]:
        """Objects on the ground now, without the car itself."""
        return ()

    def solids(self) -> Sequence[Box]:
        """Everything that stands on the ground now and is painted: the boxes, and what never moves."""
        return self.boxes()

    @abstractmethod
    def place(self, x: float, y: float, yaw: float) -> None:
        """Set the car there [m, rad]; its velocity on the map stays, as far as possible there."""

    @abstractmethod
    def push(self, forward: float, left: float, yaw_rate: float) -> None:
        """Give the car this velocity in its own axes [m/s] and this yaw rate [rad/s], as far as possible."""

    @abstractmethod
    def waypoints(self) -> np.ndarray:
        """(K, 2) float64 [m]: the line to follow, in driving direction."""

    def goal(self) -> tuple[float, float, float] | None:
        """x, y [m] and heading [rad] of the end of the route; None where it ``plans_routes`` not."""
        return None

    def set_goal(self, x: float, y: float) -> None:
        """Plan a route to this place [m]; ValueError, without effect, if that is not possible."""
        raise ValueError("this world plans no routes")

    def speed_limit(self) -> float:
        """[m/s] where the car is; NaN where there is none."""
        return math.nan

    def gap(self) -> float:
        """[m] from bumper to bumper to the next car ahead on the own way, 100 m at most; NaN: not known."""
        return math.nan

    def command(self) -> int:
        """What a navigator says of the next junction, as CARLA's RoadOption; FOLLOW without one."""
        return FOLLOW

    @abstractmethod
    def expert(self) -> Expert:
        """An expert for the episode that just started."""
