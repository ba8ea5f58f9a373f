"""Prefetching: a thread prepares the next updates' data while the model computes."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from typing import NamedTuple

import torch

from wm_training.errors import TrainingError
from wm_training.model.batch import Batch
from wm_training.model.noise import Noise
from wm_training.model.pieces import one_core_threads

READ_DEADLINE_S = 300.0
CLOSE_DEADLINE_S = 10.0


class Sample(NamedTuple):
    """The data of one update."""

    step: int
    """Number of the update, from 0."""
    batch: Batch
    noise: Noise

    def to(self, device: torch.device | str) -> "Sample":
        """The same sample on another device."""
        return Sample(self.step, self.batch.to(device), self.noise.to(device))


class Prefetch:
    """Samples in the order of ``steps``, read ahead by one thread and copied to the device.

    Images stay uint8 until they are on the device; on a GPU the copies overlap with the computation, from pinned
    memory."""

    def __init__(self, read: Callable[[int], Sample], steps: range, ahead: int, device: torch.device):
        """``read(step)`` gives a sample, its batch on the CPU; ``ahead`` of them are read in advance."""
        self._read, self._steps, self._ahead, self._device = read, steps, ahead, device
        self._thread = one_core_threads(1, "prefetch")
        self._pending: deque[Future[Sample]] = deque()
        self.waited_s = 0.0
        """Time that the loop waited for data [s]."""

    def __enter__(self) -> "Prefetch":
        return self

    def __exit__(self, *error) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        wait([future for future in self._pending if not future.cancelled()], timeout=CLOSE_DEADLINE_S)

    def __iter__(self) -> Iterator[Sample]:
        """Raises whatever ``read`` raised, and TrainingError when a sample takes longer than READ_DEADLINE_S."""
        for step in self._steps:
            self._pending.append(self._thread.submit(self._load, step))
            if len(self._pending) > self._ahead:
                yield self._next()
        while self._pending:
            yield self._next()

    def _next(self) -> Sample:
        started = time.monotonic()
        try:
            sample = self._pending[0].result(timeout=READ_DEADLINE_S)
        except FutureTimeout:
            raise TrainingError(
                f"no data for {READ_DEADLINE_S:.0f} s: is the file system under data_path still there?"
            ) from None
        self._pending.popleft()
        sample = sample.to(self._device)
        self.waited_s += time.monotonic() - started
        return sample

    def _load(self, step: int) -> Sample:
        sample = self._read(step)
        if self._device.type != "cuda":
            return sample
        return sample._replace(batch=Batch(*(tensor.pin_memory() for tensor in sample.batch)))
