"""Imagined returns of proposals, and their weights in advantage-weighted regression.

Shapes: M states, N proposals of each, H horizon, F belief.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from wm_training.api import PretrainedWorldModel
from wm_training.errors import TrainingError
from wm_training.model.losses import lambda_returns

Driver = Callable[[Tensor, Tensor], Tensor]
"""From states (M, F) and the previous commands (M, 3) to actions (M, 3), or (M, 2) of steer and longitudinal."""


def imagined_returns(
    world: PretrainedWorldModel, states: Tensor, first: Tensor, hold: int, driver: Driver, horizon: int
) -> Tensor:
    """Returns (M,) of drives that begin in ``states`` (M, F) with ``hold`` times the commands ``first`` (M, 3) and
    continue with ``driver`` up to ``horizon`` steps.

    Every drive is the model's mean future: common noise would take longer, and independent noise would hide the
    differences between proposals.
    """
    step, last = 0, first

    def act(reached: Tensor) -> Tensor:
        nonlocal step, last
        if step >= hold:
            last = driver(reached, last)
        step += 1
        return last

    return total_returns(world.imagine(states, act, horizon), world.config.discount)


def total_returns(imagined: Mapping[str, Tensor], discount: float) -> Tensor:
    """Returns (M,) of imagined drives, ``rewards``, ``continues`` and ``values`` (M, H): the discounted rewards,
    weighted by the probability of reaching them, and the final value."""
    numbers = (imagined[name] for name in ("rewards", "continues", "values"))
    return lambda_returns(*numbers, discount, 1.0)[:, 0]


def proposal_returns(
    world: PretrainedWorldModel, states: Tensor, proposals: Tensor, hold: int, driver: Driver, horizon: int
) -> Tensor:
    """``imagined_returns`` (M, N) of several proposals (M, N, 3) in every state (M, F)."""
    repeated = states.repeat_interleave(proposals.shape[1], 0)
    found = imagined_returns(world, repeated, proposals.flatten(0, 1), hold, driver, horizon)
    return found.unflatten(0, proposals.shape[:2])


def behaviour_density(world: PretrainedWorldModel, states: Tensor, actions: Tensor) -> Tensor:
    """Log density [nats] (…,) of (steer, longitudinal) (…, 2) under the world model's actor in ``states`` (…, F).

    The actor was trained on the recorded drivers. Where they never drove that way the model does not know the result
    and makes it up; a cost on improbable actions keeps a search where imagination is reliable."""
    return world.model.actor(states).log_probability(actions)


def check_actor(world: PretrainedWorldModel) -> None:
    """Raise TrainingError where the world model's actor was never trained."""
    config = world.config
    if not (config.policy_learning or config.behaviour_cloning_weight > 0.0):
        raise TrainingError(
            "the world model's actor was not trained (behaviour_cloning_weight 0 and no policy_learning): set "
            "behaviour_weight to 0 and continue with the policy itself"
        )


def advantage_weights(returns: Tensor, temperature: float, largest: float) -> Tensor:
    """Weights (M, N), exp(advantage / temperature) and at most ``largest`` (Peng et al. 2019, "Advantage-weighted
    regression", algorithm 1).

    The advantage of a proposal is its return (M, N) minus the mean of its state's proposals, which are the policy's own
    and so estimate the policy's value. ``temperature`` is in standard deviations of all advantages.
    """
    advantages = returns - returns.mean(1, keepdim=True)
    scale = advantages.square().mean().sqrt().clamp(min=1e-6)
    return torch.exp(advantages / (scale * temperature)).clamp(max=largest)
