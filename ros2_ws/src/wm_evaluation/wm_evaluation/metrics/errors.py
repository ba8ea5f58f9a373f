"""Errors of numbers against recorded ones, any shape. Entries that are NaN on either side are ignored."""

import numpy as np


def known_mean(values: np.ndarray) -> float:
    """Mean of the finite entries; NaN without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def sign_agreements(predicted: np.ndarray, truth: np.ndarray, threshold: float) -> np.ndarray:
    """1.0 where both have the same sign, 0.0 where not (a zero agrees with nothing), NaN where |truth| <= threshold."""
    counts = np.isfinite(predicted) & (np.abs(truth) > threshold)
    return np.where(counts, np.sign(predicted) == np.sign(truth), np.nan)


def percentiles(values: np.ndarray) -> dict[str, float]:
    """``p50``, ``p95``, ``p99`` and ``max``, linearly interpolated, in the values' unit; NaN without any."""
    known = values[np.isfinite(values)]
    found = np.percentile(known, (50, 95, 99, 100)) if known.size else np.full(4, np.nan)
    return dict(zip(("p50", "p95", "p99", "max"), map(float, found), strict=True))
