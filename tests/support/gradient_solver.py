"""A solver that needs gradients and the model itself, as somebody might add it: this file, and nothing else."""

import numpy as np
from wm_bundle import to_command
from wm_planner.planning.solvers.base import Problem, Solution, Solver, unscored

_STEP = 0.01  # of the finite differences


class GradientSolver(Solver):
    """Climbs from the actor's plan along the gradient of the imagined rewards, by central differences."""

    name = "gradient"
    searches = True

    def __init__(self, horizon: int, iterations: int = 20, rate: float = 0.2):
        self.candidates = 4 * horizon  # each number of a plan, a little more and a little less
        self._iterations, self._rate = iterations, rate

    @classmethod
    def from_config(cls, config, horizon):
        """See Solver."""
        return cls(horizon, config.iterations)

    def solve(self, problem: Problem) -> Solution:
        """See Solver."""
        if problem.left_s() <= 0.0:
            return unscored(problem.proposal)
        plan = problem.proposal.copy()
        for _ in range(self._iterations):
            plan += self._rate * self._gradient(problem, plan)
            problem.limit(plan[None])
        found = np.stack([plan, problem.proposal])
        return Solution(plan, found, problem.evaluate(found), self._iterations)

    def _gradient(self, problem: Problem, plan: np.ndarray) -> np.ndarray:
        steps = _STEP * np.eye(plan.size, dtype=np.float32).reshape(plan.size, *plan.shape)
        plans = np.concatenate([plan + steps, plan - steps])  # (4 H, H, 2)
        model = problem.model
        noise = np.repeat(model.noise[:1], len(plans), axis=0)
        more, less = model.engine.imagine(model.belief, to_command(plans), noise).reward.sum(axis=1).reshape(2, -1)
        return ((more - less) / (2.0 * _STEP)).reshape(plan.shape)
