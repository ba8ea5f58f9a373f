"""The actor's plan unchanged, without a search; scored once, so that its return is known."""

from wm_planner.planning.solvers.base import Problem, Solution, Solver, unscored


class ActorOnly(Solver):
    """The baseline that every search has to beat."""

    name = "actor"
    place = 4

    def solve(self, problem: Problem) -> Solution:
        """Return the proposal."""
        if problem.affordable() < 1:
            return unscored(problem.proposal)
        candidates = problem.proposal[None]
        return Solution(problem.proposal, candidates, problem.evaluate(candidates), 1)
