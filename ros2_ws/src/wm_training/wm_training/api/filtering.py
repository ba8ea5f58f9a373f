"""Following recorded drives row by row, from the empty belief or from an earlier one."""

from typing import NamedTuple

import torch
from torch import Tensor

from wm_training.api.observations import Array, Rows
from wm_training.api.policies import commands
from wm_training.model.rssm import State
from wm_training.model.world_model import WorldModel


class Filtered(NamedTuple):
    """The model's beliefs after each row of B drives."""

    states: Tensor
    """(B, T, F)."""
    surprise: Tensor
    """(B, T): KL(posterior ‖ prior) of each row [nats]; meaningless in the first row of a new belief."""


def normal(seed: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Standard normal numbers, drawn on the CPU to be the same on every device."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)


def single_action(action: Array, name: str, batch: int, device: torch.device) -> Tensor:
    """The commands (B, 3) of one moment; a single drive's may lack the first axis. Raises ValueError."""
    lead = () if batch == 1 and getattr(action, "ndim", 0) == 1 else (batch,)
    return commands(action, name, lead, device).reshape(batch, 3)


def previous_actions(rows: Rows, actions: Array | None, begins: bool) -> Tensor:
    """The action before each row, (B, T, 3). ``begins``: the first row begins a new belief.

    Raises ValueError when ``actions`` do not match the rows, and when the commands between rows are unknown.
    """
    batch, steps = rows.image.shape[:2]
    device = rows.image.device
    if actions is not None:
        if not begins:
            raise ValueError("actions and state are both given; with a state, give previous_action (…, T, 3)")
        lead = tuple(getattr(actions, "shape", ()))[:-1]
        if lead not in ((batch, steps), (batch, steps - 1), *(((steps,), (steps - 1,)) if batch == 1 else ())):
            raise ValueError(
                f"actions have shape {tuple(getattr(actions, 'shape', ()))}, expected ({batch}, {steps}, 3) or "
                f"({batch}, {steps - 1}, 3): row t holds what was done from picture t to the next"
            )
        given = commands(actions, "actions", lead, device).reshape(batch, lead[-1], 3)[:, : steps - 1]
        return torch.cat([torch.zeros(batch, 1, 3, device=device), given], 1)
    if rows.previous_action is not None:
        return rows.previous_action
    if steps > 1 or not begins:
        raise ValueError(
            f"the commands between the pictures are missing: give actions ({batch}, {steps - 1}, 3), or "
            f"previous_action ({batch}, {steps}, 3) among the observations"
        )
    return torch.zeros(batch, steps, 3, device=device)


def filter_rows(model: WorldModel, rows: Rows, previous: Tensor, start: State | None, seed: int | None) -> Filtered:
    """Follow B drives; ``previous`` (B, T, 3), ``start`` (B, …) or None for the empty belief.

    The latent is the posterior's mean, or with a ``seed`` a sample of it.
    """
    batch, steps = rows.image.shape[:2]
    rssm = model.rssm
    flat = (tensor.flatten(0, 1) for tensor in (rows.image, rows.vector, rows.camera_mask))
    embedded = rssm.posterior_embedding(model.embed(*flat)).unflatten(0, (batch, steps))
    noise = None
    if seed is not None:
        noise = rssm.latent.prepare(normal(seed, (batch, steps, rssm.latent.size), previous.device))
    if start is None:
        # As in training: no command led to the first row.
        previous = torch.cat([torch.zeros_like(previous[:, :1]), previous[:, 1:]], 1)
        start = rssm.initial(batch, previous.device)
    now, states, surprise = start, [], []
    for t in range(steps):
        now, nats = rssm.filter_step(now, previous[:, t], embedded[:, t], None if noise is None else noise[:, t])
        states.append(now.belief)
        surprise.append(nats)
    return Filtered(torch.stack(states, 1), torch.stack(surprise, 1))
