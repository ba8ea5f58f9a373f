"""All random numbers of a training update, drawn at once as a pure function of seed and update.

A resumed run needs no generator state, and a rank or a part of a batch uses its slice of the batch's noise.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from wm_training.configuration.config import WorldModelTrainConfig


class Noise(NamedTuple):
    """Random numbers of one update; every tensor has the batch as its first axis."""

    latent: Tensor
    """(B, T + 1, S) standard normal: posterior samples, and the step beyond the last row."""
    camera: Tensor
    """(B, K) uniform in [0, 1): which cameras are hidden."""
    start: Tensor
    """(B, n) uniform in [0, 1): the rows from which policy learning imagines, n = 0 without it."""
    imagined: Tensor
    """(B, n, H, S) standard normal: imagined states."""
    action: Tensor
    """(B, n, H, 2) standard normal: the actor's samples."""
    open_loop: Tensor
    """(B, m, 2) uniform in [0, 1): where open-loop losses begin and which picture they use, m = 0 without any."""
    signal: Tensor
    """(B, V) uniform in [0, 1): which vector inputs are hidden, V = 0 without ``vector_dropout``."""

    def part(self, rows: slice) -> "Noise":
        """The noise of some of the sequences."""
        return Noise(*(tensor[rows] for tensor in self))

    def to(self, device: torch.device | str) -> "Noise":
        """The same noise on another device."""
        return Noise(*(tensor.to(device, non_blocking=True) for tensor in self))


def draw_noise(
    config: WorldModelTrainConfig,
    batch_size: int,
    steps: int,
    cameras: int,
    seed: int,
    step: int,
    device: torch.device | str = "cpu",
    vector_size: int = 0,
) -> Noise:
    """The noise of update ``step`` for ``batch_size`` sequences of ``steps`` rows with ``cameras`` cameras and
    ``vector_size`` vector inputs."""
    generator = torch.Generator(device=device).manual_seed(seed * 1_000_003 + step)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    starts = _in_each(config.imagination_starts, batch_size, steps) if config.policy_learning else 0
    open_loop = max(config.open_loop_weight, config.vector_weight, config.reward_terms_weight) > 0
    ahead = _in_each(config.open_loop_starts, batch_size, steps) if open_loop else 0
    horizon, size = config.imagination_horizon, config.stochastic_size
    return Noise(
        latent=normal(batch_size, steps + 1, size),
        camera=uniform(batch_size, cameras),
        start=uniform(batch_size, starts),
        imagined=normal(batch_size, starts, horizon, size),
        action=normal(batch_size, starts, horizon, 2),
        open_loop=uniform(batch_size, ahead, 2),
        signal=uniform(batch_size, vector_size if config.vector_dropout > 0 else 0),
    )


def _in_each(states: int, batch_size: int, steps: int) -> int:
    """States to draw from each of ``batch_size`` sequences of ``steps`` rows for ``states`` in the batch, 0 for all."""
    return min(steps, -(-states // batch_size)) if states else steps
