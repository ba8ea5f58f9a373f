"""The losses, as pure functions of tensors. Every name here is the name of its weight in the configuration."""

import torch
from torch import Tensor
from torch.nn import functional


def reconstruction_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Squared error summed over the picture, mean over (B, T). Both (B, T, C, H, W), pixels in [0, 1].

    The sum, not the mean: up to a constant it is the negative log-likelihood of a unit-variance Gaussian times two,
    so it stands in the same currency as the KL (DreamerV1, Hafner et al. 2020, eq. 5).
    """
    return (predicted.float() - target.float()).square().flatten(2).sum(-1).mean()


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
    """Mean squared distance between the latent the dynamics predicts and the one the encoder finds. (B, T, S)."""
    return functional.mse_loss(predicted.float(), encoded.detach().float())


def continue_loss(logits: Tensor, continues: Tensor) -> Tensor:
    """Binary cross-entropy of the continue head. Logits and targets (B, T); target 0 where the episode terminated."""
    return functional.binary_cross_entropy_with_logits(logits.float(), continues.float())


def actor_loss(mean: Tensor, std: Tensor, expert: Tensor, known: Tensor) -> Tensor:
    """Behaviour cloning: negative log-likelihood of the expert's action under a normal distribution.

    mean, std, expert (B, T, 2) in (steer, longitudinal); known (B, T) is 1 where the expert's action is known.
    Rows without a label do not count; with no label at all the loss is 0.
    """
    error = (expert - mean.float()) / std.float()
    nll = (0.5 * error.square() + std.float().log()).sum(-1)
    return (nll * known).sum() / known.sum().clamp(min=1.0)


def lambda_returns(rewards: Tensor, continues: Tensor, next_values: Tensor, discount: float, lam: float) -> Tensor:
    """Lambda-returns backwards in time (Sutton & Barto 2018, eq. 12.20; DreamerV1 eq. 6).

    rewards r_t, continues c_t (0 after a terminal) and next_values V(s_{t+1}) are (B, T). Returns R (B, T) with
    R_t = r_t + discount c_t ((1 - lam) V(s_{t+1}) + lam R_{t+1}); behind the last step R is next_values' last.
    """
    returns = torch.empty_like(rewards)
    following = next_values[:, -1]
    for t in range(rewards.shape[1] - 1, -1, -1):
        blended = (1.0 - lam) * next_values[:, t] + lam * following
        following = rewards[:, t] + discount * continues[:, t] * blended
        returns[:, t] = following
    return returns
