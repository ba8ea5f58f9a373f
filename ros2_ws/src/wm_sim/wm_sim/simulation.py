"""Episodes, simulated time and results, tick by tick, without ROS; the same for every world."""

from dataclasses import dataclass

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_sim.commands import Command
from wm_sim.weather import NOON, Weather, weather_of
from wm_sim.world import CarState, Expert, StepOutcome
from wm_sim.worlds import DEFAULT_WORLD, TRAFFIC_CARS, WORLDS

EGO_ID = 1  # actor id of the first car

START_S = 34.27  # simulated time at the start: a CARLA server has run before
EPISODE_GAP_S = 1.0  # simulated time between two episodes, so that stamps show the cut


@dataclass(frozen=True)
class EpisodeResult:
    """A finished episode."""

    seed: int
    score: float  # the sum of the world's rewards
    steps: int  # control ticks driven
    off_road_share: float  # share of wheels off the road, mean over the steps
    ending: str  # as text
    infractions: tuple[str, ...] = ()  # in the order of their ticks

    def line(self, number: int) -> str:
        """One line for people; ``number`` counts from 1."""
        return (
            f"episode {number}: seed {self.seed}, score {self.score:.1f}, {self.steps} steps, "
            f"off-road share {self.off_road_share:.3f}, {self.ending}"
        )


@dataclass(frozen=True)
class Tick:
    """Everything that one tick publishes, except the picture."""

    car_id: int  # actor id
    frame: int  # ticks since the start
    stamp_ns: int  # simulated time
    state: CarState
    applied: Command  # in the interval that just ended
    expert: Command  # what the expert would command now
    outcome: StepOutcome  # of the interval that just ended
    result: EpisodeResult | None  # set in the last tick of an episode
    seed: int = 0  # of the episode
    step: int = 0  # of the episode: control ticks driven
    weather: Weather = NOON


class Simulation:
    """A world, its expert and the clock; ``world`` shows the last tick.

    Simulated time is counted as CARLA does it: in double precision, by steps that went through single precision, so
    that 0.08 s are 0.07999999821186066 s."""

    def __init__(
        self,
        fixed_delta_seconds: float,
        seed: int,
        world: str = DEFAULT_WORLD,
        traffic_cars: int = TRAFFIC_CARS,
        weather: str = "noon",
        light: float = 1.0,
    ):
        """``seed``: of the first episode; ``world``: one of WORLDS; ``traffic_cars``: number of other cars, where it
        has any; ``weather``, one of WEATHERS, and ``light`` as in ``weather_of``.

        Raises ValueError for an unsupported tick length, see ``frames_per_tick``.
        """
        self.map_name = WORLDS[world].map_name  # of /carla/world_info
        self.world = WORLDS[world].make(fixed_delta_seconds, traffic_cars)
        self._expert: Expert | None = None
        self._weathers = weather, light
        self._weather = NOON
        self._delta_s = float(np.float32(fixed_delta_seconds))
        self._next_seed = seed
        self._over = True  # no episode is running: the next tick begins one
        self.car_id = EGO_ID
        self.restart_clock()

    @property
    def episode_over(self) -> bool:
        """Whether the next tick begins an episode."""
        return self._over

    @property
    def stamp_ns(self) -> int:
        """Simulated time, as the bridge puts it into a stamp."""
        seconds = int(self._elapsed_s)
        return seconds * NS_PER_S + int((self._elapsed_s - seconds) * NS_PER_S)

    @property
    def speed(self) -> float:
        """The car's [m/s], 0 before the first episode."""
        return 0.0 if self._expert is None else self.world.state().speed

    def restart_clock(self) -> None:
        """Time and frames begin anew, as with another CARLA server."""
        self._elapsed_s = START_S
        self._gap_s = 0.0  # to the next episode
        self.frame = 0

    def new_car(self) -> None:
        """The next episode's car has another actor id."""
        self.car_id += 1

    def pass_time(self) -> None:
        """A tick of the world without a car."""
        self._elapsed_s += self._delta_s
        self._gap_s = self._delta_s
        self.frame += 1

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

    def place_car(self, x: float, y: float, yaw: float) -> bool:
        """Set the car there [m, rad], ROS axes; returns False, without effect, if no episode is running."""
        if self._over:
            return False
        self.world.place(x, y, yaw)
        self._expert.search_everywhere()
        return True

    def push_car(self, forward: float, left: float, yaw_rate: float) -> bool:
        """Give the car this velocity [m/s, rad/s] in its own axes; returns False, without effect, if no episode is
        running."""
        if self._over:
            return False
        self.world.push(forward, left, yaw_rate)
        return True

    def set_goal(self, x: float, y: float) -> None:
        """Plan another route, to this place [m]; raises ValueError, without effect, if that is not possible."""
        if self._over:
            raise ValueError("no episode is running")
        self.world.set_goal(x, y)

    def _begin(self) -> Tick:
        self._seed, self._next_seed = self._next_seed, self._next_seed + 1
        self.world.reset(self._seed)
        self._expert = self.world.expert()
        self._weather = weather_of(self._weathers[0], self._seed, self._weathers[1])
        self._score, self._steps, self._off_road, self._infractions = 0.0, 0, 0, ()
        self._over = False
        self._elapsed_s += self._gap_s
        self._gap_s = EPISODE_GAP_S
        return self._result_tick(Command(), StepOutcome(0.0, False, False, frames=0))

    def _drive(self, command: Command) -> Tick:
        command = command.at(self.world.state().speed)
        outcome = self.world.step(*command.pedals())
        self._elapsed_s += self._delta_s
        self._score += outcome.reward
        self._steps += 1
        self._infractions += outcome.infractions
        self._over = outcome.terminated or outcome.truncated
        return self._result_tick(command, outcome)

    def _result_tick(self, applied: Command, outcome: StepOutcome) -> Tick:
        state = self.world.state()
        self._off_road += state.wheels_off_road
        self.frame += 1
        result = None
        if self._over:
            share = self._off_road / (4 * self._steps)
            result = EpisodeResult(self._seed, self._score, self._steps, share, outcome.ending, self._infractions)
        return Tick(
            self.car_id,
            self.frame,
            self.stamp_ns,
            state,
            applied,
            Command(*np.float32(self._expert.act(state)).tolist()),  # as a message carries it
            outcome,
            result,
            self._seed,
            self._steps,
            self._weather,
        )
