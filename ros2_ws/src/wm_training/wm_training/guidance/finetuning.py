"""One update of guided fine-tuning: proposals, their imagined returns, and the weighted regression on them.

Shapes: M states, N proposals, T rows of context.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wm_training.api import PretrainedWorldModel
from wm_training.cloning.policy import ClonePolicy
from wm_training.guidance.finetune_options import FinetuneOptions
from wm_training.guidance.returns import (
    Driver,
    advantage_weights,
    behaviour_density,
    imagined_returns,
    proposal_returns,
)
from wm_training.model.batch import Batch
from wm_training.model.heads import TanhNormal, search_to_command
from wm_training.model.losses import behaviour_cloning_loss
from wm_training.model.noise import Noise

SCORE = "score"
"""Name of the measure that decides: imagined return, and behaviour_weight times the actor's log density."""


class GuidedRows(NamedTuple):
    """The regression's data of M states: the batch of a learner whose sequences are single rows."""

    image: Tensor
    """(M, C, H, W) uint8, the recorded pictures."""
    vector: Tensor
    """(M, V)."""
    previous_action: Tensor
    """(M, 3)."""
    camera_mask: Tensor
    """(M, K)."""
    expert: Tensor
    """(M, 2): the label."""
    expert_weight: Tensor
    """(M,): 0 where there is none."""
    proposals: Tensor
    """(M, N, 2) of (steer, longitudinal)."""
    weights: Tensor
    """(M, N)."""
    reward: Tensor
    """(M, N): imagined returns of the proposals."""

    def part(self, rows: slice) -> "GuidedRows":
        """Some of the states."""
        return GuidedRows(*(tensor[rows] for tensor in self))


class RegressedPolicy(nn.Module):
    """A policy with its loss, in the form that a learner expects."""

    def __init__(self, policy: ClonePolicy):
        super().__init__()
        self.policy = policy

    def forward(self, rows: GuidedRows, noise: Noise | None = None, learn_policy: bool = False) -> dict[str, Tensor]:
        """Losses ``actor``, the weighted likelihood of the proposals, and ``behaviour_cloning``, that of the labels."""
        chosen = act(self.policy, rows)
        every = TanhNormal(chosen.mean[:, None], chosen.std[:, None])
        advantages = rows.reward - rows.reward.mean(1, keepdim=True)
        return {
            "actor": -(rows.weights * every.log_probability(rows.proposals)).mean(),
            "behaviour_cloning": behaviour_cloning_loss(chosen.log_probability(rows.expert), rows.expert_weight),
            "metric/advantage_std": advantages.square().mean().sqrt(),
            "metric/mean_weight": rows.weights.mean(),
            "metric/policy_std": chosen.action_std.mean(),
        }


def act(policy: ClonePolicy, rows: GuidedRows | Batch) -> TanhNormal:
    """The policy's distribution (M, 2) for rows without an axis of time."""
    return policy.act(rows.image, rows.vector, rows.previous_action, rows.camera_mask)


@torch.no_grad()
def compared(
    world: PretrainedWorldModel, policy: ClonePolicy, batch: Batch, options: FinetuneOptions, noise: Tensor
) -> GuidedRows:
    """Proposals of the policy in the last rows of a batch (M, T), with their imagined returns.

    ``noise`` (M, N, 2) standard normal draws them.
    """
    states, last = encoded(world, batch), last_rows(batch)
    chosen = act(policy, last)
    std = chosen.std.clamp(min=options.least_std)
    proposals = torch.tanh(chosen.mean[:, None] + std[:, None] * noise)
    driver = actor_driver(world) if options.continue_with == "actor" else policy_driver(world, policy, last.camera_mask)
    returns = proposal_returns(world, states, search_to_command(proposals), options.hold, driver, options.horizon)
    if options.behaviour_weight > 0.0:
        returns = returns + options.behaviour_weight * behaviour_density(world, states[:, None], proposals)
    weights = advantage_weights(returns, options.temperature, options.largest_weight)
    fields = {name: getattr(last, name) for name in GuidedRows._fields[:6]}
    return GuidedRows(**fields, proposals=proposals, weights=weights, reward=returns)


def measures(
    world: PretrainedWorldModel, policy: ClonePolicy, batches: Iterable[Batch], options: FinetuneOptions
) -> dict[str, float]:
    """Means over the last rows of batches (M, T): SCORE, the score of the policy's most likely commands.

    ``imagined_return`` is that of drives by the policy alone, the first command on the recorded picture and the others
    on decoded ones; ``behaviour`` (with behaviour_weight above 0) the actor's log density [nats] of the first.
    """
    returns, densities = [], []
    with torch.no_grad():
        for batch in batches:
            states, last = encoded(world, batch), last_rows(batch)
            chosen, driver = act(policy, last).mode, policy_driver(world, policy, last.camera_mask)
            first = search_to_command(chosen)
            returns.append(imagined_returns(world, states, first, 1, driver, options.validation_horizon))
            densities.append(behaviour_density(world, states, chosen))
    imagined, behaviour = float(torch.cat(returns).mean()), float(torch.cat(densities).mean())
    if not options.behaviour_weight > 0.0:
        return {SCORE: imagined, "imagined_return": imagined}
    return {SCORE: imagined + options.behaviour_weight * behaviour, "imagined_return": imagined, "behaviour": behaviour}


def encoded(world: PretrainedWorldModel, batch: Batch) -> Tensor:
    """The states (M, F) after a batch's windows (M, T), by the posterior's mean."""
    names = ("image", "vector", "previous_action", "camera_mask")
    return world.encode({name: getattr(batch, name) for name in names})


def last_rows(batch: Batch) -> Batch:
    """The last row (M, …) of each window."""
    return Batch(*(tensor[:, -1] for tensor in batch))


def actor_driver(world: PretrainedWorldModel) -> Driver:
    """The world model's own actor."""
    return lambda states, last: world.act(states)


def policy_driver(world: PretrainedWorldModel, policy: ClonePolicy, camera_mask: Tensor) -> Driver:
    """The policy's most likely commands on decoded pictures; ``camera_mask`` (M, K) of the recorded rows."""

    def drive(states: Tensor, last: Tensor) -> Tensor:
        seen = world.observations(states, last)
        mask = camera_mask.repeat_interleave(len(states) // len(camera_mask), 0)
        return search_to_command(policy.act(seen.image, seen.vector, last, mask).mode)

    return drive
