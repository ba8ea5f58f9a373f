"""The costs of leaving the route, and of being close behind the car ahead."""

from dataclasses import dataclass

import numpy as np
from wm_bundle.processes.parameters import parameter
from wm_bundle.vector_inputs import LONGEST_GAP_M

from wm_planner.planning.costs.objective import Objective, excess

SPEED, GAP, ROUTE_OFFSET = "speed", "gap", "route_offset"
NO_CAR_M = 0.95 * LONGEST_GAP_M  # the gap where no car is ahead, less what the model may be wrong by
CREEPING_MPS = 0.1  # speed below which the headway no longer falls


@dataclass(frozen=True)
class RouteCost(Objective):
    """Squared distance from the route, to either side, beyond ``route_tolerance``."""

    route_tolerance: float

    name = "route_cost"
    parameters = {
        name: parameter(0.0, "cost of the distance from the route", "reward per m²", 0.0, 1e6, live=True),
        "route_tolerance": parameter(0.5, "distance from the route that costs nothing", "m", 0.0, 1000.0, live=True),
    }
    signals = ((ROUTE_OFFSET,),)

    def penalty(self, futures, context):
        """See Objective."""
        return excess(np.abs(futures.signal(ROUTE_OFFSET)), self.route_tolerance)


@dataclass(frozen=True)
class HeadwayCost(Objective):
    """Squared shortfall of the time headway, gap / speed, below ``headway``."""

    headway: float

    name = "headway_cost"
    parameters = {
        name: parameter(0.0, "cost of a short time headway", "reward per s²", 0.0, 1e6, live=True),
        "headway": parameter(2.0, "time headway that costs nothing", "s", 0.0, 60.0, live=True),
    }
    signals = ((GAP, SPEED),)

    def penalty(self, futures, context):
        """See Objective."""
        gap = futures.signal(GAP)
        headway = np.maximum(gap, 0.0) / np.maximum(futures.signal(SPEED), CREEPING_MPS)
        return np.where(gap < NO_CAR_M, excess(self.headway, headway), 0.0)
