"""Open loop: observe a few rows, then predict the rest from the recorded actions alone.

Time as drawn in docs/architecture.md. With a context of c rows the belief has seen o_0 … o_{c-1}; action a_{c-1} is the
first to be imagined. Step h counts from 1 and is entry h - 1 of every array over J below:

    step h    action a_{c+h-2}  ──►  picture o_{c+h-1},  reward r_{c+h-2},  terminal of row c+h-2
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from wm_training.model.batch import Batch
from wm_training.model.world_model import WorldModel

DECODED_NUMBERS = 2**23  # numbers of the pictures decoded at once, so that six large cameras fit into memory
BORDER = 2  # [px] around every panel of comparison_frames
SEEN, IMAGINED = (110, 118, 130), (240, 140, 20)  # border colours: the model sees the picture, or imagines it


class OpenLoop(NamedTuple):
    """Recorded and imagined data, on the CPU: B windows of T rows, J = T - context imagined steps.

    N sampled futures, of which P were decoded. Pictures are uint8 (…, C, H, W) as in the episodes.
    """

    context: int
    """Rows filtered before imagination begins."""
    truth: Tensor
    """(B, T, C, H, W): the recorded pictures."""
    posterior: Tensor
    """(B, T, C, H, W): every row reconstructed from the belief that observed it, at the latent's mean."""
    imagined: Tensor
    """(B, J, C, H, W): the mean future, every latent at its mean (the most probable classes of categorical ones)."""
    sampled: Tensor
    """(B, P, J, C, H, W): the first P sampled futures."""
    rewards: Tensor
    """(B, J): rewards predicted in the mean future."""
    continues: Tensor
    """(B, J): continue probability after the step, in the mean future."""
    values: Tensor
    """(B, J): values of the states reached in the mean future."""
    sampled_rewards: Tensor
    """(B, N, J)."""
    sampled_continues: Tensor
    """(B, N, J)."""
    sampled_values: Tensor
    """(B, N, J)."""
    real_rewards: Tensor
    """(B, J): recorded."""
    real_continues: Tensor
    """(B, J): 0.0 where the recorded action terminated the episode."""
    disagreement: Tensor | None
    """(B, J): disagreement of the ensemble's reward heads in the mean future; None without an ensemble."""
    vector: Tensor | None
    """(B, J, V): vector inputs in the mean future, in their units; None for a model that does not imagine them."""
    sampled_vector: Tensor | None
    """(B, N, J, V)."""
    real_vector: Tensor
    """(B, T, V): recorded, of every row; NaN where unknown."""


@torch.inference_mode()
def open_loop(
    model: WorldModel, batch: Batch, context: int, samples: int, seed: int, decoded_samples: int = 2
) -> OpenLoop:
    """Filter ``context`` rows, then imagine the rest of the batch from its actions: one mean and N sampled futures.

    Samples are a pure function of ``seed`` and of the batch's shape, on every device. At most ``decoded_samples`` of
    them become pictures. Raises ValueError when the batch leaves no row to imagine, or for fewer than one sample.
    """
    size, rows = batch.image.shape[:2]
    if not 1 <= context < rows:
        raise ValueError(f"context is {context}, expected 1 to {rows - 1}: the window has {rows} rows")
    if samples < 1:
        raise ValueError(f"samples is {samples}, expected at least 1")
    steps, latent_size = rows - context, model.config.stochastic_size
    device = next(model.parameters()).device
    there = batch.to(device)

    states, _, _ = model.observe(there, torch.zeros(size, rows, latent_size, device=device))
    start = type(states)(*(part[:, context - 1].repeat_interleave(1 + samples, 0) for part in states))
    actions = there.action[:, context - 1 : rows - 1].repeat_interleave(1 + samples, 0)
    noise = torch.randn(size, samples, steps, latent_size, generator=torch.Generator().manual_seed(seed))
    noise = torch.cat([torch.zeros(size, 1, steps, latent_size), noise], 1)  # future 0 is the mean one
    imagined = model.imagine(start, actions, noise.flatten(0, 1).to(device))

    def by_window(name: str) -> Tensor:
        return imagined[name].float().cpu().unflatten(0, (size, 1 + samples))

    rewards, continues, values = by_window("rewards"), by_window("continues"), by_window("values")
    beliefs = imagined["beliefs"][:, 1:].unflatten(0, (size, 1 + samples))[:, : 1 + decoded_samples]
    pictures = decode_pictures(model, beliefs).cpu()
    return OpenLoop(
        context=context,
        truth=batch.image.cpu(),
        posterior=decode_pictures(model, states.belief).cpu(),
        imagined=pictures[:, 0],
        sampled=pictures[:, 1:],
        rewards=rewards[:, 0],
        continues=continues[:, 0],
        values=values[:, 0],
        sampled_rewards=rewards[:, 1:],
        sampled_continues=continues[:, 1:],
        sampled_values=values[:, 1:],
        real_rewards=batch.reward[:, context - 1 : rows - 1].cpu(),
        real_continues=1.0 - batch.terminal[:, context - 1 : rows - 1].cpu(),
        disagreement=by_window("disagreement")[:, 0] if model.config.ensemble_size > 1 else None,
        vector=None if model.vector is None else by_window("vector")[:, 0],
        sampled_vector=None if model.vector is None else by_window("vector")[:, 1:],
        real_vector=batch.vector.cpu(),
    )


def comparison_frames(result: OpenLoop, sequence: int = 0) -> np.ndarray:
    """Frames uint8 (T, H', W', 3) of one window: real | reconstructed | imagined, the cameras of each side by side.

    During the context the imagined panel shows the reconstruction with the grey border of observed pictures; from the
    first imagined picture on its border is orange. Several cameras make wide panels, so these stand below each other.
    """
    truth, posterior = result.truth[sequence], result.posterior[sequence]
    future = torch.cat([posterior[: result.context], result.imagined[sequence]])
    cameras = truth.shape[1] // 3
    frames = []
    for t in range(len(truth)):
        colours = (SEEN, SEEN, IMAGINED if t >= result.context else SEEN)
        panels = [
            _framed(camera_sheet(pictures[t], columns=cameras), colour)
            for pictures, colour in zip((truth, posterior, future), colours, strict=True)
        ]
        frames.append(np.concatenate(panels, axis=1 if cameras == 1 else 0))
    return np.stack(frames)


def camera_sheet(picture: Tensor, columns: int) -> np.ndarray:
    """A picture uint8 (C, H, W) of K cameras as (rows·H, columns·W, 3), black where there is no camera."""
    channels, height, width = picture.shape
    cameras = picture.reshape(channels // 3, 3, height, width).permute(0, 2, 3, 1).numpy()
    rows = -(-len(cameras) // columns)
    sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
    sheet[: len(cameras)] = cameras
    return sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)


def decode_pictures(model: WorldModel, beliefs: Tensor) -> Tensor:
    """Beliefs (…, F) decoded to uint8 (…, C, H, W), a part at a time."""
    flat = beliefs.flatten(0, -2)
    part = max(1, DECODED_NUMBERS // (model.channels * model.config.image_size**2))
    decoded = [(model.decode(chunk).float() * 255.0).round().clamp(0, 255).byte() for chunk in flat.split(part)]
    return torch.cat(decoded).unflatten(0, beliefs.shape[:-1])


def _framed(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    height, width, _ = picture.shape
    framed = np.full((height + 2 * BORDER, width + 2 * BORDER, 3), colour, np.uint8)
    framed[BORDER:-BORDER, BORDER:-BORDER] = picture
    return framed
