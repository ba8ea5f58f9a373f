"""Plain records of a drive, and the collector that turns a stream of messages into episodes. No ROS in here.

Time: a StepResult, and the control inside vehicle_status, both stamped t+1, describe the interval t → t+1. So
the step stamped t+1 carries the reward of the action that followed the camera frame stamped t. The frame of
an episode's last stamp has no action, and is skipped.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from wm_bundle.lock_step import BRIDGE_WAIT_S
from wm_bundle.times import NS_PER_S
from wm_sim.world_facts import WorldFacts

COLLISION, LANE_INVASION = "collision", "lane_invasion"  # topics of events
SAME_COLLISION_NS = 5 * NS_PER_S  # the same actor again within this is no further one, as in CARLA's leaderboard
OFF_TRACK_WHEELS = 2  # a step with this many wheels off the road, or more, is off the track
EPISODE_GAP_NS = 500_000_000  # of simulated time; a longer one between two stamps starts an episode


@dataclass(frozen=True)
class StepSample:
    """One control step that ended at ``stamp_ns`` [ns of simulated time].

    ``command_latency_ms`` [ms of wall time] runs from the time the step's image was due to the arrival of its command,
    NaN if none came in the interval.
    """

    stamp_ns: int
    reward: float
    wheels_off_road: int
    command_latency_ms: float
    terminated: bool = False
    truncated: bool = False
    infractions: tuple[str, ...] = ()  # these three as in wm_evaluation.metrics.driving_score.ScoredStep
    route_completion: float = math.nan
    time_to_collision_s: float = math.nan


@dataclass(frozen=True)
class MotionSample:
    """The car at ``stamp_ns``: ``speed`` [m/s], and the command that was applied in the previous interval.
    ``acceleration`` [m/s²] along the map's x and y, and ``yaw`` [rad] counterclockwise from its x."""

    stamp_ns: int
    speed: float
    steer: float
    throttle: float
    brake: float
    acceleration: tuple[float, float] = (math.nan, math.nan)
    yaw: float = math.nan


@dataclass(frozen=True)
class PlannerSample:
    """What the planner reported about the frame stamped ``stamp_ns``.

    ``latency_ms`` runs from the image's receipt to the command; ``braking``: for safety, because of ``reason``, instead
    of following a plan; ``degraded``: following a more careful plan; ``asked``: plans that the parameters ask for.
    """

    stamp_ns: int
    latency_ms: float
    braking: bool
    reason: str
    candidates: int
    horizon: int
    iterations: int
    surprise: float
    degraded: bool = False
    asked: int = 0


@dataclass(frozen=True)
class ImaginedSample:
    """The best future imagined at ``stamp_ns``: ``future`` uint8 RGB (H, h, w, 3), one frame each ``period_s`` [s].
    ``returns`` (N,) are the scores of all candidates, ``steering`` (N, H) their steering."""

    stamp_ns: int
    period_s: float
    future: np.ndarray
    returns: np.ndarray
    steering: np.ndarray
    best: int


@dataclass(frozen=True)
class Frame:
    """A camera frame as the ``camera`` sent it and as the ``model`` sees it, both uint8 RGB (h, w, 3)."""

    camera: np.ndarray
    model: np.ndarray


@dataclass
class Episode:
    """One episode of one controller, on the track of ``seed``, None if unknown. ``start_ns`` stamps its first frame,
    ``end_ns`` its last step; lists are in the order of their stamps. ``slow_steps`` took longer than a simulator in
    lock-step waits for a command."""

    seed: int | None
    start_ns: int = 0
    end_ns: int = 0
    steps: list[StepSample] = field(default_factory=list)
    motions: list[MotionSample] = field(default_factory=list)
    planner: list[PlannerSample] = field(default_factory=list)
    imagined: list[ImaginedSample] = field(default_factory=list)
    frames: dict[int, Frame] = field(default_factory=dict)  # by stamp [ns]
    positions: dict[int, tuple[float, float]] = field(default_factory=dict)  # x, y in the map [m] by stamp [ns]
    collisions: list[int] = field(default_factory=list)  # stamps [ns]
    lane_invasions: list[int] = field(default_factory=list)  # stamps [ns]
    slow_steps: int = 0
    tells: frozenset[str] = frozenset()  # COLLISION, LANE_INVASION: whether none of these means that there was none

    @property
    def score(self) -> float:
        return float(sum(step.reward for step in self.steps))

    @property
    def terminated(self) -> bool:
        """Whether the task itself ended the episode; False for a time limit."""
        return any(step.terminated for step in self.steps)

    def ending(self, world: WorldFacts) -> str:
        """How it ended, in the words of this world of the built-in simulator."""
        return world.ending(self.steps[-1]) if self.steps else "no step"

    @property
    def off_track_fraction(self) -> float:
        """Share of the steps with two or more wheels off the road."""
        off = sum(step.wheels_off_road >= OFF_TRACK_WHEELS for step in self.steps)
        return off / len(self.steps) if self.steps else 0.0


def begins_episode(stamp_ns: int, last_ns: int | None) -> bool:
    """Whether an episode began between two stamps: the simulator leaves 1 s of simulated time there, much more than a
    control period."""
    return last_ns is None or stamp_ns - last_ns >= EPISODE_GAP_NS


