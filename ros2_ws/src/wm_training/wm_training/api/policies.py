"""Sources of an imagined drive's actions: given actions, the model's actor, or an external policy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wm_training.api.observations import Array, finite
from wm_training.model.heads import search_to_command
from wm_training.model.world_model import WorldModel

ACTORS = ("actor", "actor_samples")
Policy = Callable[[Any], Array]


def commands(value: Any, name: str, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Actions (*shape, 2 or 3) as commands (*shape, 3), clipped to their limits.

    Two numbers are (steer, longitudinal), three (steer, throttle, brake). Raises ValueError for another shape and for
    numbers that are not finite.
    """
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.array(value))
    if not isinstance(value, Tensor) or value.shape[-1:] not in ((2,), (3,)):
        found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"type {type(value).__name__}"
        raise ValueError(
            f"{name}: found {found}, expected an array or tensor {(*shape, 3)} of steer, throttle and brake, or "
            f"{(*shape, 2)} of steer and longitudinal"
        )
    value = finite(value.to(device), name, (*shape, value.shape[-1]))
    if value.shape[-1] == 2:
        return search_to_command(value.clamp(-1.0, 1.0))
    return torch.cat([value[..., :1].clamp(-1.0, 1.0), value[..., 1:].clamp(0.0, 1.0)], -1)


def given_actions(value: Array, rows: int, samples: int, horizon: int, device: torch.device) -> Tensor:
    """Given actions as (rows·samples, H, 3): (H, ·) for all, (rows, H, ·) per state, or one per sample."""
    axes = getattr(value, "ndim", 0)
    lead = () if axes == 2 else (rows * samples,) if axes == 3 and len(value) == rows * samples else (rows,)
    found = commands(value, "actions", (*lead, horizon), device)
    if axes == 2:
        return found.expand(rows * samples, -1, -1)
    return found if len(found) == rows * samples else found.repeat_interleave(samples, 0)


def actor_policy(model: WorldModel, noise: Tensor | None) -> Callable[[Tensor], Tensor]:
    """The model's own actor on beliefs (M, F): its most likely command, or with ``noise`` (M, H, 2) its samples."""
    if noise is None:
        return model.act
    steps = iter(noise.unbind(1))
    return lambda belief: search_to_command(model.actor(belief).sample(next(steps))[0])


def checked_policy(
    policy: Policy, see: Callable[[Tensor, Tensor], Any], previous_action: Tensor
) -> Callable[[Tensor], Tensor]:
    """An external policy as a function from beliefs (M, F) to commands (M, 3).

    ``see`` builds its argument from the belief and the previous command (M, 3), which starts as ``previous_action``.
    """
    last = previous_action

    def act(belief: Tensor) -> Tensor:
        nonlocal last
        last = commands(policy(see(belief, last)), "the policy's actions", (len(belief),), belief.device)
        return last

    return act
