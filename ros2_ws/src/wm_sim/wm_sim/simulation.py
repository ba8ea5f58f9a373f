"""Episodes, simulated time and results, tick by tick, without ROS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_sim.commands import Command
from wm_sim.expert import Expert
from wm_sim.ground_view import Layer
from wm_sim.world import CarRacingWorld, CarState

EPISODE_GAP_NS = 1_000_000_000  # simulated time between two episodes, so that stamps show the cut
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class EpisodeResult:
    """A finished episode."""

    seed: int
    score: float  # CarRacing's own: the sum of its rewards
    steps: int  # control ticks driven
    off_road_share: float  # share of wheels off the road, mean over the steps
    lap_finished: bool
    left_field: bool

    def line(self, number: int) -> str:
        """One line for people; ``number`` counts from 1."""
        end = "lap finished" if self.lap_finished else "left the field" if self.left_field else "time limit"
        return (f"episode {number}: seed {self.seed}, score {self.score:.1f}, {self.steps} steps, "
                f"off-road share {self.off_road_share:.3f}, {end}")


@dataclass(frozen=True)
class Tick:
    """Everything that one tick publishes, except the picture."""

    frame: int  # ticks since the start
    stamp_ns: int  # simulated time
    state: CarState
    applied: Command  # in the interval that ended now
    expert: Command  # what the expert would command now
    reward: float
    terminated: bool
    truncated: bool
    left_field: bool  # the car has just driven off the playfield
    left_road: bool  # more wheels are off the road than one tick before
    result: EpisodeResult | None  # set in the last tick of an episode


class Simulation:
    """The world, the expert and the clock.

    Parameters
    ----------
    fixed_delta_seconds: float
        Simulated time of a tick [s], see CarRacingWorld.
    seed: int
        Track of the first episode.
    """

    def __init__(self, fixed_delta_seconds: float, seed: int):
        self._world = CarRacingWorld(fixed_delta_seconds)
        self._expert = Expert(fixed_delta_seconds)
        self._period_ns = round(fixed_delta_seconds * NS_PER_S)
        self._next_seed = seed
        self._over = True  # no episode runs: the next tick begins one
        self._stamp_ns = 0
        self._frame = 0

    @property
    def episode_over(self) -> bool:
        """Whether the next tick begins an episode."""
        return self._over

    def request_reset(self, seed: int) -> int:
        """The next tick begins an episode on the track of ``seed`` (-1: the next one); returns that seed.

        Raises ValueError for a seed below -1.
        """
        if seed < -1:
            raise ValueError(f"seed must be -1 (the next one) or more, got {seed}")
        if seed >= 0:
            self._next_seed = seed
        self._over = True
        return self._next_seed

    def tick(self, command: Command) -> Tick:
        """Begin an episode (``command`` is then not used) or drive for one period with ``command``."""
        return self._begin() if self._over else self._drive(command)

    def image(self) -> np.ndarray:
        """(96, 96, 3) uint8 RGB of the last tick."""
        return self._world.image()

    def layers(self) -> list[Layer]:
        """The world of the last tick, for GroundView."""
        return self._world.layers()

    def centre_line(self) -> np.ndarray:
        """(K, 2) [m]: the road's centre line, see CarRacingWorld."""
        return self._world.centre_line()

    def place_car(self, x: float, y: float, yaw: float) -> bool:
        """Set the car there [m, rad], ROS axes; False if no episode runs, and then nothing happens."""
        if self._over:
            return False
        self._world.place(x, y, yaw)
        self._expert.search_everywhere()
        return True

    def push_car(self, forward: float, left: float, yaw_rate: float) -> bool:
        """Give the car this velocity [m/s, rad/s] in its own axes; False if no episode runs, nothing happens then."""
        if self._over:
            return False
        self._world.push(forward, left, yaw_rate)
        return True

    def _begin(self) -> Tick:
        self._seed, self._next_seed = self._next_seed, self._next_seed + 1
        self._world.reset(self._seed)
        self._expert.reset(self._world.centre_line())
        self._score, self._steps, self._off_road, self._wheels_off = 0.0, 0, 0, 0
        self._over = False
        self._stamp_ns += EPISODE_GAP_NS
        return self._result_tick(Command(), reward=0.0)

    def _drive(self, command: Command) -> Tick:
        outcome = self._world.step(*command.pedals())
        self._stamp_ns += self._period_ns
        self._score += outcome.reward
        self._steps += 1
        self._over = outcome.terminated or outcome.truncated
        return self._result_tick(
            command, outcome.reward, outcome.terminated, outcome.truncated, outcome.lap_finished)

    def _result_tick(self, applied: Command, reward: float, terminated: bool = False, truncated: bool = False,
                     lap_finished: bool = False) -> Tick:
        state = self._world.state()
        left_road = state.wheels_off_road > self._wheels_off
        self._wheels_off = state.wheels_off_road
        self._off_road += state.wheels_off_road
        self._frame += 1
        left_field = terminated and not lap_finished
        result = None
        if self._over:
            share = self._off_road / (4 * self._steps)
            result = EpisodeResult(self._seed, self._score, self._steps, share, lap_finished, left_field)
        return Tick(
            self._frame, self._stamp_ns, state, applied, Command(*self._expert.act(state)), reward, terminated,
            truncated, left_field, left_road, result)
