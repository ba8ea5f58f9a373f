"""The cost of steering at speed."""

import numpy as np
from wm_bundle.processes.parameters import parameter
from wm_bundle.vector_inputs import SPEED

from wm_planner.planning.costs.base import Cost


class SteeringSpeedCost(Cost):
    """Squared product of steer and speed, summed over the horizon: the part of lateral acceleration that steering adds.

    The speed is the imagined one at the beginning of each step. For a model that does not imagine it, the present one
    is used for all steps: the cost of a plan that brakes before steering is then overestimated.
    """

    name = "steering_speed_cost"
    parameters = {name: parameter(0.0, "cost of steering times speed", "reward per (m/s)²", 0.0, 1e6, live=True)}
    inputs = (SPEED,)

    def __call__(self, plans, futures, context):
        """See Cost."""
        if futures.signal(SPEED.name) is not None:
            speeds = futures.signal_with_past(SPEED.name, context.past)[:, 1:-1]  # (M·N, H)
            squares = np.square(speeds).reshape(*futures.returns.shape, -1).mean(axis=0)
            return self.weight * (squares * np.square(plans[..., 0])).sum(axis=1)
        return self.weight * context.vector[SPEED.name] ** 2 * np.square(plans[..., 0]).sum(axis=1)
