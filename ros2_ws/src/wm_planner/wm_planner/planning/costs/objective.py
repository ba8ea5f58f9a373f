"""What costs of imagined signals share. They ask for another way of driving than the actor's: objectives."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from wm_bundle.vector_inputs import VECTOR_INPUTS

from wm_planner.errors import ConfigError
from wm_planner.planning.costs.base import Cost, CostContext, Futures


def excess(values: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """The square of what ``values`` have above ``limit``, 0 below it."""
    return np.square(np.maximum(values - limit, 0.0))


class Objective(Cost):
    """A cost of signals that the model imagines: of every step, weighted as its reward is in the return, and averaged
    over the futures of a plan."""

    opens = True
    signals: ClassVar[tuple[tuple[str, ...], ...]]
    """Names of the vector inputs that it needs, or instead of these, others. A bundle that imagines neither is
    refused."""

    def penalty(self, futures: Futures, context: CostContext) -> np.ndarray:
        """The cost (M·N, H) of every step, without the weight."""
        raise NotImplementedError

    def __call__(self, plans, futures, context):
        """See Cost."""
        return self.weight * futures.total(self.penalty(futures, context))

    @classmethod
    def check(cls, config, manifest):
        """See Cost."""
        if not cls.normal_weight(config) > 0.0 or any(
            all(imagines(manifest, name) for name in names) for names in cls.signals
        ):
            return
        needed = " or ".join(" and ".join(names) for names in cls.signals)
        raise ConfigError(
            f"parameter {cls.name}: bundle {manifest.model_id} does not imagine {needed}, which this cost needs; train "
            f"with that vector input and a vector_weight above 0, or set {cls.name} to 0"
        )


def imagines(manifest, name: str) -> bool:
    """Whether a bundle imagines a vector input, in its usual unit."""
    entry = VECTOR_INPUTS.get(name)
    return manifest.imagines_vector and entry is not None and manifest.column(entry) is not None
