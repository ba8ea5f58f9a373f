"""Heads on the belief: numbers by two-hot classification, the continue flag, and the actor."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_training.networks import mlp


def symexp(x: Tensor) -> Tensor:
    """sign(x) (exp|x| - 1), the inverse of symlog (DreamerV3, Hafner et al. 2023, eq. 1)."""
    return torch.sign(x) * torch.expm1(x.abs())


class TwoHotHead(nn.Module):
    """A number as a distribution over exponentially spaced bins; its prediction is the mean (DreamerV3, eq. 8-10)."""

    def __init__(self, belief: int, hidden: int, bins: int, limit: float, layers: int = 1):
        super().__init__()
        self.net = mlp(belief, hidden, bins, layers)
        # Starting at zero: an untrained head says 0 and adds no noise to the targets of others.
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)
        edge = torch.log1p(torch.tensor(float(limit)))
        centres = symexp(torch.linspace(-1.0, 1.0, bins) * edge)
        centres[bins // 2] = 0.0
        self.register_buffer("bins", centres)

    def forward(self, belief: Tensor) -> Tensor:
        """Logits (..., bins) of beliefs (..., F)."""
        return self.net(belief).float()

    def mean(self, logits: Tensor) -> Tensor:
        """Expected number (...,). The negative and positive halves are summed apart, so that they cancel exactly."""
        weighted = functional.softmax(logits, -1) * self.bins
        middle = self.bins.shape[0] // 2
        return weighted[..., : middle + 1].flip(-1).sum(-1) + weighted[..., middle:].sum(-1)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy (...,) of the two-hot encoded targets (...,)."""
        target = target.float().clamp(self.bins[0], self.bins[-1])
        upper = torch.searchsorted(self.bins, target.contiguous()).clamp(1, self.bins.shape[0] - 1)
        low, high = self.bins[upper - 1], self.bins[upper]
        share = ((target - low) / (high - low))[..., None]
        log_probabilities = functional.log_softmax(logits, -1)
        picked_low = log_probabilities.gather(-1, (upper - 1)[..., None])
        picked_high = log_probabilities.gather(-1, upper[..., None])
        return -((1.0 - share) * picked_low + share * picked_high).squeeze(-1)


class ContinueHead(nn.Module):
    """Probability that the episode goes on, as a logit."""

    def __init__(self, belief: int, hidden: int):
        super().__init__()
        self.net = mlp(belief, hidden, 1)

    def forward(self, belief: Tensor) -> Tensor:
        """Logits (...,) of beliefs (..., F)."""
        return self.net(belief).float().squeeze(-1)


class Actor(nn.Module):
    """Normal distribution over (steer, longitudinal), its mean bounded to [-1, 1] by tanh."""

    min_std = 0.05

    def __init__(self, belief: int, hidden: int):
        super().__init__()
        self.net = mlp(belief, hidden, 4, layers=2)

    def forward(self, belief: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, each (..., 2), of beliefs (..., F)."""
        mean, raw = self.net(belief).float().chunk(2, dim=-1)
        return torch.tanh(mean), functional.softplus(raw - 1.0) + self.min_std


def search_to_command(search: Tensor) -> Tensor:
    """(steer, longitudinal) (..., 2) to (steer, throttle, brake) (..., 3); wm_bundle.to_command for tensors."""
    steer, longitudinal = search[..., :1], search[..., 1:]
    return torch.cat([steer, longitudinal.clamp(min=0.0), (-longitudinal).clamp(min=0.0)], dim=-1)
