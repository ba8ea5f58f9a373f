"""Measurements of a world model: a checkpoint in training, or a bundle on a recorded drive."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BASELINES = ("copy_last", "last_seen", "data_mean")  # baselines, the same for every model


class Measurements(NamedTuple):
    """Predictions and outcomes: M windows, K steps ahead, G of them printed; NaN if unknown. Step k has the picture
    that action k led to, its reward, and whether the episode continued after it."""

    segment: np.ndarray
    """(M,): the drive, or part of one, of the window; windows of one segment are not independent."""
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
    """(M, K): predicted probability that the episode continues."""
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
    """The windows of all parts, in order. Raises ValueError without any part."""
    if not parts:
        raise ValueError("there are no measurements to join: no window was predicted")

    def joined(values: Sequence):
        if isinstance(values[0], dict):
            return {key: np.concatenate([value[key] for value in values]) for key in values[0]}
        return None if values[0] is None else np.concatenate(values)

    return Measurements(*(joined(values) for values in zip(*parts, strict=True)))
