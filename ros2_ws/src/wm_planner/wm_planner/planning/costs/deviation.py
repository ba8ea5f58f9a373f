"""The cost of leaving the actor's plan."""

import numpy as np
from wm_bundle.processes.parameters import parameter

from wm_planner.planning.costs.base import Cost


class DeviationCost(Cost):
    """Squared distance from the actor's plan, summed over the horizon: keeps the search where the model has data."""

    name = "deviation_cost"
    parameters = {name: parameter(0.0, "cost of leaving the actor's plan", "reward per unit²", 0.0, 1e6, live=True)}

    def __call__(self, plans, futures, context):
        """See Cost."""
        return self.weight * np.square(plans - context.proposal).sum(axis=(1, 2))
