"""What is measured of a world model, whoever runs it: a checkpoint in training, a bundle on a recorded drive."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BASELINES = ("copy_last", "last_seen", "data_mean")  # predictions that are the same for every model


class Measurements(NamedTuple):
    """What was predicted and what happened: M windows, K steps ahead, G of them printed; NaN where it is not known.
    Step k shows the picture that action k led to, its reward, and whether the episode went on after it."""

    segment: np.ndarray
    """(M,): which drive, or which piece of one, the window is of; windows of one are not independent."""
    squared_errors: dict[str, np.ndarray]
    """(M, K) of ``imagined``, ``posterior``, ``copy_last`` and ``shuffled`` pictures."""
    similarities: dict[str, np.ndarray]
    """(M, G): SSIM of the same."""
    rewards: np.ndarray
    """(M, K): predicted."""
    shuffled_rewards: np.ndarray
    """(M, K): predicted from the actions of another window."""
    sampled_rewards: np.ndarray
    """(M, N, K): of N sampled futures."""
    continues: np.ndarray
    """(M, K): predicted probability to go on."""
    shuffled_continues: np.ndarray
    """(M, K)."""
    sampled_continues: np.ndarray
    """(M, N, K)."""
    real_rewards: np.ndarray
    """(M, K); NaN beyond the end, and where no rewards were recorded."""
    real_continues: np.ndarray
    """(M, K): 0.0 at a terminal; NaN beyond the end, and where ends were not recorded."""
    last_reward: np.ndarray
    """(M,): the last reward seen before imagination began."""
    disagreement: np.ndarray | None
    """(M, K): standard deviation of the reward over the ensemble's heads; None without an ensemble."""


def join(parts: Sequence[Measurements]) -> Measurements:
    """The windows of all parts, in their order. Raises ValueError without any part."""
    if not parts:
        raise ValueError("there are no measurements to join: no window was predicted")

    def joined(values: Sequence):
        if isinstance(values[0], dict):
            return {key: np.concatenate([value[key] for value in values]) for key in values[0]}
        return None if values[0] is None else np.concatenate(values)

    return Measurements(*(joined(values) for values in zip(*parts, strict=True)))
