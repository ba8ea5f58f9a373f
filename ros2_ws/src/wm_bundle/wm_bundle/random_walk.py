"""Smooth random actions, for random drivers."""

from collections.abc import Sequence

import numpy as np


class RandomWalk:
    """A mean-reverting walk of (steer, longitudinal) (an Ornstein-Uhlenbeck process), biased towards throttle, else the
    car would hardly leave the start."""

    MEAN = np.array([0.0, 0.2])

    def __init__(self, keep: float, spread: float, limit: float = np.inf):
        """``keep``: share of the last value kept in a step; ``spread``: standard deviation added per step; ``limit``:
        largest magnitude."""
        self._keep, self._spread, self._limit = keep, spread, limit
        self.begin(0)

    def begin(self, seed: int | Sequence[int]) -> None:
        """Restart at the mean; the following values depend only on the seed."""
        self._random = np.random.default_rng(seed)
        self._value = self.MEAN

    def next(self) -> np.ndarray:
        """The next action (2,)."""
        noise = self._random.normal(0.0, self._spread, 2)
        walk = self._keep * self._value + (1.0 - self._keep) * self.MEAN + noise
        self._value = np.clip(walk, -self._limit, self._limit)
        return self._value
