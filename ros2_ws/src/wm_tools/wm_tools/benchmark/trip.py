"""What is recorded of one episode beyond drive's records: positions, collisions, lane invasions. No ROS in here."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from wm_bundle.lock_step import BRIDGE_WAIT_S

from wm_tools.drive.records import Episode, EpisodeCollector, MotionSample, StepSample


@dataclass
class Trip(Episode):
    """An episode with the vehicle's ``positions`` (x, y) [m] in the map by stamp [ns], and the stamps of events.
    ``slow_steps`` took longer than a simulator in lock-step waits for a command."""

    positions: dict[int, tuple[float, float]] = field(default_factory=dict)
    collisions: list[int] = field(default_factory=list)
    lane_invasions: list[int] = field(default_factory=list)
    slow_steps: int = 0


class TripCollector(EpisodeCollector):
    """Collects the one trip of a trial."""

    def __init__(
        self,
        period_s: float,
        max_steps: int | None = None,
        joins: bool = False,
        clock: Callable[[], float] = time.monotonic,
        slow_step_s: float = BRIDGE_WAIT_S,
    ):
        """As EpisodeCollector's; ``clock`` gives wall time [s], a step that takes more than ``slow_step_s`` of it is
        counted as slow."""
        super().__init__(period_s, max_steps, joins)
        self._slow_step_s = slow_step_s
        self._clock = clock
        self._ticked_s = clock()
        self._positions: dict[int, tuple[float, float]] = {}
        self._collisions: list[int] = []
        self._lane_invasions: list[int] = []

    def _new_episode(self, seed: int | None) -> Trip:
        return Trip(seed)

    def add_step(self, sample: StepSample) -> None:
        self._time_tick()
        super().add_step(sample)

    def _time_tick(self) -> None:
        last_s, self._ticked_s = self._ticked_s, self._clock()
        if self._driving and not self.episode_over and self._ticked_s - last_s > self._slow_step_s:
            self.current.slow_steps += 1

    def add_position(self, stamp_ns: int, x: float, y: float) -> None:
        self._positions[stamp_ns] = (x, y)

    def add_collision(self, stamp_ns: int) -> None:
        self._collisions.append(stamp_ns)

    def add_lane_invasion(self, stamp_ns: int) -> None:
        self._lane_invasions.append(stamp_ns)

    def close(self) -> list[Trip]:
        trips = super().close()
        for trip in trips:
            start, end = trip.start_ns, trip.end_ns
            trip.positions = {t: place for t, place in sorted(self._positions.items()) if start <= t <= end}
            # An event may carry the stamp of an earlier tick: CARLA's bridge does not wait for these sensors.
            trip.collisions = [t for t in self._collisions if start < t <= end]
            trip.lane_invasions = [t for t in self._lane_invasions if start < t <= end]
        return trips


class StatusTripCollector(TripCollector):
    """For a simulator without step results: a vehicle_status is a step, and only ``max_steps`` ends a trip."""

    def __init__(self, period_s: float, max_steps: int, slow_step_s: float = BRIDGE_WAIT_S):
        super().__init__(period_s, max_steps, slow_step_s=slow_step_s)
        self._steps = 0

    def add_step(self, sample: StepSample) -> None:
        pass

    def add_motion(self, sample: MotionSample) -> None:
        super().add_motion(sample)
        self._time_tick()
        self.ticks += 1
        if self.episode_over:
            return
        trip = self.current
        if not self._driving:
            trip.start_ns = trip.end_ns = sample.stamp_ns
            self._driving = True
            return
        trip.end_ns = max(trip.end_ns, sample.stamp_ns)
        self._steps += 1
        self._over = self._steps == self.max_steps
