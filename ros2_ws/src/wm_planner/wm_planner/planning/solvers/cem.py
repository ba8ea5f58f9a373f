"""The cross-entropy method."""

import numpy as np
from wm_bundle.processes.parameters import parameter

from wm_planner.errors import ConfigError
from wm_planner.planning.solvers.sampling import SamplingSettings, SamplingSolver


class CEM(SamplingSolver):
    """The next centre is the mean of the best candidates (elites), the next width their spread."""

    name = "cem"
    place = 2
    parameters = SamplingSolver.parameters | {
        "elites": parameter(8, "cem: best candidates that form the next centre", low=1, high=4096, live=True)
    }

    def __init__(self, settings: SamplingSettings, elites: int):
        """``elites``: how many of the best candidates form the next centre, 1 to N."""
        if not 1 <= elites <= settings.candidates:
            raise ValueError(f"elites: expected 1 to {settings.candidates}, found {elites}")
        super().__init__(settings)
        self._elites = elites

    @classmethod
    def check(cls, config):
        """See Solver."""
        if config.elites > config.candidates:
            raise ConfigError(
                f"parameter elites: expected at most candidates ({config.candidates}), found {config.elites}"
            )

    @classmethod
    def from_config(cls, config, horizon):
        """See Solver."""
        return cls(SamplingSettings.from_config(config, horizon), config.elites)

    def _refit(self, plans, returns, std):
        elites = min(self._elites, len(plans))
        best = plans[np.argpartition(-returns, elites - 1)[:elites]]  # (elites, H, 2)
        centre = best.mean(axis=0)
        # One width per dimension, pooled over the horizon. Never wider than at the start, see sampling.py.
        spread = np.sqrt(np.square(best - centre).mean(axis=(0, 1)))
        return centre, np.clip(spread, 0.2 * self._base_std, self._base_std)
