"""Episodes of a simulator that sends no step results. No ROS in here."""

from wm_bundle.lock_step import BRIDGE_WAIT_S
from wm_bundle.times import NS_PER_S

from wm_tools.drive.records import EpisodeCollector, MotionSample, StepSample

_EARLY = 0.1  # periods: CARLA's ticks are a little shorter than asked for


class StatusCollector(EpisodeCollector):
    """A step is the first vehicle_status of a control period: a server that does not wait may send several. Only
    ``max_steps`` ends the episode."""

    def __init__(self, period_s: float, max_steps: int, slow_step_s: float = BRIDGE_WAIT_S):
        super().__init__(period_s, max_steps, slow_step_s=slow_step_s)
        self._steps = 0

    def add_step(self, sample: StepSample) -> None:
        pass

    def add_motion(self, sample: MotionSample) -> None:
        """Raises ValueError if the simulator's time went back."""
        self._time_tick()
        self.ticks += 1
        if self.episode_over:
            return
        episode = self.current
        if not self._driving:
            episode.start_ns = episode.end_ns = sample.stamp_ns
            self._driving = True
            return
        periods = (sample.stamp_ns - episode.start_ns) / self._period_ns
        if periods < -1.0:
            back_s = -periods * self._period_ns / NS_PER_S
            raise ValueError(f"the simulator's time went back by {back_s:.1f} s or more")
        if periods < self._steps + 1 - _EARLY:
            return
        super().add_motion(sample)
        episode.end_ns = max(episode.end_ns, sample.stamp_ns)
        self._steps = int(periods + _EARLY)
        self._over = self._steps >= self.max_steps
