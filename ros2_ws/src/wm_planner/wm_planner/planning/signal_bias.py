"""What a model is steadily wrong about in its signals, learned while driving.

Shapes: N candidates, H horizon, V vector inputs.
"""

import numpy as np

_KEPT = 0.9  # of the bias, from one period to the next


class SignalBias:
    """The slow mean of measured minus imagined signals, one step ahead: without it a model that imagines 12 m/s where
    it drives 14 m/s would keep 14 m/s for a target of 12 m/s."""

    def __init__(self, count: int):
        self.values = np.zeros(count, np.float32)

    def learn(self, measured: np.ndarray, imagined: np.ndarray) -> None:
        """Add a measurement (V,) and what was imagined of it (V,); a missing one (NaN) teaches nothing."""
        error = np.where(np.isfinite(measured), measured - imagined, self.values)
        self.values += (1.0 - _KEPT) * (error - self.values)
