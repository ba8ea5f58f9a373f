"""The interface of a solver, and its problem.

Shapes: N candidates, H horizon, F belief features, S stochastic size, M futures imagined of each candidate. A plan is
(H, 2) float32: search actions (steer, longitudinal), each in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from wm_bundle.processes.parameters import NodeParameters

if TYPE_CHECKING:
    from wm_planner.engine.engine import Engine


@dataclass(frozen=True)
class Model:
    """The world model, for solvers that need more than ``Problem.evaluate``.

    ``engine``: all its functions (imagine, imagine_beliefs, imagine_whole, advance, actor, decode), which take commands
    (..., 3), see ``wm_bundle.to_command``. ``belief`` (1, F): where this frame's plans start. ``noise`` (M, H, S): of
    the futures imagined of each plan.
    """

    engine: Engine
    belief: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class Problem:
    """One frame's problem.

    ``proposal`` (H, 2): the actor's plan, within its limits. ``limit``: brings plans (N, H, 2) within their limits, in
    place; any plan between limited ones is limited too. ``evaluate``: plans (N, H, 2) → scores (N,),
    larger is better. ``affordable``: how many plans there is time to evaluate now, ``left_s`` the time [s] itself.
    ``policy_plan`` returns the policy's plan (H, 2), within its limits; None if there is no policy, or it cannot be
    evaluated now. ``model`` is what ``evaluate`` imagines with.
    """

    proposal: np.ndarray
    limit: Callable[[np.ndarray], None]
    evaluate: Callable[[np.ndarray], np.ndarray]
    affordable: Callable[[], int]
    policy_plan: Callable[[], np.ndarray | None] = lambda: None
    left_s: Callable[[], float] = lambda: np.inf
    model: Model | None = None


@dataclass(frozen=True)
class Solution:
    """One frame's solution.

    ``plan`` (H, 2) is the plan to execute. ``candidates`` (N, H, 2) and ``returns`` (N,) are of the last iteration,
    valid until the next call of ``solve``; ``returns`` are NaN where there was no time to score (``iterations`` is 0).
    """

    plan: np.ndarray
    candidates: np.ndarray
    returns: np.ndarray
    iterations: int


class Solver:
    """Finds a good plan; may keep its last plan for a warm start.

    To add one, write its class in a file of this folder: it is found there, with its parameters.
    """

    name: ClassVar[str]
    """Its value of the parameter ``solver``."""
    place: ClassVar[int] = 100
    """Its position in lists, lowest first."""
    parameters: ClassVar[dict[str, Any]] = {}
    """Its parameters besides ``candidates`` and ``iterations``, made by
    ``wm_bundle.processes.parameters.parameter``."""
    searches: ClassVar[bool] = False
    """Whether it searches, rather than returning the plan it was given."""

    candidates: int = 1
    """Most plans given to one call of ``evaluate``."""

    @classmethod
    def check(cls, config: NodeParameters) -> None:
        """Raise ConfigError for unsuitable parameters."""

    @classmethod
    def from_config(cls, config: NodeParameters, horizon: int) -> Solver:
        """The solver from the parameters."""
        return cls()

    def reset(self) -> None:
        """Forget the last plan and restart the random numbers from the seed: a new episode."""

    def forget(self) -> None:
        """Forget the last plan; the random numbers continue, so that the next search differs."""

    def solve(self, problem: Problem) -> Solution:
        """Solve one frame's problem."""
        raise NotImplementedError


def unscored(proposal: np.ndarray) -> Solution:
    """The actor's plan unchanged, for a frame without time to score anything."""
    return Solution(proposal, proposal[None], np.full(1, np.nan, np.float32), 0)
