"""Who drives in imagination: what `imagine` takes as its policy."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from wm_training.api.pretrained import PretrainedWorldModel
from wm_training.augmentation.disturbances import Disturbance
from wm_training.augmentation.plan import Plan


def driver_of(plan: Plan, model: PretrainedWorldModel) -> str | Tensor | Callable[[Tensor], Tensor]:
    """The policy of a plan's K drives, for one call of ``imagine``."""
    if plan.actions is not None:
        return torch.from_numpy(plan.actions)
    if plan.disturbances is not None:
        return disturbed_actor(plan.disturbances, model)
    return "actor_samples"


def disturbed_actor(disturbances: Sequence[Disturbance], model: PretrainedWorldModel) -> Callable[[Tensor], Tensor]:
    """A function from the states (K, F) of one step after the other to (steer, longitudinal) (K, 2): the actor's most
    likely action, disturbed."""

    def together(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(one, name) for one in disturbances], 1)).to(model.device)

    scale, offset, delay = together("scale"), together("offset"), together("delay")
    drives = torch.arange(len(disturbances), device=model.device)
    chosen: list[Tensor] = []

    def drive(states: Tensor) -> Tensor:
        h = len(chosen)
        chosen.append(model.model.actor(states).mode)
        reacted = torch.stack(chosen)[h - delay[h], drives]
        return (scale[h] * reacted + offset[h]).clamp(-1.0, 1.0)

    return drive
