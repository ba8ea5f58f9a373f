"""Other weights of the reward's terms than those it was recorded with."""

import math
from dataclasses import dataclass

import numpy as np
from wm_bundle.processes.parameters import parameter

from wm_planner.errors import ConfigError
from wm_planner.planning.costs.base import Cost

# Of the rewards driving-1 and driving-2, see wm_data.rewards.
GROUPS = {
    "safety": ("lane_invasion", "collision"),
    "efficiency": ("efficiency", "progress"),
    "comfort": ("jerk", "lateral_acceleration"),
}


def parse_weights(text: str) -> dict[str, float]:
    """Weights by the names of terms and groups, from NAME=WEIGHT, separated by commas. Raises ConfigError."""
    given: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not name or name in given or not 0.0 <= weight <= 1e6:
            raise ConfigError(
                f"parameter reward_weights: expected NAME=WEIGHT, separated by commas, each name once and each weight "
                f"from 0 to 1e6, as in efficiency=1,jerk=2; found '{part}' in '{text}'"
            )
        given[name] = weight
    return given


def weight_of(term: str, given: dict[str, float]) -> float:
    """A term's own weight, else its group's, else 1."""
    groups = [given[group] for group, terms in GROUPS.items() if term in terms and group in given]
    return given.get(term, groups[0] if groups else 1.0)


@dataclass(frozen=True)
class RewardWeights(Cost):
    """Each imagined term of the reward counts its weight times; those not named count once, as in the recording.

    The value at the end of the plan is that of the recording's weights."""

    reward_weights: str

    name = "reward_weights"
    opens = hurries = True
    parameters = {
        name: parameter(
            "",
            "weights of the reward's terms or their groups (safety, efficiency, comfort), as efficiency=1,jerk=2",
            live=True,
        )
    }

    def __call__(self, plans, futures, context):
        """See Cost."""
        given = parse_weights(self.reward_weights)
        more = np.array([weight_of(term, given) - 1.0 for term in context.terms], np.float32)
        return -futures.total(futures.imagined.reward_terms @ more)

    @classmethod
    def normal_weight(cls, config):
        """See Cost."""
        return float(any(weight != 1.0 for weight in parse_weights(config.reward_weights).values()))

    @classmethod
    def cautious_weight(cls, config):
        """See Cost."""
        return cls.normal_weight(config)

    @classmethod
    def check(cls, config, manifest):
        """See Cost."""
        imagined = manifest.reward_terms
        for name in parse_weights(config.reward_weights):
            if name not in imagined and not set(GROUPS.get(name, ())) & set(imagined):
                raise ConfigError(
                    f"parameter reward_weights: bundle {manifest.model_id} does not imagine the reward's term {name}, "
                    f"only {', '.join(imagined) or 'the whole reward'}; leave it out"
                )
