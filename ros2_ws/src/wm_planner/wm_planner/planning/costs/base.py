"""The interface of a cost, and its inputs.

Shapes: N candidates, H horizon, M futures imagined of each candidate. Plans are search actions (steer, longitudinal).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from wm_bundle import BundleManifest
from wm_bundle.processes.parameters import NodeParameters
from wm_bundle.vector_inputs import VectorInput

from wm_planner.engine.imagined import Imagined
from wm_planner.errors import ConfigError


@dataclass(frozen=True)
class CostContext:
    """The situation before any plan.

    ``previous`` (2,): the search action before the plans' first. ``proposal`` (H, 2): the actor's plan. ``vector``: the
    bundle's vector inputs now, by name, in physical units; ``past`` (2, V): those one period before the plans' first
    step, and at it. ``period_s`` [s] is a step. ``terms``: names of the reward's imagined terms.
    """

    previous: np.ndarray
    proposal: np.ndarray
    vector: Mapping[str, float] = field(default_factory=dict)
    past: np.ndarray | None = None
    period_s: float = 1.0
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Futures:
    """N candidates, each imagined M times with different noise.

    ``imagined`` has M·N rows, sample by sample; ``returns`` (M, N) without costs; ``reward_weights`` and
    ``value_weights`` (M·N, H): the weight of each step's reward and value in them. ``names`` of the vector inputs.
    """

    imagined: Imagined
    returns: np.ndarray
    reward_weights: np.ndarray
    value_weights: np.ndarray
    names: tuple[str, ...] = ()

    def signal(self, name: str) -> np.ndarray | None:
        """An imagined vector input (M·N, H) in its unit; None for a model that does not imagine it."""
        if self.imagined is None or self.imagined.vector is None or name not in self.names:
            return None
        return self.imagined.vector[..., self.names.index(name)]

    def signal_with_past(self, name: str, past: np.ndarray) -> np.ndarray:
        """An imagined signal after its two values in ``past`` (2, V): (M·N, H + 2). A missing one is replaced by the
        first imagined."""
        imagined = self.signal(name)
        before = np.broadcast_to(past[:, self.names.index(name)], (len(imagined), 2))
        before = np.where(np.isfinite(before), before, imagined[:, :1])
        return np.concatenate([before, imagined], axis=1)

    def total(self, steps: np.ndarray) -> np.ndarray:
        """Sums (N,) of ``steps`` (M·N, H), each weighted as a reward is in the return; the mean over futures."""
        return (self.reward_weights * steps).sum(axis=1).reshape(self.returns.shape).mean(axis=0)


@dataclass(frozen=True)
class Cost:
    """One reason to score a plan lower. ``weight`` is the value of the parameter ``name``; at 0 the cost is off. A
    subclass's other fields have the values of the parameters of their names.

    To add one, write its class in a file of this folder: it is found there, with its parameters.
    """

    name: ClassVar[str]
    parameters: ClassVar[dict[str, Any]]
    """The weight, and the cost's other parameters, made by ``wm_bundle.processes.parameters.parameter``."""
    inputs: ClassVar[tuple[VectorInput, ...]] = ()
    """Vector inputs that it reads from the context. A bundle without them is refused."""
    ensemble: ClassVar[bool | None] = None
    """True: only for models with an ensemble; False: only for those without; None: for all."""
    several_futures: ClassVar[bool] = False
    """Whether it compares several futures of a plan: each plan is then imagined ``risk_samples`` times."""
    opens: ClassVar[bool] = False
    """Whether it asks for other speeds than the actor's: the search then begins at the best of plans with any throttle
    or brake within ``objective_reach``."""
    hurries: ClassVar[bool] = False
    """Whether it may ask for a higher speed than the actor's too."""

    weight: float

    def __call__(self, plans: np.ndarray, futures: Futures, context: CostContext) -> np.ndarray:
        """The costs (N,) of ``plans`` (N, H, 2) in the reward's units, to be subtracted from their returns."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: NodeParameters, weight: float) -> Cost:
        """The cost from the parameters."""
        return cls(weight, **{entry.name: getattr(config, entry.name) for entry in fields(cls)[1:]})

    @classmethod
    def normal_weight(cls, config: NodeParameters) -> float:
        """The weight, except in the mode DEGRADED."""
        return getattr(config, cls.name)

    @classmethod
    def cautious_weight(cls, config: NodeParameters) -> float:
        """The weight in the mode DEGRADED."""
        return config.cautious_costs * getattr(config, cls.name)

    @classmethod
    def check(cls, config: NodeParameters, manifest: BundleManifest) -> None:
        """Raise ConfigError if this cost is on and the bundle does not support it."""
        missing = [entry for entry in cls.inputs if manifest.column(entry) is None]
        if cls.normal_weight(config) > 0.0 and missing:
            raise ConfigError(
                f"parameter {cls.name}: bundle {manifest.model_id} has no input {missing[0].name} "
                f"[{missing[0].unit}], which this cost needs; set it to 0"
            )
