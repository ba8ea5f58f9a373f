"""Episodes of a simulator that sends no step results. No ROS in here."""

from wm_bundle.lock_step import BRIDGE_WAIT_S

from wm_tools.drive.records import EpisodeCollector, MotionSample, StepSample


class StatusCollector(EpisodeCollector):
    """Every vehicle_status is a step, and only ``max_steps`` ends the episode."""

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
        episode = self.current
        if not self._driving:
            episode.start_ns = episode.end_ns = sample.stamp_ns
            self._driving = True
            return
        episode.end_ns = max(episode.end_ns, sample.stamp_ns)
        self._steps += 1
        self._over = self._steps == self.max_steps
