"""Measures of predictions, as pure functions of arrays: M windows, K steps ahead, NaN where nothing was recorded."""

from typing import NamedTuple

import numpy as np
import torch
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.functional.regression import spearman_corrcoef

SMALLEST_ERROR = 1e-10  # of a mean squared error; a perfect prediction has a PSNR of 100 dB instead of an infinite one
FEWEST_TERMINALS = 20  # ends below which the calibration of the continue head cannot be told


def psnr(squared_error: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio [dB] of mean squared errors of pictures in [0, 1], any shape; at most 100 dB.

    Taken of an error that was averaged first: the average of single pictures' PSNR would be infinite wherever a
    standing car makes copying the last frame perfect.
    """
    return -10.0 * np.log10(np.maximum(squared_error, SMALLEST_ERROR))


def ssim(predicted: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """Structural similarity (Wang et al. 2004) of every camera's picture: uint8 (…, 3K, H, W) twice to (…, K)."""
    one, two = (_by_camera(pictures).flatten(0, -4) for pictures in (predicted, truth))
    values = structural_similarity_index_measure(one, two, data_range=1.0, reduction="none")
    return values.reshape(*truth.shape[:-3], -1).double().numpy()


def squared_error(predicted: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """Mean squared error of every camera's picture, on the scale [0, 1]: uint8 (…, 3K, H, W) twice to (…, K)."""
    return (_by_camera(predicted) - _by_camera(truth)).square().flatten(-3).mean(-1).double().numpy()


def _by_camera(pictures: torch.Tensor) -> torch.Tensor:
    return (pictures.float() / 255.0).unflatten(-3, (-1, 3))


def camera_mean(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Mean over the cameras that were there: (…, K) twice to (…); NaN where none was."""
    count = present.sum(-1)
    return np.where(count > 0, (values * present).sum(-1) / np.maximum(count, 1), np.nan)


def imagined_returns(rewards: np.ndarray, continues: np.ndarray) -> np.ndarray:
    """Return over the first k steps for every k, (…, K) from rewards and continue probabilities (…, K).

    As the planner sums it, without its discount: a reward counts by the probability that the episode got that far.
    """
    alive = np.cumprod(continues, axis=-1)
    alive = np.concatenate([np.ones_like(alive[..., :1]), alive[..., :-1]], axis=-1)
    return np.cumsum(alive * rewards, axis=-1)


def real_returns(rewards: np.ndarray, continues: np.ndarray) -> np.ndarray:
    """Recorded return over the first k steps, (M, K): nothing comes after a terminal, NaN after a recording's end."""
    ended = np.cumsum(continues == 0.0, axis=-1) - (continues == 0.0) > 0
    return np.cumsum(np.where(ended, 0.0, rewards), axis=-1)


def rank_correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Spearman's rank correlation of two (M,) arrays, over the entries that both know.

    NaN for fewer than three of them, or where one side says the same number everywhere.
    """
    known = np.isfinite(left) & np.isfinite(right)
    left, right = left[known], right[known]
    if len(left) < 3 or np.ptp(left) == 0.0 or np.ptp(right) == 0.0:
        return float("nan")
    return float(spearman_corrcoef(torch.from_numpy(left).double(), torch.from_numpy(right).double()))


class BreakEven(NamedTuple):
    """Where curves of errors cross, in steps; K + 1 stands for "not within K steps". Both (R,)."""

    begins: np.ndarray
    """First step at which the model is better than the baseline."""
    stops: np.ndarray
    """First step after that at which it is not better any more; 1 for a model that never is."""


def break_even(model: np.ndarray, baseline: np.ndarray) -> BreakEven:
    """Break-even horizon of error curves (R, K). Copying the last frame is hard to beat one step ahead, so a model may
    begin to be better later than at the first step; equal errors are not better."""
    steps = model.shape[1]
    better = model < baseline
    begins = np.where(better.any(1), better.argmax(1) + 1, steps + 1)
    later = np.arange(1, steps + 1) > begins[:, None]
    lost = later & ~better
    stops = np.where(lost.any(1), lost.argmax(1) + 1, steps + 1)
    return BreakEven(begins, np.where(better.any(1), stops, 1))


def reliability(predicted: np.ndarray, happened: np.ndarray, bins: int = 10) -> tuple[list[dict], float]:
    """Reliability bins of probabilities (M,) against outcomes 0 or 1 (M,), and the expected calibration error.

    Equal-width bins over [0, 1], empty ones left out; the error is the mean distance between predicted and observed
    share, weighted by the bins' counts (Naeini et al. 2015).
    """
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    table = []
    for i in np.unique(place).tolist():
        inside = place == i
        table.append(
            {
                "from": i / bins,
                "to": (i + 1) / bins,
                "count": int(inside.sum()),
                "predicted": float(predicted[inside].mean()),
                "observed": float(happened[inside].mean()),
            }
        )
    error = sum(row["count"] * abs(row["predicted"] - row["observed"]) for row in table) / max(1, len(predicted))
    return table, float(error)


class EpisodeBootstrap:
    """Resamples whole episodes with replacement (Efron & Tibshirani 1993): windows of one episode are not independent.

    Every result has 1 + R rows: the data as they are, then R resamples of it.
    """

    def __init__(self, episodes: np.ndarray, resamples: int, seed: int):
        """``episodes`` (M,) says which episode each window is of."""
        _, self._slots = np.unique(episodes, return_inverse=True)
        self.episodes = int(self._slots.max()) + 1
        shares = np.full(self.episodes, 1.0 / self.episodes)
        counts = np.random.default_rng(seed).multinomial(self.episodes, shares, resamples)
        self._weights = np.concatenate([np.ones((1, self.episodes)), counts])  # (1 + R, E)

    def ratio(self, above: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Sum of ``above`` over sum of ``below``, both (M, K); (1 + R, K), NaN where the second is 0."""
        member = np.zeros((self.episodes, len(self._slots)))
        member[self._slots, np.arange(len(self._slots))] = 1.0
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self._weights @ (member @ above)) / (self._weights @ (member @ below))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means over the windows, (M, K) to (1 + R, K); entries that are NaN do not count."""
        known = np.isfinite(values)
        return self.ratio(np.where(known, values, 0.0), known.astype(float))

    def pooled_mean(self, values: np.ndarray) -> np.ndarray:
        """Mean over windows and steps together, (M, K) to (1 + R, 1)."""
        known = np.isfinite(values)
        return self.ratio(np.where(known, values, 0.0).sum(1, keepdims=True), known.sum(1, keepdims=True).astype(float))

    def rank_correlations(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Rank correlation over the windows at each step, (M, K) twice to (1 + R, K)."""
        members = [np.flatnonzero(self._slots == episode) for episode in range(self.episodes)]
        rows = []
        for weights in self._weights.astype(int):
            chosen = np.concatenate([np.tile(members[e], weights[e]) for e in range(self.episodes)])
            rows.append([rank_correlation(left[chosen, k], right[chosen, k]) for k in range(left.shape[1])])
        return np.array(rows)

    def interval(self, rows: np.ndarray) -> np.ndarray:
        """95 % interval (2, K) of what any of the methods gave; NaN with fewer than two episodes."""
        result = np.full((2, rows.shape[1]), np.nan)
        known = np.isfinite(rows[1:]).any(0)
        if self.episodes >= 2 and known.any():
            result[:, known] = np.nanpercentile(rows[1:, known], [2.5, 97.5], axis=0)
        return result
