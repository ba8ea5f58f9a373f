"""Solvers behind one interface: a ``Problem`` in, a ``Solution`` out."""

from wm_planner.planning.solvers.actor_only import ActorOnly
from wm_planner.planning.solvers.base import Problem, Solution, Solver
from wm_planner.planning.solvers.policy_only import PolicyOnly
from wm_planner.planning.solvers.sampling import CEM, FEWEST_CANDIDATES, MPPI, RandomShooting, SamplingSettings

__all__ = [
    "CEM",
    "FEWEST_CANDIDATES",
    "MPPI",
    "ActorOnly",
    "PolicyOnly",
    "Problem",
    "RandomShooting",
    "SamplingSettings",
    "Solution",
    "Solver",
]
