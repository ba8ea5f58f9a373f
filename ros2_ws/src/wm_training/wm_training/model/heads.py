"""Heads on the belief: numbers by two-hot classification or plain regression, vectors of them, the continue flag, and
the actor."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.networks import mlp

# The inverse of tanh grows without bound; labels are limited to this distance from the end of the range.
_LARGEST_LABEL = 0.99


def symexp(x: Tensor) -> Tensor:
    """sign(x) (exp|x| - 1), the inverse of symlog (DreamerV3, Hafner et al. 2023, eq. 1)."""
    return torch.sign(x) * torch.expm1(x.abs())


class TwoHotHead(nn.Module):
    """A number as a distribution over exponentially spaced bins; its prediction is the mean (DreamerV3, eq. 8-10)."""

    def __init__(self, belief: int, hidden: int, bins: int, limit: float):
        super().__init__()
        self.net = mlp(belief, hidden, bins)
        # Starting at zero: an untrained head predicts 0 and adds no noise to other targets.
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
        """Expected number (...,). The negative and positive halves are summed separately, so that they cancel
        exactly."""
        weighted = functional.softmax(logits, -1) * self.bins
        middle = self.bins.shape[0] // 2
        return weighted[..., : middle + 1].flip(-1).sum(-1) + weighted[..., middle:].sum(-1)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy (...,) of the two-hot encoded targets (...,)."""
        target = target.float().clamp(self.bins[0], self.bins[-1])
        upper = torch.searchsorted(self.bins, target.contiguous()).clamp(1, self.bins.shape[0] - 1)
        low, high = self.bins[upper - 1], self.bins[upper]
        share = (target - low) / (high - low)
        # Cross-entropy with a separate normaliser: only two logits are needed besides it.
        picked_low = logits.gather(-1, (upper - 1)[..., None]).squeeze(-1)
        picked_high = logits.gather(-1, upper[..., None]).squeeze(-1)
        return torch.logsumexp(logits, -1) - torch.lerp(picked_low, picked_high, share)


class MseHead(nn.Module):
    """A number as itself, with a squared error."""

    def __init__(self, belief: int, hidden: int):
        super().__init__()
        self.net = mlp(belief, hidden, 1)
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, belief: Tensor) -> Tensor:
        """Numbers (..., 1) of beliefs (..., F)."""
        return self.net(belief).float()

    def mean(self, output: Tensor) -> Tensor:
        """The number (...,)."""
        return output.squeeze(-1)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Squared error (...,) to the targets (...,)."""
        return (output.squeeze(-1) - target.float()).square()


class ScalarHead(nn.Module):
    """E heads of one kind on the same number. Their mean is the prediction, their disagreement is its uncertainty.

    The members have the same targets and differ only by their initial weights, which suffices for them to agree where
    there was data and to differ where there was none (Lakshminarayanan et al. 2017)."""

    def __init__(self, config: WorldModelTrainConfig):
        super().__init__()
        belief, hidden = config.belief_size, config.hidden_dim
        if config.scalar_head == "mse":
            members = [MseHead(belief, hidden) for _ in range(config.ensemble_size)]
        else:
            members = [
                TwoHotHead(belief, hidden, config.return_bins, config.bin_limit) for _ in range(config.ensemble_size)
            ]
        self.members = nn.ModuleList(members)

    def forward(self, belief: Tensor) -> Tensor:
        """Outputs (E, ..., bins or 1) of beliefs (..., F), for the methods below."""
        return torch.stack([member(belief) for member in self.members])

    def _means(self, outputs: Tensor) -> Tensor:
        return torch.stack([member.mean(output) for member, output in zip(self.members, outputs, strict=True)])

    def mean(self, outputs: Tensor) -> Tensor:
        """Predicted number (...,), the mean over the members."""
        return self._means(outputs).mean(0)

    def disagreement(self, outputs: Tensor) -> Tensor:
        """Standard deviation (...,) over the members' numbers, in the number's unit; 0 for a single one."""
        return self._means(outputs).std(0, correction=0)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss (...,) against targets (...,), the mean over the members."""
        losses = [member.loss(output, target) for member, output in zip(self.members, outputs, strict=True)]
        return torch.stack(losses).mean(0)


