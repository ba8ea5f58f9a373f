"""Summaries of measured times."""

from collections.abc import Sequence

import numpy as np


def median(values: Sequence[float]) -> float:
    """The middle value: a machine that others share disturbs single measurements, and only upwards."""
    return float(np.median(values))


def latency_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest, in milliseconds."""
    milliseconds = 1000.0 * np.asarray(seconds)
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99))
    return {
        name: round(float(value), 3)
        for name, value in (("p50", p50), ("p95", p95), ("p99", p99), ("max", milliseconds.max()))
    }
