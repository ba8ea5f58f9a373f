"""A plan that may leave the planner.

Shapes: N candidates, H horizon.
"""

from dataclasses import dataclass

import numpy as np
from wm_bundle import ACTION_HIGH, ACTION_LOW

from wm_planner.errors import PlanError

_LIMIT_SLACK = 1e-5  # float32 rounding


@dataclass(frozen=True)
class Plan:
    """A checked plan.

    ``action`` (3,): the command now, [steer, throttle, brake]. ``actions`` (H, 3): its whole plan.
    ``candidates`` (N, H, 3) commands and their ``returns`` (N,) in reward units, of the last iteration; ``best`` is
    the index of the largest. ``returns`` are NaN when there was no time to score (``iterations`` 0).
    ``surprise`` [nats] of the observation stamped ``stamp_ns`` that it was made from; ``in_flight``: how many commands
    act between that observation and ``action``. ``retries``: searches that had to be discarded.
    """

    action: np.ndarray
    actions: np.ndarray
    candidates: np.ndarray
    returns: np.ndarray
    best: int
    best_return: float
    mean_return: float
    surprise: float
    iterations: int
    stamp_ns: int
    in_flight: int
    retries: int


def check_actions(actions: np.ndarray) -> None:
    """Raise PlanError unless all commands (H, 3) are finite, within limits, and never throttle and brake at once."""
    if not np.isfinite(actions).all():
        raise PlanError(f"plan is not finite: {actions[~np.isfinite(actions).all(axis=1)][0].tolist()}")
    low, high = np.asarray(ACTION_LOW) - _LIMIT_SLACK, np.asarray(ACTION_HIGH) + _LIMIT_SLACK
    outside = ((actions < low) | (actions > high)).any(axis=1)
    if outside.any():
        raise PlanError(f"plan leaves the limits {ACTION_LOW} to {ACTION_HIGH}: {actions[outside][0].tolist()}")
    both = (actions[:, 1] > 0.0) & (actions[:, 2] > 0.0)
    if both.any():
        raise PlanError(f"plan presses throttle and brake at once: {actions[both][0].tolist()}")
