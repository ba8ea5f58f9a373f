"""The losses, as pure functions of tensors. Their names, LOSSES, are those of their weights in the configuration.

Every loss is a mean over the rows of a batch, so that the mean over equal parts of a batch equals the loss of the
batch: gradient accumulation and several processes give the same as one process."""

from dataclasses import fields

import torch
from torch import Tensor
from torch.nn import functional

from wm_training.configuration.config import WorldModelTrainConfig

LOSSES = tuple(
    field.name.removesuffix("_weight") for field in fields(WorldModelTrainConfig) if field.name.endswith("_weight")
)


def reconstruction_loss(squared_errors: Tensor, camera_mask: Tensor) -> Tensor:
    """Squared error of pixels in [0, 1] summed over the picture, mean over (B, T).

    ``squared_errors`` (B, T, K) are sums over each camera's picture. The sum, not the mean: up to a constant it is the
    negative log-likelihood of a unit-variance Gaussian times two, so it has the same unit as the KL (DreamerV1, Hafner
    et al. 2020, eq. 5). Cameras whose ``camera_mask`` (B, T, K) is 0 were not recorded and are ignored."""
    return (squared_errors * camera_mask).sum(-1).mean()


def kl_balanced(
    posterior_to_frozen_prior: Tensor, frozen_posterior_to_prior: Tensor, balance: float, free_bits: float
) -> Tensor:
    """KL with balancing and free bits (DreamerV2, Hafner et al. 2021, algorithm 2; free bits as in DreamerV3).

    Both inputs hold the same KL values (B, T) in nats; in the first only the posterior carries a gradient, in the
    second only the prior. ``balance`` is the prior's share. A step whose KL is below ``free_bits`` gets no gradient.
    """
    prior_side = frozen_posterior_to_prior.clamp(min=free_bits).mean()
    posterior_side = posterior_to_frozen_prior.clamp(min=free_bits).mean()
    return balance * prior_side + (1.0 - balance) * posterior_side


def kl_anneal(step: int, anneal_steps: int) -> float:
    """Factor of the KL weight: rises from 0 to 1 in ``anneal_steps`` updates."""
    return min(1.0, step / anneal_steps) if anneal_steps > 0 else 1.0


def dynamics_loss(predicted: Tensor, encoded: Tensor) -> Tensor:
    """Mean squared distance between the latent predicted by the dynamics and the encoder's. (B, T, S)."""
    return functional.mse_loss(predicted.float(), encoded.detach().float())


def continue_loss(logits: Tensor, continues: Tensor) -> Tensor:
    """Binary cross-entropy (...,) of the continue head for logits and targets (...,); target 0 where the episode
    terminated."""
    return functional.binary_cross_entropy_with_logits(logits.float(), continues.float(), reduction="none")


def numbers_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared errors (...,) of normalised numbers (..., V), summed over the V: up to a constant twice a negative
    log-likelihood of unit variance, as that of the pixels. Unknown targets, NaN, do not count."""
    known = ~target.isnan()
    return torch.where(known, predicted.float() - target.nan_to_num(), 0.0).square().sum(-1)


def behaviour_cloning_loss(log_probability: Tensor, weight: Tensor) -> Tensor:
    """Negative log-likelihood of the expert's actions; both (B, T).

    ``weight`` is 0 where the expert's action is unknown, else one over the share of known rows in the data, so that
    the mean over all rows is that over the labelled ones.
    """
    return -(log_probability * weight).mean()


def lambda_returns(rewards: Tensor, continues: Tensor, next_values: Tensor, discount: float, lam: float) -> Tensor:
    """Lambda-returns backwards in time (Sutton & Barto 2018, eq. 12.20; DreamerV1 eq. 6).

    rewards r_t, continues c_t (0 after a terminal) and next_values V(s_{t+1}) are (B, T). Returns R (B, T) with
    R_t = r_t + discount c_t ((1 - lam) V(s_{t+1}) + lam R_{t+1}); after the last step R is next_values' last.
    """
    returns = []
    following = next_values[:, -1]
    for t in range(rewards.shape[1] - 1, -1, -1):
        blended = (1.0 - lam) * next_values[:, t] + lam * following
        following = rewards[:, t] + discount * continues[:, t] * blended
        returns.append(following)
    return torch.stack(returns[::-1], dim=1)


def reach_weights(continues: Tensor, discount: float) -> Tensor:
    """Weight of an imagined step: discounted probability of reaching it. (M, H), 1 at the first.

    ``continues`` (M, H) are the continue probabilities after each imagined action.
    """
    reached = torch.cumprod(discount * continues.detach(), dim=1)
    return torch.cat([torch.ones_like(reached[:, :1]), reached[:, :-1]], dim=1)


def actor_loss(returns: Tensor, weights: Tensor, scale: Tensor) -> Tensor:
    """Negative imagined lambda-return, the gradient running through the dynamics (DreamerV1, eq. 7).

    returns, weights (M, H); ``scale`` () normalises the returns' size (DreamerV3, eq. 11-12).
    """
    return -(weights * returns / scale).mean()


def critic_loss(errors: Tensor, weights: Tensor) -> Tensor:
    """Mean loss of the value head on imagined returns; both (M, H)."""
    return (weights * errors).mean()


def entropy_loss(entropy: Tensor, weights: Tensor) -> Tensor:
    """Negative entropy [nats] of the actor on imagined states; both (M, H)."""
    return -(weights * entropy).mean()
