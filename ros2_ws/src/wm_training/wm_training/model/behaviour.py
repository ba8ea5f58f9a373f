"""Policy learning in imagination: actor and critic on imagined states (DreamerV1 to V3).

The world model's weights get no gradient from here: the actor must not bend the model to its advantage.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wm_training.model import losses
from wm_training.model.heads import search_to_command
from wm_training.model.noise import Noise
from wm_training.model.rssm import State

if TYPE_CHECKING:
    from wm_training.model.world_model import WorldModel

RANGE_DECAY = 0.99
"""Moving average of the spread of the returns, per update."""


def learn_in_imagination(model: "WorldModel", states: State, noise: Noise) -> dict[str, Tensor]:
    """Losses ``actor``, ``critic`` and ``entropy``, metrics, and ``imagined/returns`` (M, H).

    Imagines from some of the posterior states (B, T, …) with sampled actions; the actor's gradient runs back through
    the dynamics.
    """
    config = model.config
    state = _starts(states, noise.start)
    entropies, numbers = [], iter(noise.action.flatten(0, 1).unbind(1))

    def choose(belief: Tensor) -> Tensor:
        action, log_density = model.actor(belief.detach()).sample(next(numbers))
        entropies.append(-log_density)  # estimated from the actor's samples
        return search_to_command(action)

    with _frozen(model.rssm, model.reward, model.continues):
        reached, _ = model.rssm.imagine(state, choose, config.imagination_horizon, noise.imagined.flatten(0, 1))
        beliefs = torch.cat([state.belief[:, None], reached], 1)
        reached = beliefs[:, 1:]
        rewards = model.reward.mean(model.reward(reached))
        continues = torch.sigmoid(model.continues(reached))
        next_values = model.target_value.mean(model.target_value(reached))
    returns = losses.lambda_returns(rewards, continues, next_values, config.discount, config.return_lambda)
    weights = losses.reach_weights(continues, config.discount)
    # Small returns are not scaled: dividing by less than one would amplify their noise.
    scale = model.return_range.clamp(min=1.0)
    values = model.value(beliefs[:, :-1].detach())
    return {
        "actor": losses.actor_loss(returns, weights, scale),
        "critic": losses.critic_loss(model.value.loss(values, returns.detach()), weights),
        "entropy": losses.entropy_loss(torch.stack(entropies, 1), weights),
        "imagined/returns": returns.detach(),
        "metric/imagined_return": returns.detach().mean(),
        "metric/return_range": model.return_range.clone(),
    }


def _starts(states: State, numbers: Tensor) -> State:
    """The states (M, …) at the rows that ``numbers`` (B, n) select, detached from their history."""
    length = states.deterministic.shape[1]
    rows = (numbers * length).long().clamp(max=length - 1)

    def pick(tensor: Tensor) -> Tensor:
        index = rows[..., None].expand(*rows.shape, tensor.shape[-1])
        return tensor.detach().gather(1, index).flatten(0, 1)

    return State(pick(states.deterministic), pick(states.stochastic))


def spread(returns: Tensor) -> Tensor:
    """From the 5th to the 95th percentile of returns (M, H) (DreamerV3)."""
    values = returns.float().flatten()
    return torch.quantile(values, 0.95) - torch.quantile(values, 0.05)


@contextmanager
def _frozen(*modules: nn.Module) -> Iterator[None]:
    """Within the block, the modules pass gradients to their inputs but collect none for their weights."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
