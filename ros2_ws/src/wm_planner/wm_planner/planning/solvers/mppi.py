"""Path-integral control."""

import numpy as np
from wm_bundle.processes.parameters import parameter

from wm_planner.planning.solvers.sampling import SamplingSettings, SamplingSolver


class MPPI(SamplingSolver):
    """The next centre is the mean of all candidates, weighted by their exponentiated score."""

    name = "mppi"
    place = 3
    parameters = SamplingSolver.parameters | {
        "temperature": parameter(1.0, "mppi: softness of the weighting", "std of the returns", 0.01, 100.0, live=True)
    }

    def __init__(self, settings: SamplingSettings, temperature: float):
        """``temperature`` in standard deviations of the candidates' scores: independent of the scale of rewards."""
        if not temperature > 0.0:
            raise ValueError(f"temperature: expected above 0, found {temperature}")
        super().__init__(settings)
        self._temperature = temperature

    @classmethod
    def from_config(cls, config, horizon):
        """See Solver."""
        return cls(SamplingSettings.from_config(config, horizon), config.temperature)

    def _refit(self, plans, returns, std):
        advantage = returns - returns.max()
        weights = np.exp(advantage / (self._temperature * max(float(returns.std()), 1e-6)))
        weights /= weights.sum()
        return np.tensordot(weights, plans, axes=1).astype(np.float32), std
