"""Updates recorded as a CUDA graph: the host launches the thousands of kernels of an update at once."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, cuda

from wm_training.errors import TrainingError
from wm_training.training.distributed import OneProcess
from wm_training.training.loader import Sample

WARM_UP = 3
"""Updates before the recording: libraries choose kernels and allocate, and the optimiser makes its moments."""


class Pace(NamedTuple):
    """What differs from update to update besides the data; in a recorded update tensors () on the device."""

    step: int | Tensor
    learning_rate: float | Tensor
    kl_share: float | Tensor


def check_recordable(ranks: OneProcess) -> None:
    """Raise TrainingError where updates cannot be recorded."""
    if ranks.device.type != "cuda":
        raise TrainingError(f"cuda_graph needs a GPU, and the device is {ranks.device}: train without --cuda-graph")
    if ranks.world_size > 1:
        raise TrainingError(f"cuda_graph is for one process, found {ranks.world_size}: train without --cuda-graph")


class RecordedUpdate:
    """Updates of one kind and size: the first WARM_UP kernel by kernel, the others as the recorded graph.

    A graph reads and writes where it did when it was recorded, so the data and the pace of every update are copied to
    the same places, and its results from there (whole-network capture in PyTorch's notes on CUDA semantics).
    """

    def __init__(
        self,
        update: Callable[[Sample, Pace], dict[str, Tensor]],
        optimizer: torch.optim.Optimizer,
        device: torch.device,
    ):
        """``update`` makes one without waiting for the device; its results are tensors ()."""
        self._update, self._optimizer = update, optimizer
        self._stream = cuda.Stream(device)
        self._pace = Pace(*(torch.zeros((), dtype=kind, device=device) for kind in (torch.int64, *[torch.float32] * 2)))
        self._sample: Sample | None = None
        self._graph: cuda.CUDAGraph | None = None
        self._names: tuple[str, ...] = ()
        self._done = 0

    def __call__(self, sample: Sample, pace: Pace) -> dict[str, Tensor]:
        """Do the update of ``sample``. Raises TrainingError where it cannot be recorded."""
        self._take(sample, pace)
        if self._done < WARM_UP:
            self._done += 1
            self._stream.wait_stream(cuda.current_stream())
            with cuda.stream(self._stream):
                results = self._update(self._sample, self._pace)
            cuda.current_stream().wait_stream(self._stream)
            return results
        if self._graph is None:
            self._record()
        self._graph.replay()
        return dict(zip(self._names, self._results.clone().unbind(), strict=True))

    def _take(self, sample: Sample, pace: Pace) -> None:
        if self._sample is None:
            made = (type(part)(*map(torch.empty_like, part)) for part in (sample.batch, sample.noise))
            self._sample = Sample(sample.step, *made)
        places = (*self._sample.batch, *self._sample.noise)
        for place, given in zip(places, (*sample.batch, *sample.noise), strict=True):
            place.copy_(given, non_blocking=True)
        for place, number in zip(self._pace, pace, strict=True):
            place.fill_(number)

    def _record(self) -> None:
        """Nothing is computed while recording."""
        graph = cuda.CUDAGraph()
        try:
            # Only this thread is held to what can be recorded: the loader's goes on meanwhile.
            with self._marked(), cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                results = self._update(self._sample, self._pace)
                self._results = torch.stack([value.float() for value in results.values()])
        except RuntimeError as error:
            reason = " ".join(str(error).split("\n\n")[0].split())
            raise TrainingError(f"the update cannot be recorded, train without --cuda-graph: {reason}") from error
        self._graph, self._names = graph, tuple(results)

    @contextmanager
    def _marked(self):
        """The optimiser refuses to be recorded without its mark; in checkpoints it has none."""
        for group in self._optimizer.param_groups:
            group["capturable"] = True
        try:
            yield
        finally:
            for group in self._optimizer.param_groups:
                group["capturable"] = False