class NumbersHead(nn.Module):
    """Several numbers, normalised, each as itself: the vector inputs."""

    def __init__(self, config: WorldModelTrainConfig, count: int):
        super().__init__()
        self.net = mlp(config.belief_size, config.hidden_dim, count)
        # Starting at zero, the mean of normalised numbers.
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, belief: Tensor) -> Tensor:
        """Numbers (..., count) of beliefs (..., F)."""
        return self.net(belief).float()


class ContinueHead(nn.Module):
    """Probability that the episode continues, as a logit."""

    def __init__(self, belief: int, hidden: int):
        super().__init__()
        self.net = mlp(belief, hidden, 1)

    def forward(self, belief: Tensor) -> Tensor:
        """Logits (...,) of beliefs (..., F)."""
        return self.net(belief).float().squeeze(-1)


class TanhNormal:
    """Normal distribution squeezed by tanh into the open interval (-1, 1), independent in every dimension.

    Densities follow the change of variables (Haarnoja et al. 2018, appendix C).
    """

    def __init__(self, mean: Tensor, std: Tensor):
        """``mean`` and ``std`` (..., A) of the normal distribution before tanh."""
        self.mean = mean
        self.std = std

    @property
    def mode(self) -> Tensor:
        """tanh of the mean, (..., A): the median, and the deterministic action."""
        return torch.tanh(self.mean)

    @property
    def action_std(self) -> Tensor:
        """Standard deviation (..., A) after tanh, to first order."""
        return self.std * (1.0 - self.mode.square())

    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions (..., A) from standard normal noise (..., A), with a gradient, and their log density (...,)."""
        raw = self.mean + self.std * noise
        return torch.tanh(raw), self._log_density(raw)

    def log_probability(self, action: Tensor) -> Tensor:
        """Log density (...,) of actions (..., A) in [-1, 1]; values in the outermost percent are clipped."""
        return self._log_density(torch.atanh(action.clamp(-_LARGEST_LABEL, _LARGEST_LABEL)))

    def _log_density(self, raw: Tensor) -> Tensor:
        normal = -0.5 * ((raw - self.mean) / self.std).square() - self.std.log() - 0.5 * math.log(2.0 * math.pi)
        # log(1 - tanh(x)^2), written so that it does not overflow.
        slope = 2.0 * (math.log(2.0) - raw - functional.softplus(-2.0 * raw))
        return (normal - slope).sum(-1)


class Actor(nn.Module):
    """Tanh-normal distribution over (steer, longitudinal), its standard deviation kept between two bounds."""

    def __init__(self, config: WorldModelTrainConfig):
        super().__init__()
        self.min_std, self.max_std = config.actor_min_std, config.actor_max_std
        self.net = mlp(config.belief_size, config.hidden_dim, 4, layers=2)

    def forward(self, belief: Tensor) -> TanhNormal:
        """The distribution (..., 2) for beliefs (..., F)."""
        mean, raw = self.net(belief).float().chunk(2, dim=-1)
        # Bounded before tanh as well: beyond ±5 its slope vanishes, and with it every gradient.
        mean = 5.0 * torch.tanh(mean / 5.0)
        return TanhNormal(mean, self.min_std + (self.max_std - self.min_std) * torch.sigmoid(raw - 1.0))


def search_to_command(search: Tensor) -> Tensor:
    """(steer, longitudinal) (..., 2) to (steer, throttle, brake) (..., 3); wm_bundle.to_command for tensors."""
    steer, longitudinal = search[..., :1], search[..., 1:]
    return torch.cat([steer, longitudinal.clamp(min=0.0), (-longitudinal).clamp(min=0.0)], dim=-1)
