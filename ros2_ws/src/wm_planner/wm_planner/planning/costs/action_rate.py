"""The cost of changing the action."""

import numpy as np
from wm_bundle.processes.parameters import parameter

from wm_planner.planning.costs.base import Cost


class ActionRateCost(Cost):
    """Squared change of steer and longitudinal from step to step, summed over the horizon.

    A full swing from -1 to 1 of one of them costs 4 times the weight.
    """

    name = "action_rate_cost"
    parameters = {name: parameter(0.0, "cost of changing the action", "reward per unit²", 0.0, 1e6, live=True)}

    def __call__(self, plans, futures, context):
        """See Cost."""
        first = plans[:, 0] - context.previous
        steps = plans[:, 1:] - plans[:, :-1]
        return self.weight * (np.square(first).sum(axis=1) + np.square(steps).sum(axis=(1, 2)))
