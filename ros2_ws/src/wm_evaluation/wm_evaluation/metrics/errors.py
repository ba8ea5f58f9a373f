"""Errors of single numbers against what was recorded, any shape. Entries that are NaN on any side do not count."""

import numpy as np


def mae(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error, in the numbers' own unit. NaN without any entry."""
    error = np.abs(predicted - truth)
    known = np.isfinite(error)
    return float(error[known].mean()) if known.any() else float("nan")


def rmse(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Root mean squared error, in the numbers' own unit. NaN without any entry."""
    error = np.square(predicted - truth)
    known = np.isfinite(error)
    return float(np.sqrt(error[known].mean())) if known.any() else float("nan")


def sign_agreements(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> np.ndarray:
    """1.0 where both have the same sign, 0.0 where not (a zero agrees with nothing), NaN where |truth| <= threshold."""
    counts = np.isfinite(predicted) & (np.abs(truth) > threshold)
    return np.where(counts, np.sign(predicted) == np.sign(truth), np.nan)


def sign_agreement(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    """Share of the entries with |truth| > threshold that have the sign of the truth. NaN without any."""
    agreements = sign_agreements(predicted, truth, threshold)
    known = np.isfinite(agreements)
    return float(agreements[known].mean()) if known.any() else float("nan")


def percentiles(values: np.ndarray) -> dict[str, float]:
    """``p50``, ``p95``, ``p99`` and ``max``, linearly interpolated, in the values' own unit; NaN without any."""
    known = values[np.isfinite(values)]
    if not known.size:
        return dict.fromkeys(("p50", "p95", "p99", "max"), float("nan"))
    found = np.percentile(known, (50, 95, 99, 100))
    return dict(zip(("p50", "p95", "p99", "max"), map(float, found), strict=True))
