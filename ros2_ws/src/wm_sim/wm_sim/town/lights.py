"""Traffic lights: at each junction the arms along y and those along x take turns."""

import math
from enum import Enum

import numpy as np

from wm_sim.town.network import Lane, Network

GREEN_S, YELLOW_S, ALL_RED_S = 10.0, 3.0, 2.0
PHASE_S = GREEN_S + YELLOW_S + ALL_RED_S
CYCLE_S = 2 * PHASE_S


class Light(Enum):
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class Lights:
    """All lights of a town; ``rng`` draws by how much each junction's cycle is shifted."""

    def __init__(self, network: Network, rng: np.random.Generator):
        self._network = network
        self._shift_s = rng.uniform(0.0, CYCLE_S, len(network.plan.junctions)).tolist()
        self.time_s = 0.0  # of the episode

    def of_lane(self, lane: Lane) -> Light | None:
        """What a lane of a street shows at its end; None where there are no lights."""
        if lane.through or not self._network.plan.junctions[lane.junction].has_lights:
            return None
        vertical = self._network.plan.streets[lane.street].vertical
        in_phase_s = math.fmod(self.time_s + self._shift_s[lane.junction] + PHASE_S * vertical, CYCLE_S)
        if in_phase_s < GREEN_S:
            return Light.GREEN
        return Light.YELLOW if in_phase_s < GREEN_S + YELLOW_S else Light.RED