class EpisodeCollector:
    """Sorts a stream of samples into episodes, by their stamps: topics may overtake each other.

    ``begin`` names the track of the next episode; ``add_…`` take samples. The simulator stamps an episode's first tick,
    at which nothing has been driven yet, after a gap. An episode is over when a step says so or after ``max_steps``.
    Steps between that and the next first tick are skipped.
    """

    def __init__(
        self,
        period_s: float,
        max_steps: int | None = None,
        joins: bool = False,
        clock: Callable[[], float] = time.monotonic,
        slow_step_s: float = BRIDGE_WAIT_S,
    ):
        """``period_s`` [s] is the control period. ``joins``: the simulator may already be driving an episode, whose
        rest is skipped. A step that takes more than ``slow_step_s`` of the ``clock``'s wall time [s] is slow."""
        self.max_steps = max_steps
        self.episodes: list[Episode] = []
        self.ticks = 0  # all steps and first ticks received: shows that the simulator is alive
        self._period_ns = period_s * NS_PER_S
        self._joins = joins
        self._driving = False
        self._last_ns: int | None = None
        self._motions: dict[int, MotionSample] = {}
        self._planner: dict[int, PlannerSample] = {}
        self._imagined: dict[int, ImaginedSample] = {}
        self._frames: dict[int, Frame] = {}
        self._positions: dict[int, tuple[float, float]] = {}
        self.told: set[str] = set()  # see Episode.tells
        self._collisions: list[int] = []
        self._hit_ns: dict[int, int] = {}  # last event by actor
        self._lane_invasions: list[int] = []
        self._slow_step_s, self._clock, self._ticked_s = slow_step_s, clock, clock()
        self._over = True

    def begin(self, seed: int | None) -> None:
        """The next first tick belongs to the track of ``seed``. Call it before the simulator can send it."""
        self.episodes.append(Episode(seed))
        self._over = self._driving = False

    @property
    def episode_over(self) -> bool:
        """True until ``begin``, and again once the episode's last step has come."""
        return self._over

    @property
    def current(self) -> Episode:
        return self.episodes[-1]

    def add_step(self, sample: StepSample) -> None:
        """Add a step; the last one ends the current episode. Raises ValueError if an earlier one is missing or its
        reward is not finite: the score would be wrong."""
        self._time_tick()
        if not math.isfinite(sample.reward):
            raise ValueError(f"the step's reward is {sample.reward}, expected a finite number")
        last_ns, self._last_ns = self._last_ns, sample.stamp_ns
        self.ticks += 1
        if self._over:
            return
        if last_ns is None and self._joins and sample.reward != 0.0:
            return
        if begins_episode(sample.stamp_ns, last_ns):
            if self._driving:
                raise ValueError(
                    f"the simulator left track {self.current.seed} at step {len(self.current.steps)} before its end"
                )
            if sample.reward != 0.0:
                raise ValueError(
                    f"the first tick of track {self.current.seed} carries the reward {sample.reward}, "
                    f"expected 0: the ticks before it were lost"
                )
            self.current.start_ns = sample.stamp_ns
            self._driving = True
        elif self._driving:
            self._take(sample, last_ns)

    def _time_tick(self) -> None:
        last_s, self._ticked_s = self._ticked_s, self._clock()
        if self._driving and not self.episode_over and self._ticked_s - last_s > self._slow_step_s:
            self.current.slow_steps += 1

    def _take(self, sample: StepSample, last_ns: int) -> None:
        if abs(sample.stamp_ns - last_ns - self._period_ns) > 0.5 * self._period_ns:
            raise ValueError(
                f"steps were lost: {(sample.stamp_ns - last_ns) / 1e6:.0f} ms between two of them, "
                f"expected {self._period_ns / 1e6:.0f} ms; is this machine overloaded?"
            )
        steps = self.current.steps
        steps.append(sample)
        self.current.end_ns = sample.stamp_ns
        self._over = sample.terminated or sample.truncated or len(steps) == self.max_steps

    def add_motion(self, sample: MotionSample) -> None:
        self._motions[sample.stamp_ns] = sample

    def add_planner(self, sample: PlannerSample) -> None:
        self._planner[sample.stamp_ns] = sample

    def add_imagined(self, sample: ImaginedSample) -> None:
        self._imagined[sample.stamp_ns] = sample

    def add_frame(self, stamp_ns: int, frame: Frame) -> None:
        self._frames[stamp_ns] = frame

    def add_position(self, stamp_ns: int, x: float, y: float) -> None:
        self._positions[stamp_ns] = (x, y)

    def add_collision(self, stamp_ns: int, other_id: int = 0) -> None:
        """A touch of this actor; one that lasts is a single collision, though CARLA sends it every tick."""
        last_ns, self._hit_ns[other_id] = self._hit_ns.get(other_id), stamp_ns
        self.told.add(COLLISION)
        if last_ns is None or not 0 <= stamp_ns - last_ns < SAME_COLLISION_NS:
            self._collisions.append(stamp_ns)

    def add_lane_invasion(self, stamp_ns: int) -> None:
        self.told.add(LANE_INVASION)
        self._lane_invasions.append(stamp_ns)

    def close(self) -> list[Episode]:
        """Assign every sample to its episode and return the episodes."""
        for episode in self.episodes:
            episode.tells = frozenset(self.told)
            start, end = episode.start_ns, episode.end_ns
            if end <= start:
                continue
            episode.motions = [s for t, s in sorted(self._motions.items()) if start < t <= end]
            episode.planner = [s for t, s in sorted(self._planner.items()) if start <= t < end]
            episode.imagined = [s for t, s in sorted(self._imagined.items()) if start <= t < end]
            episode.frames = {t: f for t, f in sorted(self._frames.items()) if start <= t < end}
            episode.positions = {t: place for t, place in sorted(self._positions.items()) if start <= t <= end}
            # An event may carry the stamp of an earlier tick: CARLA's bridge does not wait for these sensors.
            episode.collisions = [t for t in self._collisions if start < t <= end]
            episode.lane_invasions = [t for t in self._lane_invasions if start < t <= end]
        return self.episodes
