"""The open-loop loss: pictures imagined several steps ahead, compared with the recording.

The decoder otherwise gets only beliefs that have observed the picture. Here the prior is rolled forward with the
recorded actions and every latent at its mean, as in the planner, and the decoder learns to draw the states reached:
overshooting (PlaNet, Hafner et al. 2019, section 4) on pictures.

Only the decoder learns. The recorded actions were chosen by a driver who saw the road ahead, so they reveal it; a
dynamics model trained several steps ahead learns "full throttle, so the road is straight", and a planner then finds
that full throttle makes roads straight (Ortega et al. 2021; docs/experiments.md has the cost).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wm_training.model.rssm import State

if TYPE_CHECKING:
    from wm_training.model.batch import Batch
    from wm_training.model.world_model import WorldModel


def open_loop_loss(model: "WorldModel", states: State, batch: "Batch", numbers: Tensor) -> Tensor:
    """Squared error, summed over the picture, of pictures up to ``open_loop_steps`` H steps ahead.

    ``states`` (B, T, …) are the posterior's. ``numbers`` (B, n, 2), uniform in [0, 1), draw n starts in each sequence,
    and the step of each whose picture is decoded. Pictures after the start of a new episode are ignored.
    """
    length = batch.reward.shape[1]
    horizon = min(model.config.open_loop_steps, length - 1)  # validation has shorter sequences too
    starts = (numbers[..., 0] * (length - horizon)).long()
    steps = (numbers[..., 1] * horizon).long()
    rows = starts[..., None] + torch.arange(horizon, device=starts.device)  # (B, n, H): the rows that act
    sequences = torch.arange(len(rows), device=rows.device)[:, None]
    with torch.no_grad():
        start = State(*(part[sequences, starts].flatten(0, 1) for part in states))
        actions = batch.action[sequences[..., None], rows].flatten(0, 1)
        reached, _ = model.rssm.imagine(start, actions, horizon)
        beliefs = reached[torch.arange(len(reached), device=rows.device), steps.flatten()]
        goes_on = torch.cumprod(1.0 - batch.is_first[sequences[..., None], rows + 1], dim=-1)
    shown = starts + steps + 1
    errors = model.decoder.squared_errors(beliefs, batch.image[sequences, shown].flatten(0, 1))
    counted = batch.camera_mask[sequences, shown] * goes_on.gather(2, steps[..., None])
    return (errors.unflatten(0, shown.shape) * counted).sum(-1).mean()
