"""The difference between two runs of one model, as measured by `export`: N candidates, H steps."""

import numpy as np

CANDIDATES = 64
PLAN_EVERY = 5  # frames
_WIDTH = 0.2  # deviation of the candidates in steer and longitudinal: four times the planner's
_CORRELATION = 0.8  # of their noise between steps


def relative_difference(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Absolute difference, relative where the expected number is above 1."""
    return np.abs(expected - found) / np.maximum(1.0, np.abs(expected))


def scattered_plans(plan: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Search actions (N, H, 2) around ``plan`` (H, 2), which comes first.

    Wider than the planner's, so that the models are compared and not the narrow search.
    """
    noise = random.standard_normal((CANDIDATES, *plan.shape), dtype=np.float32)
    for step in range(1, len(plan)):
        noise[:, step] = _CORRELATION * noise[:, step - 1] + (1.0 - _CORRELATION**2) ** 0.5 * noise[:, step]
    noise[0] = 0.0
    return np.clip(plan + _WIDTH * noise, -1.0, 1.0).astype(np.float32)


def discounted_returns(reward: np.ndarray, proceed: np.ndarray, value: np.ndarray, discount: float) -> np.ndarray:
    """Returns (N,) of imagined futures (N, H) with the final value; ``proceed``: continuation probabilities."""
    total = value[:, -1]
    for h in reversed(range(reward.shape[1])):
        total = reward[:, h] + discount * proceed[:, h] * total
    return total


def weighted_action(actions: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """The mean (2,) of actions (N, 2), weighted by their returns (N,) as in MPPI (Williams et al. 2017).

    The temperature is the returns' deviation. Returns that differ by less than a thousandth count as equal: the
    difference is meaningless."""
    smallest = 1e-3 * max(1.0, np.abs(returns).max())
    weights = np.exp((returns - returns.max()) / max(returns.std(), smallest))
    return weights @ actions / weights.sum()
