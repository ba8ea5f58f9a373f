"""Smooth random actions, for whoever drives at random."""

from collections.abc import Sequence

import numpy as np


class RandomWalk:
    """A walk of (steer, longitudinal) that returns to its mean (an Ornstein-Uhlenbeck process); it leans
    towards the throttle, else the car would hardly leave the start."""

    MEAN = np.array([0.0, 0.2])

    def __init__(self, keep: float, spread: float, limit: float = np.inf):
        """``keep``: share of the last value that stays in a step; ``spread``: standard deviation of what a step adds;
        ``limit``: largest value that is remembered."""
        self._keep, self._spread, self._limit = keep, spread, limit
        self.begin(0)

    def begin(self, seed: int | Sequence[int]) -> None:
        """Restart at the mean; what follows is a function of the seed."""
        self._random = np.random.default_rng(seed)
        self._value = self.MEAN

    def next(self) -> np.ndarray:
        """The next action (2,)."""
        noise = self._random.normal(0.0, self._spread, 2)
        walk = self._keep * self._value + (1.0 - self._keep) * self.MEAN + noise
        self._value = np.clip(walk, -self._limit, self._limit)
        return self._value
