"""CUDA graphs on a processor, as far as their rules go: recording changes nothing, and replaying repeats the same
operations on the same memory, with the numbers that they had."""

from contextlib import contextmanager, nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only


class CUDAGraph:
    """Operations in their order, with their tensors."""

    def __init__(self):
        self.steps = []

    def replay(self) -> None:
        """Repeat them."""
        with torch.no_grad():
            for operation, args, kwargs, results in self.steps:
                for old, new in zip(_tensors(results), _tensors(operation(*args, **kwargs)), strict=True):
                    if old.data_ptr() != new.data_ptr():  # not a view of, or a change in, what is recorded
                        old.copy_(new)


class _Recorder(TorchDispatchMode):
    def __init__(self, found: CUDAGraph):
        super().__init__()
        self._found = found

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        results = operation(*args, **(kwargs or {}))
        kept = (tree_map_only(torch.Tensor, torch.Tensor.detach, part) for part in (args, kwargs or {}, results))
        self._found.steps.append((operation, *kept))
        return results


class FakeCuda:
    """In the place of torch.cuda, for one graph."""

    CUDAGraph = CUDAGraph

    def __init__(self, state):
        """``state()`` lists the tensors that live on; recording leaves them as they were."""
        self._state = state
        self.graphs = []
        self.modes = []

    def Stream(self, device):  # noqa: N802
        """A stream that waits for nothing."""
        return self

    def current_stream(self):
        """The only stream."""
        return self

    def wait_stream(self, stream) -> None:
        """Nothing runs at the same time."""

    def stream(self, stream):
        """Within it, work is put on ``stream``."""
        return nullcontext()

    @contextmanager
    def graph(self, graph: CUDAGraph, stream, capture_error_mode: str):
        """Record what is computed within it."""
        before = [tensor.clone() for tensor in self._state()]
        with _Recorder(graph):
            yield
        with torch.no_grad():
            for tensor, old in zip(self._state(), before, strict=True):
                tensor.copy_(old)
        self.graphs.append(graph)
        self.modes.append(capture_error_mode)


def _tensors(results) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(results) if isinstance(leaf, torch.Tensor)]
