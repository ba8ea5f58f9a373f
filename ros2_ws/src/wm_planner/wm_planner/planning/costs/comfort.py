"""The costs of lateral acceleration and of jerk above what is comfortable."""

from dataclasses import dataclass

import numpy as np
from wm_bundle.processes.parameters import parameter

from wm_planner.planning.costs.objective import Objective, excess

SPEED, YAW_RATE = "speed", "yaw_rate"
ALONG, ACROSS = "acceleration_along", "acceleration_across"


@dataclass(frozen=True)
class LateralAccelerationCost(Objective):
    """Squared excess of lateral acceleration, to either side, above ``lateral_acceleration_limit``: the signal
    ``acceleration_across`` where the model imagines it, else speed times yaw rate."""

    lateral_acceleration_limit: float

    name = "lateral_acceleration_cost"
    parameters = {
        name: parameter(0.0, "cost of lateral acceleration above a limit", "reward per (m/s²)²", 0.0, 1e6, live=True),
        "lateral_acceleration_limit": parameter(
            3.0, "lateral acceleration that costs nothing", "m/s²", 0.0, 1000.0, live=True
        ),
    }
    signals = ((ACROSS,), (SPEED, YAW_RATE))

    def penalty(self, futures, context):
        """See Objective."""
        across = futures.signal(ACROSS)
        if across is None:
            across = futures.signal(SPEED) * futures.signal(YAW_RATE)
        return excess(np.abs(across), self.lateral_acceleration_limit)


@dataclass(frozen=True)
class JerkCost(Objective):
    """Squared excess of the jerk along the vehicle, in either direction, above ``jerk_limit``: the change of the signal
    ``acceleration_along`` where the model imagines it, else the second difference of the speed."""

    jerk_limit: float

    name = "jerk_cost"
    parameters = {
        name: parameter(0.0, "cost of jerk above a limit", "reward per (m/s³)²", 0.0, 1e6, live=True),
        "jerk_limit": parameter(5.0, "jerk that costs nothing", "m/s³", 0.0, 1e5, live=True),
    }
    signals = ((ALONG,), (SPEED,))

    def penalty(self, futures, context):
        """See Objective."""
        if futures.signal(ALONG) is not None:
            accelerations = futures.signal_with_past(ALONG, context.past)[:, 1:]
        else:
            accelerations = np.diff(futures.signal_with_past(SPEED, context.past), axis=1) / context.period_s
        return excess(np.abs(np.diff(accelerations, axis=1)) / context.period_s, self.jerk_limit)
