"""The interface of a solver.

Shapes: N candidates, H horizon. A plan is (H, 2) float32: search actions (steer, longitudinal), each in [-1, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np


def _no_policy() -> None:
    return None


@dataclass(frozen=True)
class Problem:
    """One frame's question.

    ``proposal`` (H, 2): the actor's plan, within its limits. ``limit``: brings plans (N, H, 2) within their limits, in
    place; every plan that lies between limited ones is limited too. ``evaluate``: plans (N, H, 2) → scores (N,),
    larger is better. ``affordable``: how many plans there is time to evaluate now. ``policy_plan`` asks the policy
    for its plan (H, 2), within its limits; None where there is no policy, or nothing that it can be asked about.
    """

    proposal: np.ndarray
    limit: Callable[[np.ndarray], None]
    evaluate: Callable[[np.ndarray], np.ndarray]
    affordable: Callable[[], int]
    policy_plan: Callable[[], np.ndarray | None] = _no_policy


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


class Solver(Protocol):
    """Finds a good plan. Keeps its last plan for a warm start."""

    candidates: int
    """Most plans given to one call of ``evaluate``."""

    def reset(self) -> None:
        """Forget the last plan and start the random numbers from the seed again: a new episode."""

    def forget(self) -> None:
        """Forget the last plan; the random numbers go on, so that the next search is another one."""

    def solve(self, problem: Problem) -> Solution:
        """Answer one frame."""


def unscored(proposal: np.ndarray) -> Solution:
    """The actor's plan as it is, for a frame without time to score anything."""
    return Solution(proposal, proposal[None], np.full(1, np.nan, np.float32), 0)
