"""The costs of another speed than wanted, and of one above the limit."""

from dataclasses import dataclass

import numpy as np
from wm_bundle.processes.parameters import parameter

from wm_planner.errors import ConfigError
from wm_planner.planning.costs.objective import Objective, excess, imagines

SPEED, SPEED_LIMIT = "speed", "speed_limit"


@dataclass(frozen=True)
class TargetSpeedCost(Objective):
    """Squared difference from ``target_speed``, above and below it."""

    target_speed: float

    name = "target_speed_cost"
    hurries = True
    parameters = {
        name: parameter(0.0, "cost of another speed than target_speed", "reward per (m/s)²", 0.0, 1e6, live=True),
        "target_speed": parameter(
            -1.0, "speed to keep, with target_speed_cost above 0; -1: none", "m/s", -1.0, 1000.0, live=True
        ),
    }
    signals = ((SPEED,),)

    def penalty(self, futures, context):
        """See Objective."""
        return np.square(futures.signal(SPEED) - self.target_speed)

    @classmethod
    def check(cls, config, manifest):
        """See Cost."""
        super().check(config, manifest)
        if config.target_speed_cost > 0.0 > config.target_speed:
            raise ConfigError(
                f"parameter target_speed: expected 0 m/s or more with target_speed_cost above 0, found "
                f"{config.target_speed:g}; set it first, or both at once"
            )


@dataclass(frozen=True)
class SpeedLimitCost(Objective):
    """Squared excess above the speed limit: the signal of that name where the model imagines it, else the parameter."""

    speed_limit: float

    name = "speed_limit_cost"
    parameters = {
        name: parameter(0.0, "cost of a speed above the limit", "reward per (m/s)²", 0.0, 1e6, live=True),
        "speed_limit": parameter(
            -1.0,
            "speed limit for bundles that do not imagine the signal speed_limit; -1: none",
            "m/s",
            -1.0,
            1000.0,
            live=True,
        ),
    }
    signals = ((SPEED,),)

    def penalty(self, futures, context):
        """See Objective."""
        limit = futures.signal(SPEED_LIMIT)
        return excess(futures.signal(SPEED), self.speed_limit if limit is None else limit)

    @classmethod
    def check(cls, config, manifest):
        """See Cost."""
        super().check(config, manifest)
        if config.speed_limit_cost > 0.0 > config.speed_limit and not imagines(manifest, SPEED_LIMIT):
            raise ConfigError(
                f"parameter speed_limit: bundle {manifest.model_id} does not imagine the signal speed_limit, so "
                f"speed_limit_cost needs 0 m/s or more, found {config.speed_limit:g}; set it first, or both at once"
            )
