"""Measurements within a time limit, and their summaries."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from wm_evaluation.metrics.errors import percentiles


def timed(call: Callable[[], object], most: int, budget_s: float) -> list[float]:
    """Seconds of each of up to ``most`` calls; fewer, but at least one, if they take longer than ``budget_s`` together,
    so that a slow CPU measures less, not longer."""
    seconds: list[float] = []
    while not seconds or (len(seconds) < most and sum(seconds) < budget_s):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def median(values: Sequence[float]) -> float:
    """The median: on a shared machine, single measurements are disturbed, and only upwards."""
    return float(np.median(values))


def latency_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest, in milliseconds."""
    return {name: round(value, 3) for name, value in percentiles(1000.0 * np.asarray(seconds)).items()}
