"""What a candidate costs: one small class for each reason. All in the reward's own units.

Shapes: N candidates, H horizon, M futures imagined of each candidate. Plans are search actions (steer, longitudinal).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wm_planner.engine.engine import Imagined


@dataclass(frozen=True)
class CostContext:
    """What is known before any plan.

    ``previous`` (2,): the search action before the plans' first. ``proposal`` (H, 2): the actor's plan. ``speed_mps``:
    the vehicle's speed now, None where the bundle has no such input.
    """

    previous: np.ndarray
    proposal: np.ndarray
    speed_mps: float | None = None


@dataclass(frozen=True)
class Futures:
    """What was imagined of N candidates, M times each with other noise.

    ``imagined`` has M·N rows, sample by sample; ``returns`` (M, N) without costs; ``reward_weights`` and
    ``value_weights`` (M·N, H): what each step's reward and value count in them.
    """

    imagined: Imagined
    returns: np.ndarray
    reward_weights: np.ndarray
    value_weights: np.ndarray


class CostTerm(Protocol):
    """One cost, one job. Returns (N,) in the reward's units, to be subtracted."""

    def __call__(self, plans: np.ndarray, futures: Futures, context: CostContext) -> np.ndarray: ...


@dataclass(frozen=True)
class ActionRateCost:
    """Squared change of steer and longitudinal from step to step, summed over the horizon.

    ``weight`` [reward per unit²]: a full swing from -1 to 1 of one of them costs 4 times this.
    """

    weight: float

    def __call__(self, plans: np.ndarray, futures: Futures, context: CostContext) -> np.ndarray:
        first = plans[:, 0] - context.previous
        steps = plans[:, 1:] - plans[:, :-1]
        return self.weight * (np.square(first).sum(axis=1) + np.square(steps).sum(axis=(1, 2)))


@dataclass(frozen=True)
class DeviationCost:
    """Squared distance from the actor's plan, summed over the horizon: keeps the search where the model has data.

    ``weight`` [reward per unit²].
    """

    weight: float

    def __call__(self, plans: np.ndarray, futures: Futures, context: CostContext) -> np.ndarray:
        return self.weight * np.square(plans - context.proposal).sum(axis=(1, 2))


@dataclass(frozen=True)
class SteeringSpeedCost:
    """Squared product of steer and speed, summed over the horizon: the part of lateral acceleration that steering adds.

    ``weight`` [reward per (m/s)²]. The model does not predict speed, so the present one stands for the whole horizon:
    the cost of a plan that brakes before it steers is overstated.
    """

    weight: float

    def __call__(self, plans: np.ndarray, futures: Futures, context: CostContext) -> np.ndarray:
        return self.weight * context.speed_mps**2 * np.square(plans[..., 0]).sum(axis=1)


@dataclass(frozen=True)
class DisagreementCost:
    """What the ensemble's members disagree by, of every reward and value, each weighted as in the return.

    ``weight`` [std]: how many standard deviations of the return to subtract, where those of all steps are added up:
    a model that is wrong at one step is wrong at the next too.
    """

    weight: float

    def __call__(self, plans: np.ndarray, futures: Futures, context: CostContext) -> np.ndarray:
        imagined = futures.imagined
        spread = (futures.reward_weights * imagined.disagreement).sum(axis=1)
        spread += (futures.value_weights * imagined.value_disagreement).sum(axis=1)
        return self.weight * spread.reshape(futures.returns.shape).mean(axis=0)


@dataclass(frozen=True)
class SpreadCost:
    """Spread of the return over M futures that differ in the model's noise; mean less spread is a low quantile.

    ``weight`` [std]: 1.3 is the 10 % quantile of a normal distribution.
    """

    weight: float

    def __call__(self, plans: np.ndarray, futures: Futures, context: CostContext) -> np.ndarray:
        return self.weight * futures.returns.std(axis=0, ddof=1)
