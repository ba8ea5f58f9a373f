"""A batch of sequences, made by datasets and read by the model."""

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Sequences for the trainer; time as drawn in docs/architecture.md."""

    image: Tensor
    """(B, T, C, H, W) uint8, C = 3K."""
    vector: Tensor
    """(B, T, V) physical units; NaN where unknown."""
    action: Tensor
    """(B, T, A): a_t."""
    previous_action: Tensor
    """(B, T, A): a_{t-1}, zeros where unknown."""
    reward: Tensor
    """(B, T): r_t, the result of a_t."""
    terminal: Tensor
    """(B, T): 1.0 where a_t terminated the episode."""
    is_first: Tensor
    """(B, T): 1.0 where a new belief begins."""
    expert: Tensor
    """(B, T, 2): the expert's (steer, longitudinal) at o_t."""
    expert_weight: Tensor
    """(B, T): 0 where ``expert`` is unknown, else one over the share of known rows in the data."""
    camera_mask: Tensor
    """(B, T, K): 1.0 where the camera's picture is present."""
    reward_terms: Tensor
    """(B, T, R): the terms of the reward, NaN where unknown; R = 0 where they are not learned."""

    def part(self, rows: slice) -> "Batch":
        """Some of the sequences."""
        return Batch(*(tensor[rows] for tensor in self))

    def channels_last(self) -> "Batch":
        """The same batch, the pictures laid out in memory with their channels innermost."""
        rows = self.image.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self._replace(image=rows.unflatten(0, self.image.shape[:2]))

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))
