"""The policy's action unchanged, without a search."""

from dataclasses import replace

from wm_planner.errors import ConfigError
from wm_planner.planning.solvers.actor_only import ActorOnly
from wm_planner.planning.solvers.base import Problem, Solution


class PolicyOnly(ActorOnly):
    """The policy's plan, scored once; the actor's where the policy cannot be evaluated."""

    name = "policy"
    place = 5

    @classmethod
    def check(cls, config):
        """See Solver."""
        if not config.proposal_policy:
            raise ConfigError(
                "parameter solver: policy drives with a policy file, expected one in proposal_policy, "
                "found none; set it with -p proposal_policy:=FILE.onnx"
            )

    def solve(self, problem: Problem) -> Solution:
        """Return the policy's plan."""
        plan = problem.policy_plan()
        return super().solve(problem if plan is None else replace(problem, proposal=plan))
