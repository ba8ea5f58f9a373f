"""Non-finite loss and gradients: detected on the device, so that the host never waits for it in an update."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from wm_bundle.files import replacing

from wm_training.model.batch import Batch


class FiniteGuard:
    """From the first bad update on, weights, moments and buffers stay unchanged."""

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device):
        """``optimizer`` is a fused one: its kernel skips the update where ``found_inf`` is 1."""
        self._tripped = torch.zeros((), device=device)
        self._first = torch.full((), -1, dtype=torch.int64, device=device)
        optimizer.grad_scale, optimizer.found_inf = None, self._tripped

    def reset(self) -> None:
        """Forget what was bad: other weights were loaded."""
        self._tripped.zero_()
        self._first.fill_(-1)

    def watch(self, norm: Tensor, step: int | Tensor) -> None:
        """Before the optimiser's step: ``norm`` () is that of the gradients of update ``step``."""
        bad = ~torch.isfinite(norm)
        self._first.copy_(torch.where(bad & (self._first < 0), step, self._first))
        self._tripped.copy_(torch.maximum(self._tripped, bad.to(self._tripped.dtype)))

    @contextmanager
    def holding(self, tensors: Iterable[Tensor]) -> Iterator[None]:
        """Changes to ``tensors`` within the block are undone after a bad update."""
        tensors = list(tensors)
        before = [tensor.clone() for tensor in tensors]
        yield
        for tensor, old in zip(tensors, before, strict=True):
            tensor.copy_(torch.where(self._tripped > 0, old, tensor))

    def first_bad(self) -> int | None:
        """Number of the first bad update, if there was one. Waits for the device."""
        first = int(self._first)
        return first if first >= 0 else None


def usable_gradient(loss: Tensor) -> Tensor:
    """Factor for the gradient of ``loss`` (): 1, or NaN if the loss is not finite.

    A loss may be infinite with zero gradients. With this factor they all become NaN, in every process once averaged.
    """
    return loss.detach() * 0.0 + 1.0


def write_bad_batch(path: Path, batch: Batch, meta: dict[str, Any]) -> None:
    """Save the arrays of a batch, named as in Batch, and ``meta`` as JSON; numpy reads it without pickle."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in batch._asdict().items()}
    with replacing(path) as partial, open(partial, "wb") as stream:
        np.savez(stream, **arrays, meta=np.array(json.dumps(meta, indent=1)))
