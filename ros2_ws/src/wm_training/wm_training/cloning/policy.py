"""A policy without memory: the world model's encoder, then its actor."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.batch import Batch
from wm_training.model.heads import Actor, TanhNormal
from wm_training.model.losses import behaviour_cloning_loss
from wm_training.model.networks import Encoder
from wm_training.model.noise import Noise

COMMANDS = ("steer", "longitudinal")
_COMMAND_SIZE = 3


class ClonePolicy(nn.Module):
    """One frame of K cameras, V numbers and perhaps the last command to a distribution over (steer, longitudinal)."""

    def __init__(self, config: WorldModelTrainConfig, channels: int, vector_size: int, previous_action: bool):
        """``channels`` C = 3K of the stacked cameras, ``vector_size`` V; ``previous_action``: the last command is an
        input.

        The embedding has the size of a belief, so that the actor on it is the world model's.
        """
        super().__init__()
        self.channels = channels
        self.previous_action = previous_action
        fed = vector_size + _COMMAND_SIZE * previous_action
        self.encoder = Encoder(config, channels // 3, fed, config.belief_size)
        self.between = nn.Sequential(nn.LayerNorm(config.belief_size), nn.SiLU())
        self.actor = Actor(config)
        self.register_buffer("vector_mean", torch.zeros(vector_size))
        self.register_buffer("vector_std", torch.ones(vector_size))

    def act(self, image: Tensor, vector: Tensor, previous_action: Tensor, camera_mask: Tensor) -> TanhNormal:
        """The distribution (M, 2) for pictures (M, C, H, W) uint8, vectors (M, V) in physical units, the commands
        (M, 3) applied before and masks (M, K), 1.0 where a camera's picture is present."""
        fed = (vector - self.vector_mean) / self.vector_std
        if self.previous_action:
            fed = torch.cat([fed, previous_action], -1)
        return self.actor(self.between(self.encoder(image, fed, camera_mask)))

    def forward(self, batch: Batch, noise: Noise | None = None, learn_policy: bool = False) -> dict[str, Tensor]:
        """The loss ``behaviour_cloning`` and what ``measures`` needs; called as WorldModelObjective is."""
        rows = (batch.image, batch.vector, batch.previous_action, batch.camera_mask)
        chosen = self.act(*(tensor.flatten(0, 1) for tensor in rows))
        label, weight = batch.expert.flatten(0, 1), batch.expert_weight.flatten()
        result = {"behaviour_cloning": behaviour_cloning_loss(chosen.log_probability(label), weight)}
        with torch.no_grad():
            error = chosen.mode - label
            moments = {"error": error.abs(), "squared_error": error.square(), "label": label, "square": label.square()}
            for name, values in moments.items():
                for command, column in zip(COMMANDS, (values * weight[:, None]).mean(0), strict=True):
                    result[f"metric/{command}_{name}"] = column
            result["metric/weight"] = weight.mean()
        return result


def measures(means: Mapping[str, float]) -> dict[str, float]:
    """From the means of ``ClonePolicy.forward``'s results: ``loss`` (negative log-likelihood), and for each command
    ``<command>_mae`` and ``<command>_r2``, the share of the labels' variance that is explained.

    The last is missing if all labels are equal. Empty where no row has a label.
    """
    weight = means["metric/weight"]
    if not weight > 0.0:
        return {}
    found = {"loss": means["behaviour_cloning"] / weight}
    for command in COMMANDS:
        error, squared, label, square = (
            means[f"metric/{command}_{name}"] / weight for name in ("error", "squared_error", "label", "square")
        )
        found[f"{command}_mae"] = error
        variance = square - label**2
        if variance > 1e-6:  # below it is rounding error of the two means
            found[f"{command}_r2"] = 1.0 - squared / variance
    return found
