"""95 % intervals by resampling (Efron & Tibshirani 1993), with a separate generator: the same seed gives the same
interval."""

from collections.abc import Iterator

import numpy as np

from wm_evaluation.metrics.returns import weighted_rank_correlations

INTERVAL = (2.5, 97.5)  # percentiles that enclose 95 % of the resamples
BLOCK_NUMBERS = 2**22  # number of weights computed at a time


class SegmentBootstrap:
    """Resamples entire segments with replacement: windows of one drive, or of one part of it, are not independent.

    Every result has 1 + R rows: the data as they are, then R resamples. Two instances with the same segments, resamples
    and seed draw the same segments, so rows of two models on the same data can be subtracted: ``interval`` of the
    difference is a paired one.
    """

    def __init__(self, segments: np.ndarray, resamples: int, seed: int):
        """``segments`` (M,): the segment of each window. Raises ValueError without any."""
        if not len(segments):
            raise ValueError("a bootstrap needs at least one window, got none")
        _, self._slots = np.unique(segments, return_inverse=True)
        self.segments = int(self._slots.max()) + 1
        shares = np.full(self.segments, 1.0 / self.segments)
        counts = np.random.default_rng(seed).multinomial(self.segments, shares, resamples)
        self._weights = np.concatenate([np.ones((1, self.segments)), counts])  # (1 + R, segments)

    def ratio(self, above: np.ndarray, below: np.ndarray) -> np.ndarray:
        """Sum of ``above`` over sum of ``below``, both (M, K); (1 + R, K), NaN where the second is 0. Resamples are NaN
        where fewer than two segments contribute to the second."""
        parts = self._sums(below)
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = (self._weights @ self._sums(above)) / (self._weights @ parts)
        rows[1:, (parts != 0.0).sum(0) < 2] = np.nan
        return rows

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means over the windows, (M, K) to (1 + R, K), ignoring NaN."""
        known = np.isfinite(values)
        return self.ratio(np.where(known, values, 0.0), known.astype(float))

    def pooled_mean(self, values: np.ndarray) -> np.ndarray:
        """Mean over windows and steps together, (M, K) to (1 + R, 1)."""
        known = np.isfinite(values)
        return self.ratio(np.where(known, values, 0.0).sum(1, keepdims=True), known.sum(1, keepdims=True).astype(float))

    def rank_correlations(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Rank correlation over the windows at each step, (M, K) twice to (1 + R, K)."""
        columns = range(left.shape[1])
        blocks = [
            np.stack([weighted_rank_correlations(left[:, k], right[:, k], weights) for k in columns], 1)
            for weights in self._window_weights()
        ]
        return np.concatenate(blocks)

    def interval(self, rows: np.ndarray) -> np.ndarray:
        """95 % interval (2, K) of the result of any method; NaN with fewer than two segments."""
        result = np.full((2, rows.shape[1]), np.nan)
        known = np.isfinite(rows[1:]).any(0)
        if self.segments >= 2 and known.any():
            result[:, known] = np.nanpercentile(rows[1:, known], INTERVAL, axis=0)
        return result

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Sums of (M, K) over the windows of each segment, (segments, K)."""
        sums = np.zeros((self.segments, values.shape[1]))
        np.add.at(sums, self._slots, values)
        return sums

    def _window_weights(self) -> Iterator[np.ndarray]:
        """How often each window occurs in each resample, a block of rows of (1 + R, M) at a time."""
        count = max(1, BLOCK_NUMBERS // len(self._slots))
        for first in range(0, len(self._weights), count):
            yield self._weights[first : first + count, self._slots]


def mean_interval(values: np.ndarray, resamples: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Mean of independent values (M,), such as scores of episodes, and its 95 % percentile interval (low, high).

    NaN is ignored. The interval is NaN for fewer than two values, the mean NaN without any. The interval of fewer than
    about ten values is too narrow.
    """
    return weighted_interval(values, np.ones(len(values)), resamples, seed)


def weighted_interval(
    values: np.ndarray, weights: np.ndarray, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """As ``mean_interval``, where value m counts ``weights[m]`` (M,) times: of rates per kilometre and kilometres, the
    rate of all kilometres together. A weight of 0 is as no value."""
    values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    known = np.isfinite(values) & (weights > 0.0)
    if not known.any():
        return float("nan"), float("nan"), float("nan")
    values, weights = values[known, None], weights[known, None]
    bootstrap = SegmentBootstrap(np.arange(len(values)), resamples, seed)
    rows = bootstrap.ratio(values * weights, weights)
    low, high = bootstrap.interval(rows)[:, 0].tolist()
    return float(rows[0, 0]), low, high


def paired_difference(
    ours: np.ndarray, baseline: np.ndarray, resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of ``ours - baseline`` over pairs (M,), and its 95 % interval (low, high); ignoring pairs with NaN. Raises
    ValueError for arrays of different lengths."""
    ours, baseline = np.asarray(ours, np.float64), np.asarray(baseline, np.float64)
    if ours.shape != baseline.shape:
        raise ValueError(f"expected pairs, got {len(ours)} values against {len(baseline)}")
    return mean_interval(ours - baseline, resamples, seed)
