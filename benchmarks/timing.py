"""Measurements within a time limit, and their summaries."""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from wm_evaluation.metrics.errors import percentiles


class Budget:
    """A time limit of measurements, kept by fewer repetitions; what cannot be repeated less is done once."""

    def __init__(self, seconds: float, shortened: list[bool] | None = None):
        self._ends_s = time.perf_counter() + seconds
        self._shortened = [] if shortened is None else shortened

    @property
    def left_s(self) -> float:
        """Seconds left; 0 when it is used up."""
        return max(0.0, self._ends_s - time.perf_counter())

    @property
    def shortened(self) -> bool:
        """Whether anything was repeated less than it should have been."""
        return bool(self._shortened)

    def shorten(self) -> None:
        """Note that something was repeated less."""
        self._shortened.append(True)

    def share(self, part: float) -> "Budget":
        """A budget of a ``part`` of the time left; what it shortens, this one has."""
        return Budget(part * self.left_s, self._shortened)

    def turns(self, most: int, least: int = 1) -> Iterator[int]:
        """0, 1, … while another turn is expected to fit, up to ``most`` and at least ``least``."""
        longest_s = 0.0
        for number in range(most):
            if number >= least and longest_s > self.left_s:
                self.shorten()
                return
            started = time.perf_counter()
            yield number
            longest_s = max(longest_s, time.perf_counter() - started)


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
