"""Statistics of columns as in LeRobot: min, max, mean, std, count and quantiles, of episodes and of all."""

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
Statistics = dict[str, list]


def of_numbers(values: np.ndarray) -> Statistics | None:
    """Of a column (T,) or (T, n): lists of n numbers. NaN is ignored; None where a number is always unknown."""
    columns = values.reshape(len(values), -1).astype(np.float64)
    known = np.isfinite(columns)
    if not known.any(axis=0).all():
        return None
    columns = np.where(known, columns, np.nan)
    found = {
        "min": np.nanmin(columns, axis=0),
        "max": np.nanmax(columns, axis=0),
        "mean": np.nanmean(columns, axis=0),
        "std": np.nanstd(columns, axis=0),
        "count": np.array([len(values)]),
        **{name: np.nanquantile(columns, share, axis=0) for name, share in QUANTILES.items()},
    }
    return {name: value.tolist() for name, value in found.items()}


class PixelCounts:
    """How often each brightness occurs in each channel: enough for exact statistics of any number of pictures."""

    def __init__(self):
        self._counts = np.zeros((3, 256), np.int64)
        self._pictures = 0

    def add(self, pictures: np.ndarray) -> None:
        """Add (T, 3, H, W) uint8, in small parts."""
        self._counts += [np.bincount(pictures[:, channel].reshape(-1), minlength=256) for channel in range(3)]
        self._pictures += len(pictures)

    def add_counts(self, other: "PixelCounts") -> None:
        self._counts += other._counts
        self._pictures += other._pictures

    def statistics(self) -> Statistics:
        """Numbers shaped (3, 1, 1), brightness from 0 to 1; ``count`` is that of pictures. After the first picture."""
        levels = np.arange(256) / 255.0
        total = self._counts.sum(axis=1, keepdims=True)
        shares = self._counts / total
        mean = shares @ levels
        variance = np.maximum((shares * (levels - mean[:, None]) ** 2).sum(axis=1), 0.0)
        below = np.cumsum(self._counts, axis=1)
        found = {
            "min": levels[(self._counts > 0).argmax(axis=1)],
            "max": levels[255 - (self._counts[:, ::-1] > 0).argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(variance),
            **{name: levels[(below >= share * total).argmax(axis=1)] for name, share in QUANTILES.items()},
        }
        return {name: value.reshape(3, 1, 1).tolist() for name, value in found.items()} | {"count": [self._pictures]}
