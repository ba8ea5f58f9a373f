"""What a candidate is worth: the imagined return, less separate costs. All in the reward's own units.

Shapes: N candidates, H horizon. Plans are search actions (steer, longitudinal).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wm_planner.engine import Imagined


@dataclass(frozen=True)
class CostContext:
    """What cost terms may look at beside the plans: the search action (2,) applied last, the actor's plan (H, 2)."""

    previous: np.ndarray
    proposal: np.ndarray


class CostTerm(Protocol):
    """One cost, one job. Returns (N,) in the reward's units, to be subtracted."""

    def __call__(self, plans: np.ndarray, context: CostContext) -> np.ndarray: ...


@dataclass(frozen=True)
class ActionRateCost:
    """Squared change of steer and longitudinal from step to step, summed over the horizon.

    ``weight`` [reward per unit²]: a full swing from -1 to 1 of one of them costs 4 times this.
    """

    weight: float

    def __call__(self, plans: np.ndarray, context: CostContext) -> np.ndarray:
        first = plans[:, 0] - context.previous
        steps = plans[:, 1:] - plans[:, :-1]
        return self.weight * (np.square(first).sum(axis=1) + np.square(steps).sum(axis=(1, 2)))


@dataclass(frozen=True)
class DeviationCost:
    """Squared distance from the actor's plan, summed over the horizon: keeps the search where the model has data.

    ``weight`` [reward per unit²].
    """

    weight: float

    def __call__(self, plans: np.ndarray, context: CostContext) -> np.ndarray:
        return self.weight * np.square(plans - context.proposal).sum(axis=(1, 2))


def imagined_returns(imagined: Imagined, discount: float, lambda_: float = 1.0) -> np.ndarray:
    """Returns (N,) of imagined futures.

    With ``lambda_`` 1 it is  sum_h discount^h · prod(continue before h) · reward_h  plus the value at the end,
    discounted by all of them. Below 1 it mixes in the value bootstraps of all shorter horizons, weighted by
    (1 - lambda_) · lambda_^h, like TD(lambda): less trust in long roll-outs.
    """
    reward, continues, value = imagined.reward, imagined.continues, imagined.value
    total = value[:, -1]
    for step in range(reward.shape[1] - 1, -1, -1):
        ahead = (1.0 - lambda_) * value[:, step] + lambda_ * total if step < reward.shape[1] - 1 else total
        total = reward[:, step] + discount * continues[:, step] * ahead
    return total


class Scorer:
    """Imagined return less all cost terms."""

    def __init__(self, discount: float, lambda_: float, costs: Sequence[CostTerm] = ()):
        self._discount = discount
        self._lambda = lambda_
        self._costs = tuple(costs)

    def __call__(self, plans: np.ndarray, imagined: Imagined, context: CostContext) -> np.ndarray:
        """Score (N,) of ``plans`` (N, H, 2), larger is better."""
        scores = imagined_returns(imagined, self._discount, self._lambda)
        for cost in self._costs:
            scores = scores - cost(plans, context)
        return scores
