"""How fast and how far an action may change.

Shapes: N candidates, H horizon. Plans are search actions (steer, longitudinal), each in [-1, 1].
"""

from dataclasses import dataclass

import numpy as np

from wm_planner.errors import PlanError

_SLACK = 1e-5  # float32 rounding


@dataclass(frozen=True)
class ActionLimits:
    """Limits of a plan besides the range of an action.

    ``slew``: largest change of (steer, longitudinal) in one period, also from the action before the plan to its first.
    ``ceiling``: largest longitudinal; it is approached as fast as the slew allows.
    """

    slew: tuple[float, float] = (2.0, 2.0)
    ceiling: float = 1.0

    def apply(self, plans: np.ndarray, previous: np.ndarray) -> None:
        """Limit ``plans`` (N, H, 2) in place; ``previous`` (2,) is the action before the first step.

        The set of limited plans is convex: a mean of limited plans is within the limits.
        """
        if self.ceiling < 1.0:
            np.minimum(plans[..., 1], self.ceiling, out=plans[..., 1])
        slew = np.asarray(self.slew, np.float32)
        if self._kept(plans, previous, slew):
            return
        before = previous
        for step in range(plans.shape[1]):
            np.clip(plans[:, step], before - slew, before + slew, out=plans[:, step])
            before = plans[:, step]

    def check(self, plan: np.ndarray, previous: np.ndarray) -> None:
        """Raise PlanError unless the changes along ``plan`` (H, 2), from ``previous`` (2,) on, are within the slew
        limits."""
        if self._kept(plan[None], previous, np.asarray(self.slew, np.float32) + _SLACK):
            return
        changes = np.abs(np.diff(plan, axis=0, prepend=previous[None]))
        step = int(np.argmax((changes > self.slew).any(axis=1)))
        raise PlanError(
            f"plan changes (steer, longitudinal) by {changes[step].tolist()} at step {step}, the limit is "
            f"{list(self.slew)} in one period"
        )

    @staticmethod
    def _kept(plans: np.ndarray, previous: np.ndarray, slew: np.ndarray) -> bool:
        first, later = plans[:, 0] - previous, plans[:, 1:] - plans[:, :-1]
        return bool((np.abs(first) <= slew).all() and (np.abs(later) <= slew).all())
