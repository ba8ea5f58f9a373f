"""Reads the vector inputs (speed and others) from an imagined state; the model's decoder has only pictures.

A belief contains them: they were inputs of the model, and the reward depends on them. A linear map fitted to beliefs of
recorded drives reads them.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from wm_data.episodes import EpisodeError

RIDGE = 1e-3  # of the mean square of the inputs: keeps nearly constant columns from getting huge weights


@dataclass(frozen=True)
class VectorReadout:
    """A ridge regression from beliefs to vector inputs."""

    weight: Tensor
    """(F + 1, V), the last row the offset."""
    r2: tuple[float, ...]
    """Share of each number's variance explained on held-out drives; NaN where it never changes."""

    def __call__(self, beliefs: Tensor) -> Tensor:
        """Vectors (…, V) in physical units of beliefs (…, F)."""
        return beliefs @ self.weight[:-1] + self.weight[-1]


def fit_readout(beliefs: Tensor, vectors: Tensor) -> VectorReadout:
    """Fit to windows of beliefs (W, T, F) and vectors (W, T, V), W at least 2; the last quarter of them is held out.

    Raises EpisodeError where a number is missing."""
    if lacking := vectors.isnan().any((0, 1)).nonzero().flatten().tolist():
        raise EpisodeError(
            f"some rows lack the vector inputs {', '.join(map(str, lacking))} (counted from 0), so that no readout can "
            f"be fitted: a model trained with vector_weight above 0 needs none"
        )
    held = max(1, len(beliefs) // 4)
    inputs, targets = beliefs[:-held].flatten(0, 1).double(), vectors[:-held].flatten(0, 1).double()
    mean, offset = inputs.mean(0), targets.mean(0)
    inputs, targets = inputs - mean, targets - offset
    square = inputs.T @ inputs / len(inputs)
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype, device=square.device)
    slope = torch.linalg.solve(square + ridge, inputs.T @ targets / len(inputs))
    weight = torch.cat([slope, (offset - mean @ slope)[None]]).to(beliefs.dtype)
    truth = vectors[-held:].flatten(0, 1)
    error = VectorReadout(weight, ())(beliefs[-held:].flatten(0, 1)) - truth
    r2 = 1.0 - error.square().mean(0) / (truth - truth.mean(0)).square().mean(0)
    return VectorReadout(weight, tuple(float(value) if torch.isfinite(value) else math.nan for value in r2))
