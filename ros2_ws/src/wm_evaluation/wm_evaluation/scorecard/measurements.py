"""Measurements of a world model: a checkpoint in training, or a bundle on a recorded drive."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
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
    signal_errors: Mapping[str, np.ndarray] = MappingProxyType({})
    """(M, 2, K) of each vector input that the model imagines, see ``signals.signal_errors``."""
    signal_units: Mapping[str, str] = MappingProxyType({})
    """Units of the same."""


def join(parts: Sequence[Measurements]) -> Measurements:
    """The windows of all parts, in order. Raises ValueError without any part."""
    if not parts:
        raise ValueError("there are no measurements to join: no window was predicted")

    def joined(values: Sequence):
        first = values[0]
        if isinstance(first, Mapping):
            return {key: joined([value[key] for value in values]) for key in first}
        return first if first is None or isinstance(first, str) else np.concatenate(values)

    return Measurements(*(joined(values) for values in zip(*parts, strict=True)))


def part(measurements: Measurements, windows: np.ndarray | slice) -> Measurements:
    """Some of the windows."""

    def chosen(values):
        if isinstance(values, Mapping):
            return {key: chosen(value) for key, value in values.items()}
        return values if values is None or isinstance(values, str) else values[windows]

    return Measurements(*map(chosen, measurements))
