"""Calibration of probabilities and intervals. Entries that are NaN on either side are ignored."""

import numpy as np


def reliability(predicted: np.ndarray, happened: np.ndarray, bins: int = 10) -> tuple[list[dict], float]:
    """Reliability bins of probabilities against outcomes 0 or 1, any shape, and the expected calibration error.

    Equal-width bins over [0, 1], without empty ones: ``from``, ``to``, ``count``, mean ``predicted`` and ``observed``.
    The error is the mean difference of predicted and observed share, weighted by the bins' counts (Naeini et al.
    2015); NaN without any entry.
    """
    known = np.isfinite(predicted) & np.isfinite(happened)
    predicted, happened = predicted[known], happened[known]
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
    if not table:
        return [], float("nan")
    error = sum(row["count"] * abs(row["predicted"] - row["observed"]) for row in table) / len(predicted)
    return table, float(error)


def covered(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """1.0 for each value inside its closed interval, else 0.0; any shape. NaN if unknown."""
    known = np.isfinite(truth) & np.isfinite(low) & np.isfinite(high)
    return np.where(known, (truth >= low) & (truth <= high), np.nan)
