"""The stochastic state with one interface: network outputs, samples, means and divergences."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_training.configuration.config import WorldModelTrainConfig


class GaussianLatent(nn.Module):
    """Diagonal Gaussian: parameters are means and pre-softplus deviations (PlaNet, Hafner et al. 2019)."""

    min_std = 0.1

    def __init__(self, config: WorldModelTrainConfig):
        super().__init__()
        self.size = config.latent_dim
        self.parameter_size = 2 * self.size

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = parameters.float().chunk(2, dim=-1)
        return mean, functional.softplus(raw) + self.min_std

    def prepare(self, noise: Tensor) -> Tensor:
        """Convert standard normal noise (..., S) for ``sample``; once per sequence."""
        return noise

    def sample(self, parameters: Tensor, prepared: Tensor) -> Tensor:
        """(..., S) from parameters (..., P) and prepared noise (..., S), with a gradient."""
        mean, std = self._split(parameters)
        return mean + std * prepared

    def mean(self, parameters: Tensor) -> Tensor:
        """Expected state (..., S)."""
        return self._split(parameters)[0]

    def kl(self, left: Tensor, right: Tensor) -> Tensor:
        """KL(left ‖ right) in nats, (...,), summed over the latent variables."""
        mean_l, std_l = self._split(left)
        mean_r, std_r = self._split(right)
        ratio = (std_l / std_r).square()
        return 0.5 * (ratio + ((mean_l - mean_r) / std_r).square() - 1.0 - ratio.log()).sum(-1)


class CategoricalLatent(nn.Module):
    """Groups of one-hot variables with straight-through gradients and a uniform mixture (DreamerV2 and V3)."""

    def __init__(self, config: WorldModelTrainConfig):
        super().__init__()
        self.groups = config.latent_dim
        self.classes = config.num_categories
        self.unimix = config.unimix
        self.size = self.parameter_size = self.groups * self.classes

    def _probabilities(self, parameters: Tensor) -> Tensor:
        logits = parameters.float().unflatten(-1, (self.groups, self.classes))
        return (1.0 - self.unimix) * functional.softmax(logits, dim=-1) + self.unimix / self.classes

    def prepare(self, noise: Tensor) -> Tensor:
        """exp of Gumbel noise (..., S) from standard normal noise (..., S); once per sequence.

        Equal noise for all classes, zeros above all, gives the most probable class.
        """
        # Φ turns the normal noise into a uniform one; clamped so that the result stays finite.
        uniform = (0.5 * (1.0 + torch.erf(noise.float() / math.sqrt(2.0)))).clamp(1e-6, 1.0 - 1e-6)
        return -1.0 / uniform.log()

    def sample(self, parameters: Tensor, prepared: Tensor) -> Tensor:
        """One-hot (..., S) by the Gumbel-max trick from parameters (..., P) and prepared noise (..., S).

        The trick is applied to exponentials, which saves a logarithm per step. The gradient is that of the
        probabilities (straight-through).
        """
        probabilities = self._probabilities(parameters)
        return self._one_hot(probabilities, probabilities * prepared.unflatten(-1, (self.groups, self.classes)))

    def mean(self, parameters: Tensor) -> Tensor:
        """Most probable classes as one-hot, (..., S)."""
        probabilities = self._probabilities(parameters)
        return self._one_hot(probabilities, probabilities)

    def _one_hot(self, probabilities: Tensor, scores: Tensor) -> Tensor:
        # Not functional.one_hot: it checks the classes on the host. No scatter: traced, it has one batch size.
        classes = torch.arange(self.classes, device=scores.device)
        one_hot = (scores.argmax(-1, keepdim=True) == classes).to(probabilities.dtype)
        if not torch.is_grad_enabled():
            return one_hot.flatten(-2)
        return (one_hot + probabilities - probabilities.detach()).flatten(-2)

    def kl(self, left: Tensor, right: Tensor) -> Tensor:
        """KL(left ‖ right) in nats, (...,), summed over the groups."""
        of_left, of_right = self._probabilities(left), self._probabilities(right)
        return (of_left * (of_left.log() - of_right.log())).sum((-2, -1))


def make_latent(config: WorldModelTrainConfig) -> GaussianLatent | CategoricalLatent:
    """The latent of the configuration."""
    return {"gaussian": GaussianLatent, "categorical": CategoricalLatent}[config.latent](config)
