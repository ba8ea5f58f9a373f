"""The open-loop loss: what the model imagines several steps ahead from recorded actions, held against the recording.

The other losses look one step ahead, the planner a second. Here the prior is rolled forward with every latent at its
mean, as the planner does, and the decoder and the heads learn to read the states it comes to: overshooting (PlaNet,
Hafner et al. 2019, section 4) on pictures, rewards and values instead of latents.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wm_training.model import losses
from wm_training.model.rssm import State

if TYPE_CHECKING:
    from wm_training.model.world_model import Batch, WorldModel


def open_loop_loss(model: "WorldModel", states: State, returns: Tensor, batch: "Batch", chance: Tensor) -> Tensor:
    """Loss of pictures, rewards, ends and values over ``open_loop_steps`` H steps, each weighted as its one-step loss.

    ``states`` (B, T, …) are the posterior's, ``returns`` (B, T) what the value head learns. ``chance`` (B, n, 2),
    uniform in [0, 1), draws n starts in each sequence, and the one step of each whose picture is decoded: pictures
    cost most. Steps from where a new episode begins do not count.
    """
    config, length = model.config, batch.reward.shape[1]
    horizon = min(config.open_loop_steps, length - 1)  # validation has shorter sequences too
    starts = (chance[..., 0] * (length - horizon)).long()
    rows = starts[..., None] + torch.arange(horizon, device=starts.device)  # (B, n, H): the rows that act
    beliefs = _imagine(model, states, batch.action, rows)
    alive = torch.cumprod(1.0 - _picked(batch.is_first, rows + 1), dim=-1)
    result = torch.zeros((), device=starts.device)
    if config.reward_weight:
        errors = model.reward.loss(model.reward(beliefs), _picked(batch.reward, rows))
        result = result + config.reward_weight * (errors * alive).mean()
    if config.continue_weight:
        errors = losses.continue_loss(model.continues(beliefs), 1.0 - _picked(batch.terminal, rows))
        result = result + config.continue_weight * (errors * alive).mean()
    if config.value_weight:
        errors = model.value.loss(model.value(beliefs), _picked(returns, rows + 1))
        result = result + config.value_weight * (errors * alive).mean()
    if config.reconstruction_weight:
        step = (chance[..., 1:] * horizon).long()  # (B, n, 1)
        shown = (rows.gather(2, step) + 1).squeeze(2)
        seen = beliefs.gather(2, step[..., None].expand(-1, -1, -1, beliefs.shape[-1])).flatten(0, 2)
        sequences = torch.arange(len(shown), device=shown.device)[:, None]
        errors = model.decoder.squared_errors(seen, batch.image[sequences, shown].flatten(0, 1))
        counted = batch.camera_mask[sequences, shown] * alive.gather(2, step)
        result = result + config.reconstruction_weight * (errors.unflatten(0, shown.shape) * counted).sum(-1).mean()
    return result


def _imagine(model: "WorldModel", states: State, actions: Tensor, rows: Tensor) -> Tensor:
    """Beliefs (B, n, H, F) that the actions (B, T, A) in ``rows`` (B, n, H) lead to, one after the other."""
    sequences = torch.arange(len(rows), device=rows.device)[:, None]
    state = State(*(part[sequences, rows[..., 0]].flatten(0, 1) for part in states))
    beliefs = []
    for h in range(rows.shape[2]):
        state = model.rssm.imagine_step(state, actions[sequences, rows[..., h]].flatten(0, 1))
        beliefs.append(state.belief)
    return torch.stack(beliefs, 1).unflatten(0, rows.shape[:2])


def _picked(values: Tensor, rows: Tensor) -> Tensor:
    """What stands in ``rows`` (B, n, H) of values (B, T)."""
    return values[:, None].expand(-1, rows.shape[1], -1).gather(2, rows)
