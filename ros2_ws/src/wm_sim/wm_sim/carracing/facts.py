"""Facts about CarRacing-v3 that need no gymnasium."""

import math
from collections.abc import Sequence

from wm_sim.ticks import PHYSICS_PERIOD_S
from wm_sim.world_facts import Step, WorldFacts

FRAME_LIMIT = 1000  # physics frames in an episode, gymnasium's registered limit for CarRacing-v3
LAP_FINISHED, LEFT_FIELD = "lap finished", "left the field"
TRACK_REWARD = 1000.0  # of the whole track, in equal parts for its tiles
FRAME_COST = 0.1  # deducted per physics frame


class CarRacingFacts(WorldFacts):
    name = "carracing"
    map_name = "CarRacing-v3"
    description = "CarRacing's empty tracks"
    episode_s = FRAME_LIMIT * PHYSICS_PERIOD_S
    implementation = "wm_sim.carracing.world:CarRacingWorld"
    success = LAP_FINISHED
    wheelbase_m = 3.24
    full_steer_rad = 1.0  # as in gymnasium, where the wheels stop at 0.4
    top_speed_mps = 150.0
    full_pedals_mps2 = (60.0, 60.0)  # of a standing car
    reach_s = 0.25

    def early_ending(self, last: Step) -> str:
        return LEFT_FIELD if last.reward < 0 else LAP_FINISHED

    def progress(self, steps: Sequence[Step], period_s: float) -> float:
        """Share of the track's tiles that were driven over.

        The step that left the field has the reward -100 instead of its tiles, so it counts 0.
        """
        frames = [round(period_s / PHYSICS_PERIOD_S)] * len(steps)
        frames[-1] = min(frames[-1], FRAME_LIMIT - sum(frames[:-1]))  # the time limit may cut the last step short
        tiles = [step.reward + FRAME_COST * count for step, count in zip(steps, frames, strict=True)]
        if self.ending(steps[-1]) == LEFT_FIELD:
            tiles.pop()
        return min(1.0, max(0.0, math.fsum(tiles) / TRACK_REWARD))
