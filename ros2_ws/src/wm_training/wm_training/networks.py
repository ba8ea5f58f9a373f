"""Encoder, decoder and the fully connected block all parts are made of."""

import torch
from torch import Tensor, nn


def mlp(inputs: int, hidden: int, outputs: int, layers: int = 1) -> nn.Sequential:
    """``layers`` hidden layers with layer norm and SiLU (as DreamerV3), then a linear output."""
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.SiLU()]
        inputs = hidden
    return nn.Sequential(*parts, nn.Linear(inputs, outputs))


def _stages(image_size: int) -> int:
    """Halvings from the picture to 4×4."""
    return image_size.bit_length() - 3


class Encoder(nn.Module):
    """Pictures and vector inputs to one embedding per frame: stride-two convolutions down to 4×4."""

    def __init__(self, image_size: int, channels: int, vector_size: int, depth: int, embedding: int):
        """``channels`` C of all cameras together, ``depth`` channels after the first layer, doubled by each."""
        super().__init__()
        parts: list[nn.Module] = []
        inputs = channels
        for stage in range(_stages(image_size)):
            outputs = depth * 2**stage
            parts += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.SiLU()]
            inputs = outputs
        self.convolutions = nn.Sequential(*parts)
        self.project = nn.Linear(inputs * 16 + vector_size, embedding)

    def forward(self, image: Tensor, vector: Tensor) -> Tensor:
        """image (M, C, H, W) in [0, 1], vector (M, V) normalised; returns (M, embedding)."""
        features = self.convolutions(image - 0.5).flatten(1)
        return self.project(torch.cat([features, vector.to(features.dtype)], dim=-1))


class Decoder(nn.Module):
    """Beliefs to pictures: the encoder's mirror image."""

    def __init__(self, belief: int, image_size: int, channels: int, depth: int):
        super().__init__()
        stages = _stages(image_size)
        self.start = (depth * 2 ** (stages - 1), 4, 4)
        self.project = nn.Linear(belief, self.start[0] * 16)
        parts: list[nn.Module] = []
        inputs = self.start[0]
        for stage in reversed(range(stages)):
            outputs = depth * 2 ** (stage - 1) if stage else channels
            parts += [nn.SiLU(), nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)]
            inputs = outputs
        self.deconvolutions = nn.Sequential(*parts)

    def forward(self, belief: Tensor) -> Tensor:
        """belief (M, F); returns pictures (M, C, H, W), in [0, 1] where the model is sure, not clipped."""
        return self.deconvolutions(self.project(belief).unflatten(-1, self.start)) + 0.5
