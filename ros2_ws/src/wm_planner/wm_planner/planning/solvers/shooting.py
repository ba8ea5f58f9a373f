"""Random shooting."""

import numpy as np

from wm_planner.planning.solvers.sampling import SamplingSolver


class RandomShooting(SamplingSolver):
    """The best of all candidates, all iterations drawn in the same way.

    The best one of an iteration is a candidate of the next, so the last iteration's best is the best of all.
    """

    name = "shooting"
    place = 1
    follows = False

    def _refit(self, plans, returns, std):
        return plans[np.argmax(returns)].copy(), std
