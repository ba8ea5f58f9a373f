"""The pilot's planner with a stopwatch: what its calls took, and which belief each observation made."""

import time
from collections.abc import Sequence

import numpy as np
from wm_planner.planning.planner import Plan, Planner


class WatchedPlanner:
    """Stands between a pilot and its planner. ``begin_frame`` before every frame; the fields tell of that frame.

    ``posterior`` is the belief (1, F) right after the observation, None where there was none; ``first`` tells that it
    began a belief; ``age`` counts the observations since the belief began. ``observe_s`` and ``plan_s`` [s], NaN where
    the pilot did not call.
    """

    def __init__(self, planner: Planner):
        self._planner = planner
        self.age = 0
        self.begin_frame()

    def begin_frame(self) -> None:
        """Forget the frame before."""
        self.posterior: np.ndarray | None = None
        self.first = False
        self.surprise = self.observe_s = self.plan_s = float("nan")

    @property
    def belief(self) -> np.ndarray | None:
        """The belief (1, F) that the planner goes on with, None where it begins anew with the next frame."""
        return self._planner.belief if self.age else None

    def reset(self) -> None:
        """As the planner's own, like all that follow."""
        self._planner.reset()
        self.age = 0

    def note_command(self, command: np.ndarray) -> None:
        self._planner.note_command(command)

    def predict(self, commands: Sequence[np.ndarray | None]) -> None:
        self._planner.predict(commands)

    def observe(
        self, image: np.ndarray, vector: np.ndarray, stamp_ns: int, camera_mask: np.ndarray | None = None
    ) -> float:
        begin = time.perf_counter()
        surprise = self._planner.observe(image, vector, stamp_ns, camera_mask)
        self.observe_s = time.perf_counter() - begin
        self.surprise, self.posterior = surprise, self._planner.belief
        self.first = self.age == 0
        self.age += 1
        return surprise

    def discard_observation(self) -> None:
        self._planner.discard_observation()

    def plan(self, deadline_s: float, cautious: bool = False, in_flight: Sequence[np.ndarray] = ()) -> Plan:
        begin = time.perf_counter()
        try:
            return self._planner.plan(deadline_s, cautious, in_flight)
        finally:
            self.plan_s = time.perf_counter() - begin
