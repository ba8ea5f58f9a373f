"""The costs of a plan, one or more per file of this folder, subtracted in the order of the files."""

from __future__ import annotations

from wm_bundle import BundleManifest
from wm_bundle.processes.parameters import NodeParameters

from wm_planner.planning.costs.base import Cost
from wm_planner.planning.kinds import kinds_in

COSTS = kinds_in(__name__, __path__, Cost)


def check_costs(config: NodeParameters, manifest: BundleManifest, has_ensemble: bool | None = None) -> None:
    """Raise ConfigError for a cost that a bundle does not support.

    ``has_ensemble``: whether its model has an ensemble; None: not known yet, only costs for both kinds are checked.
    """
    for kind in COSTS:
        if kind.ensemble in (None, has_ensemble):
            kind.check(config, manifest)


def make_costs(config: NodeParameters, has_ensemble: bool, cautious: bool = False) -> list[Cost]:
    """The costs with a weight above 0 that suit a model, with or without an ensemble."""
    costs = []
    for kind in COSTS:
        weight = kind.cautious_weight(config) if cautious else kind.normal_weight(config)
        suits = kind.ensemble in (None, has_ensemble) and not (kind.several_futures and config.samples_that_fit < 2)
        if weight > 0.0 and suits:
            costs.append(kind.from_config(config, weight))
    return costs


def objectives_told(config: NodeParameters) -> str:
    """The active objectives with their parameters, as text; empty without one."""
    active = [kind for kind in COSTS if kind.opens and kind.normal_weight(config) > 0.0]
    return "; ".join(", ".join(f"{name} {getattr(config, name)}" for name in kind.parameters) for kind in active)
