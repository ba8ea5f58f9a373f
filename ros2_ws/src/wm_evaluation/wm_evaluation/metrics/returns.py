"""Measures of predicted rewards over a horizon: M windows, K steps ahead, NaN where nothing was recorded."""

from typing import NamedTuple

import numpy as np


def imagined_returns(rewards: np.ndarray, continues: np.ndarray) -> np.ndarray:
    """Return over the first k steps for every k, (…, K) from rewards and continue probabilities (…, K). Summed as in
    the planner, but without discount: a reward is weighted by the probability that the episode got that far."""
    alive = np.cumprod(continues, axis=-1)
    alive = np.concatenate([np.ones_like(alive[..., :1]), alive[..., :-1]], axis=-1)
    return np.cumsum(alive * rewards, axis=-1)


def real_returns(rewards: np.ndarray, continues: np.ndarray) -> np.ndarray:
    """Recorded return over the first k steps, (M, K): zero rewards after a terminal, NaN after the end of a
    recording."""
    ended = np.cumsum(continues == 0.0, axis=-1) - (continues == 0.0) > 0
    return np.cumsum(np.where(ended, 0.0, rewards), axis=-1)


def weighted_rank_correlations(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's rank correlations (R,) of two (M,) arrays in which entry m occurs ``weights[r, m]`` times (R, M).

    Over the entries that both have; equal values share their rank. NaN for fewer than three entries, or if one side is
    constant.
    """
    known = np.isfinite(left) & np.isfinite(right)
    weights = weights[:, known]
    total = weights.sum(1, keepdims=True)
    middle = (total + 1.0) / 2.0  # the mean of ranks 1 to n, also with shared ranks
    one, two = (_weighted_ranks(values[known], weights) - middle for values in (left, right))
    covariance = (weights * one * two).sum(1)
    variances = (weights * one * one).sum(1) * (weights * two * two).sum(1)
    told = (total[:, 0] >= 3) & (variances > 0.0)
    return np.where(told, covariance / np.sqrt(np.where(told, variances, 1.0)), np.nan)


def _weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ranks (R, M), from 1, of values (M,) that occur ``weights`` (R, M) times; equal values get the mean rank."""
    _, group = np.unique(values, return_inverse=True)
    member = np.zeros((len(weights), int(group.max(initial=-1)) + 1))
    np.add.at(member.T, group, weights.T)
    ends = np.cumsum(member, axis=1)
    return (ends - (member - 1.0) / 2.0)[:, group]


class BreakEven(NamedTuple):
    """Where error curves cross, in steps; K + 1 means "not within K steps". Both (R,)."""

    begins: np.ndarray
    """First step at which the model is better than the baseline."""
    stops: np.ndarray
    """First step after that at which it is no longer better; 1 for a model that never is."""


def break_even(model: np.ndarray, baseline: np.ndarray) -> BreakEven:
    """Break-even horizon of error curves (R, K). Copying the last frame is hard to beat one step ahead, so a model may
    become better only after the first step; equal errors are not better."""
    steps = model.shape[1]
    better = model < baseline
    begins = np.where(better.any(1), better.argmax(1) + 1, steps + 1)
    later = np.arange(1, steps + 1) > begins[:, None]
    lost = later & ~better
    stops = np.where(lost.any(1), lost.argmax(1) + 1, steps + 1)
    return BreakEven(begins, np.where(better.any(1), stops, 1))
