"""Histograms of numbers with an unknown range, in bounded memory."""

import numpy as np

HALF = 512  # bins on each side of zero
MOST_BARS = 60


class Histogram:
    """Counts of numbers, added in parts. Bins merge in pairs, doubling in width, whenever a number is out of range."""

    def __init__(self):
        self._counts = np.zeros(2 * HALF, np.int64)
        self._width = 2.0**-20
        self._sum = 0.0
        self.count = 0
        self.low = self.high = 0.0

    def add(self, values: np.ndarray) -> None:
        """Add numbers of any shape; non-finite ones are ignored."""
        values = np.asarray(values, np.float64).reshape(-1)
        values = values[np.isfinite(values)]
        if not len(values):
            return
        low, high = float(values.min()), float(values.max())
        self.low, self.high = (min(self.low, low), max(self.high, high)) if self.count else (low, high)
        while not -HALF * self._width <= low <= high < HALF * self._width:
            self._widen()
        places = np.floor(values / self._width).astype(np.int64) + HALF
        self._counts += np.bincount(places, minlength=2 * HALF)
        self._sum += float(values.sum())
        self.count += len(values)

    @property
    def mean(self) -> float:
        return self._sum / self.count if self.count else 0.0

    def bars(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges (n + 1,) and counts (n,) of at most MOST_BARS bars that cover all numbers; needs at least one
        number."""
        counts, width = self._counts, self._width
        first = -HALF
        while True:
            taken = np.flatnonzero(counts)
            if taken[-1] - taken[0] < MOST_BARS:
                break
            counts, first, width = counts.reshape(-1, 2).sum(axis=1), first // 2, width * 2
        counts = counts[taken[0] : taken[-1] + 1]
        return (first + taken[0] + np.arange(len(counts) + 1)) * width, counts

    def _widen(self) -> None:
        halved = self._counts.reshape(-1, 2).sum(axis=1)
        self._counts = np.concatenate([np.zeros(HALF // 2, np.int64), halved, np.zeros(HALF // 2, np.int64)])
        self._width *= 2
