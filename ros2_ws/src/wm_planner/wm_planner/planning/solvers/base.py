"""What a solver is, and what it is asked.

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
    """The world model, for solvers to which ``Problem.evaluate`` does not say enough.

    ``engine``: all its functions (imagine, imagine_beliefs, imagine_whole, advance, actor, decode), which take commands
    (..., 3), see ``wm_bundle.to_command``. ``belief`` (1, F): where this frame's plans begin. ``noise`` (M, H, S): of
    the futures that each plan is imagined in.
    """

    engine: Engine
    belief: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class Problem:
    """One frame's question.

    ``proposal`` (H, 2): the actor's plan, within its limits. ``limit``: brings plans (N, H, 2) within their limits, in
    place; every plan that lies between limited ones is limited too. ``evaluate``: plans (N, H, 2) → scores (N,),
    larger is better. ``affordable``: how many plans there is time to evaluate now, ``left_s`` the time [s] itself.
    ``policy_plan`` asks the policy for its plan (H, 2), within its limits; None where there is no policy, or nothing
    that it can be asked about. ``model`` is what ``evaluate`` imagines with.
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
    """One frame's answer.

    ``plan`` (H, 2) is what to do. ``candidates`` (N, H, 2) and ``returns`` (N,) are of the last iteration, valid
    until the next call of ``solve``; ``returns`` are NaN where there was no time to score (``iterations`` is 0).
    """

    plan: np.ndarray
    candidates: np.ndarray
    returns: np.ndarray
    iterations: int


class Solver:
    """Finds a good plan; may keep its last plan for a warm start.

    To add one, write its class into a file of this folder: it is found there, and its parameters are the node's.
    """

    name: ClassVar[str]
    """Its value of the parameter ``solver``."""
    place: ClassVar[int] = 100
    """Its place in lists, the lowest first."""
    parameters: ClassVar[dict[str, Any]] = {}
    """What it can be told beside ``candidates`` and ``iterations``, as ``wm_bundle.processes.parameters.parameter``
    describes it."""
    searches: ClassVar[bool] = False
    """Whether it looks for something better than the plan that it was given."""

    candidates: int = 1
    """Most plans given to one call of ``evaluate``."""

    @classmethod
    def check(cls, config: NodeParameters) -> None:
        """Raise ConfigError for parameters that it cannot work with."""

    @classmethod
    def from_config(cls, config: NodeParameters, horizon: int) -> Solver:
        """What the parameters ask for."""
        return cls()

    def reset(self) -> None:
        """Forget the last plan and start the random numbers from the seed again: a new episode."""

    def forget(self) -> None:
        """Forget the last plan; the random numbers go on, so that the next search is another one."""

    def solve(self, problem: Problem) -> Solution:
        """Answer one frame."""
        raise NotImplementedError


def unscored(proposal: np.ndarray) -> Solution:
    """The actor's plan as it is, for a frame without time to score anything."""
    return Solution(proposal, proposal[None], np.full(1, np.nan, np.float32), 0)
