"""Encoder and decoder of one or several cameras, and the fully connected block used by all parts."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.convolutions import DownConvolution, UpConvolution
from wm_training.model.pieces import in_pieces

_COLOURS = 3
# Pixels of a piece whose activations stay in a processor's cache through the convolutions; measured.
_PIECE_PIXELS = 200 * 64 * 64


def mlp(inputs: int, hidden: int, outputs: int, layers: int = 1) -> nn.Sequential:
    """``layers`` hidden layers with layer norm and SiLU (as in DreamerV3), then a linear output."""
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.SiLU()]
        inputs = hidden
    return nn.Sequential(*parts, nn.Linear(inputs, outputs))


def _stages(image_size: int) -> int:
    """Halvings from the picture to 4×4."""
    return image_size.bit_length() - 3


def _convolutions(image_size: int, depth: int) -> nn.Sequential:
    """Pictures (M, 3, H, W) to features (M, ·, 4, 4): stride-two convolutions, the channels doubled by each."""
    parts: list[nn.Module] = []
    inputs = _COLOURS
    for stage in range(_stages(image_size)):
        outputs = depth * 2**stage
        parts += [DownConvolution(inputs, outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*parts)


def _deconvolutions(image_size: int, depth: int) -> nn.Sequential:
    """Features (M, ·, 4, 4) to pictures (M, 3, H, W): the mirror image of ``_convolutions``."""
    parts: list[nn.Module] = []
    stages = _stages(image_size)
    inputs = depth * 2 ** (stages - 1)
    for stage in reversed(range(stages)):
        outputs = depth * 2 ** (stage - 1) if stage else _COLOURS
        parts += [nn.ReLU(inplace=bool(parts)), UpConvolution(inputs, outputs)]  # the first input is the caller's
        inputs = outputs
    return nn.Sequential(*parts)


def _piece(image_size: int) -> int:
    """Frames of a piece, see ``in_pieces``."""
    return max(1, _PIECE_PIXELS // image_size**2)


def _layout(weight: Tensor) -> torch.memory_format:
    """The layout of pictures that matches these weights: mixing two layouts is slow."""
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _centred(image: Tensor, like: Tensor) -> Tensor:
    """uint8 pictures (M, 3, H, W) to [-0.5, 0.5], in the layout of the weights ``like`` and the type of autocast."""
    kind = image.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    # Multiples of 0.5 up to 127.5 are exact in bfloat16, fractions of 255 are not: hence this order.
    return (image.to(dtype, memory_format=_layout(like)) - 127.5) / 255.0


def _features(convolutions: nn.Sequential, picture: Tensor) -> Tensor:
    """uint8 pictures (M, 3, H, W) to the convolutions' features, (M, ·)."""
    return convolutions(_centred(picture, convolutions[0].weight)).flatten(1)


class Encoder(nn.Module):
    """Pictures of K cameras and vector inputs to one embedding per frame.

    Every camera adds its own part to the embedding; a hidden or failed one adds a learned constant instead, so that the
    belief works without it. With shared weights all cameras use one set of convolutions, and only the projections,
    which depend on where the camera points, are separate."""

    def __init__(self, config: WorldModelTrainConfig, cameras: int, vector_size: int, embedding: int):
        super().__init__()
        self.cameras, self.piece = cameras, _piece(config.image_size)
        stacks = cameras if config.camera_weights == "own" else 1
        self.convolutions = nn.ModuleList(_convolutions(config.image_size, config.conv_depth) for _ in range(stacks))
        features = config.conv_depth * 2 ** (_stages(config.image_size) - 1) * 16
        self.project = nn.ModuleList(nn.Linear(features, embedding) for _ in range(cameras))
        self.missing = nn.Parameter(torch.zeros(cameras, embedding))
        self.vector = nn.Linear(vector_size, embedding, bias=False) if vector_size else None

    def forward(self, image: Tensor, vector: Tensor, camera_mask: Tensor) -> Tensor:
        """image (M, 3K, H, W) uint8, vector (M, V) normalised, camera_mask (M, K); returns (M, embedding)."""
        embedding = 0.0 if self.vector is None else self.vector(vector)
        for k, project in enumerate(self.project):
            convolutions = self.convolutions[k % len(self.convolutions)]
            picture = image[:, _COLOURS * k : _COLOURS * (k + 1)]
            features = in_pieces(partial(_features, convolutions), convolutions.parameters(), self.piece, picture)
            embedding = embedding + torch.where(camera_mask[:, k, None] > 0, project(features), self.missing[k])
        return embedding


class Decoder(nn.Module):
    """Beliefs to pictures of K cameras: the encoder's mirror image."""

    def __init__(self, config: WorldModelTrainConfig, cameras: int):
        super().__init__()
        stages = _stages(config.image_size)
        self.cameras, self.piece = cameras, _piece(config.image_size)
        self.start = (config.conv_depth * 2 ** (stages - 1), 4, 4)
        stacks = cameras if config.camera_weights == "own" else 1
        self.project = nn.Linear(config.belief_size, cameras * self.start[0] * 16)
        self.deconvolutions = nn.ModuleList(
            _deconvolutions(config.image_size, config.conv_depth) for _ in range(stacks)
        )

    def forward(self, belief: Tensor) -> Tensor:
        """belief (M, F); returns pictures (M, 3K, H, W), approximately in [0, 1], not clipped."""
        pictures = in_pieces(self._pictures, self.deconvolutions.parameters(), self.piece, self._features(belief))
        return pictures + 0.5

    def squared_errors(self, belief: Tensor, image: Tensor) -> Tensor:
        """Squared pixel errors, summed over each camera's picture, (M, K); image (M, 3K, H, W) uint8."""

        def errors(features: Tensor, target: Tensor) -> Tensor:
            target = target.to(torch.float32, memory_format=_layout(self.deconvolutions[0][1].weight))
            # In place and fused: every pass over the pictures takes time.
            target = target.sub_(127.5).div_(255.0)
            errors = functional.mse_loss(self._pictures(features).float(), target, reduction="none")
            return errors.unflatten(1, (self.cameras, -1)).sum((2, 3, 4))

        return in_pieces(errors, self.deconvolutions.parameters(), self.piece, self._features(belief), image)

    def _features(self, belief: Tensor) -> Tensor:
        return self.project(belief).unflatten(-1, (self.cameras, *self.start))

    def _pictures(self, features: Tensor) -> Tensor:
        """Centred at zero, like the encoder's input."""
        stacks = self.deconvolutions
        layout = _layout(stacks[0][1].weight)
        cameras = [features[:, k].contiguous(memory_format=layout) for k in range(self.cameras)]
        pictures = [stacks[k % len(stacks)](x) for k, x in enumerate(cameras)]
        return torch.cat(pictures, dim=1) if len(pictures) > 1 else pictures[0]
