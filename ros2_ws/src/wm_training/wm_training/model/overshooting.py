"""Open-loop losses: pictures, vector inputs and terms of the reward imagined several steps ahead, compared with the
recording.

Decoder and heads otherwise get only beliefs that have observed the picture. Here the prior is rolled forward with the
recorded actions and every latent at its mean, as in the planner, and they learn to read the states reached:
overshooting (PlaNet, Hafner et al. 2019, section 4) on observations.

Only the decoder and the heads learn. The recorded actions were chosen by a driver who saw the road ahead, so they
reveal it; a dynamics model trained several steps ahead learns "full throttle, so the road is straight", and a planner
then finds that full throttle makes roads straight (Ortega et al. 2021; docs/experiments.md has the cost).
"""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from wm_training.model import losses
from wm_training.model.rssm import State

if TYPE_CHECKING:
    from wm_training.model.batch import Batch
    from wm_training.model.world_model import WorldModel


class Ahead(NamedTuple):
    """Imagined stretches: n starts in each of B sequences, H steps from each, without gradients."""

    sequences: Tensor
    """(B, 1): numbers of the sequences, to index a batch with."""
    rows: Tensor
    """(B, n, H): the rows that act; the state reached is that of the row after."""
    beliefs: Tensor
    """(B, n, H, F): the states reached."""
    goes_on: Tensor
    """(B, n, H): 1.0 until another episode begins."""
    steps: Tensor
    """(B, n): the step of each whose picture is decoded, from 0."""


@torch.no_grad()
def imagine_ahead(model: "WorldModel", states: State, batch: "Batch", numbers: Tensor) -> Ahead:
    """Up to ``open_loop_steps`` H steps from the posterior's ``states`` (B, T, …).

    ``numbers`` (B, n, 2), uniform in [0, 1), draw n starts in each sequence, and a step of each."""
    length = batch.reward.shape[1]
    horizon = min(model.config.open_loop_steps, length - 1)  # validation has shorter sequences too
    starts = (numbers[..., 0] * (length - horizon)).long()
    rows = starts[..., None] + torch.arange(horizon, device=starts.device)
    sequences = torch.arange(len(rows), device=rows.device)[:, None]
    start = State(*(part[sequences, starts].flatten(0, 1) for part in states))
    actions = batch.action[sequences[..., None], rows].flatten(0, 1)
    reached, _ = model.rssm.imagine(start, actions, horizon)
    goes_on = torch.cumprod(1.0 - batch.is_first[sequences[..., None], rows + 1], dim=-1)
    steps = (numbers[..., 1] * horizon).long()
    return Ahead(sequences, rows, reached.unflatten(0, starts.shape), goes_on, steps)


def open_loop_loss(model: "WorldModel", ahead: Ahead, batch: "Batch") -> Tensor:
    """Squared error, summed over the picture, of one picture of each stretch. Pictures after the start of a new episode
    are ignored."""
    step = ahead.steps[..., None]
    beliefs = ahead.beliefs.take_along_dim(step[..., None], 2).squeeze(2)
    shown = ahead.rows.gather(2, step).squeeze(2) + 1
    errors = model.decoder.squared_errors(beliefs.flatten(0, 1), batch.image[ahead.sequences, shown].flatten(0, 1))
    counted = batch.camera_mask[ahead.sequences, shown] * ahead.goes_on.gather(2, step)
    return (errors.unflatten(0, shown.shape) * counted).sum(-1).mean()


def numbers_errors(head: nn.Module, ahead: Ahead, targets: Tensor) -> Tensor:
    """Losses (B, n, H) of what ``head`` says at every step; ``targets`` (B, T, ·) of each row's action are normalised,
    NaN where unknown."""
    expected = targets[ahead.sequences[..., None], ahead.rows]
    return losses.numbers_loss(head(ahead.beliefs), expected) * ahead.goes_on
