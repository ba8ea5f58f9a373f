"""Scores candidates: the imagined return minus separate costs, all in the reward's units.

Shapes: N candidates, H horizon, M futures imagined of each candidate. Plans are search actions (steer, longitudinal).
"""

from collections.abc import Sequence

import numpy as np

from wm_planner.engine.imagined import Imagined
from wm_planner.planning.costs.base import Cost, CostContext, Futures


def return_weights(continues: np.ndarray, discount: float, lambda_: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The weights of every step's reward and value in ``imagined_returns``: two (N, H), by ``continues`` (N, H).

    reward_h has the weight lambda_^h · discount^h · prod(continue before h); value_h that of the next step's reward
    times (1 - lambda_) / lambda_, and the last value lacks that factor."""
    reached = np.cumprod(discount * continues, axis=1, dtype=np.float32)  # discount^(h+1) · prod(continue to h)
    powers = np.float32(lambda_) ** np.arange(continues.shape[1], dtype=np.float32)
    rewards = np.concatenate([np.ones_like(reached[:, :1]), reached[:, :-1]], axis=1) * powers
    values = reached * powers
    values[:, :-1] *= 1.0 - lambda_
    return rewards, values


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
    """Imagined return, the mean over ``samples`` futures of each plan, minus all costs."""

    def __init__(self, discount: float, lambda_: float, costs: Sequence[Cost] = (), samples: int = 1):
        """``samples`` M: futures of each plan, with different noise, that the costs need."""
        self.samples = samples
        self._discount = discount
        self._lambda = lambda_
        self.costs = tuple(costs)
        self.opens = any(cost.opens for cost in costs)
        self.hurries = any(cost.hurries for cost in costs)

    def __call__(self, plans: np.ndarray, imagined: Imagined, context: CostContext) -> np.ndarray:
        """Score (N,) of ``plans`` (N, H, 2), larger is better; ``imagined`` has M·N rows, sample by sample."""
        returns = imagined_returns(imagined, self._discount, self._lambda).reshape(self.samples, len(plans))
        scores = returns.mean(axis=0) if self.samples > 1 else returns[0]
        if self.costs:
            weights = return_weights(imagined.continues, self._discount, self._lambda)
            futures = Futures(imagined, returns, *weights, tuple(context.vector))
            for cost in self.costs:
                scores = scores - cost(plans, futures, context)
        return scores
