"""How far two runs of one model are apart, measured as `export` measures it: N candidates, H steps."""

import numpy as np

CANDIDATES = 64
PLAN_EVERY = 5  # frames
_WIDTH = 0.2  # deviation of the candidates in steer and longitudinal: four times the planner's
_CORRELATION = 0.8  # of their noise from step to step


def relative_difference(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Absolute difference, relative where the expected number is above 1."""
    return np.abs(expected - found) / np.maximum(1.0, np.abs(expected))


def scattered_plans(plan: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Search actions (N, H, 2) around ``plan`` (H, 2), itself the first.

    Wider than the planner's own, so that it is the model that is compared and not the narrowness of the search.
    """
    noise = random.standard_normal((CANDIDATES, *plan.shape), dtype=np.float32)
    for step in range(1, len(plan)):
        noise[:, step] = _CORRELATION * noise[:, step - 1] + (1.0 - _CORRELATION**2) ** 0.5 * noise[:, step]
    noise[0] = 0.0
    return np.clip(plan + _WIDTH * noise, -1.0, 1.0).astype(np.float32)


def discounted_returns(reward: np.ndarray, proceed: np.ndarray, value: np.ndarray, discount: float) -> np.ndarray:
    """Returns (N,) of imagined futures (N, H) with the value at their end; ``proceed``: probabilities to go on."""
    total = value[:, -1]
    for h in reversed(range(reward.shape[1])):
        total = reward[:, h] + discount * proceed[:, h] * total
    return total


def weighted_action(actions: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """The mean (2,) of actions (N, 2), weighted by their returns (N,) as MPPI does (Williams et al. 2017).

    The temperature is the returns' deviation. Returns that differ by less than a thousandth count as equal: nobody
    could say which is the better.
    """
    smallest = 1e-3 * max(1.0, np.abs(returns).max())
    weights = np.exp((returns - returns.max()) / max(returns.std(), smallest))
    return weights @ actions / weights.sum()
