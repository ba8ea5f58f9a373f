"""Runs frames through a function in pieces, in parallel on several processor cores.

Every core takes its pieces of the batch through all layers, forward and backward, instead of all cores sharing every
layer: a layer's output is still in the core's cache for the next layer, and no core waits for another inside a layer.
oneDNN's do, in busy loops, so that one other process on the machine makes its convolutions several times slower.
Measured on two busy cores, forward and backward of encoder and decoder: 2.7 s instead of 5.7 s.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def in_pieces(
    function: Callable[..., Tensor], parameters: Iterable[nn.Parameter], largest: int, *frames: Tensor
) -> Tensor:
    """``function`` of tensors (M, …), on a processor piece by piece; pieces of at most ``largest`` rows.

    ``function`` must work row by row, use no other parameters than ``parameters``, and no random numbers. It is
    called in several threads at once.
    """
    rows, threads = frames[0].shape[0], torch.get_num_threads()
    if frames[0].device.type != "cpu" or torch.compiler.is_compiling() or rows < 2:
        return function(*frames)
    size = min(largest, -(-rows // threads))
    if threads == 1:
        return torch.cat([function(*piece) for piece in _split(frames, size)])
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
    if not torch.is_grad_enabled():
        return torch.cat(list(_workers(threads).map(_Call(function, dtype), _split(frames, size))))
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    return _Pieces.apply(_Call(function, dtype), _workers(threads), size, len(frames), *frames, *learned)


class _Call:
    """The function for a worker: the settings of autocast hold only for one thread."""

    def __init__(self, function: Callable[..., Tensor], dtype: torch.dtype | None):
        self._function, self._dtype = function, dtype

    def __call__(self, piece: Sequence[Tensor], gradients: bool = False) -> Tensor:
        enabled = self._dtype is not None
        # Without the cache: threads would share casts of one weight, and clear those of others.
        autocast = torch.autocast("cpu", self._dtype or torch.bfloat16, enabled=enabled, cache_enabled=False)
        with torch.set_grad_enabled(gradients), autocast:
            return self._function(*piece)


class _Pieces(torch.autograd.Function):
    """Every piece has its own autograd graph, so that the backward passes run in parallel as well."""

    @staticmethod
    def forward(ctx, call: _Call, workers: ThreadPoolExecutor, size: int, count: int, *tensors: Tensor) -> Tensor:
        frames, ctx.learned = tensors[:count], tensors[count:]
        wanted = ctx.needs_input_grad[4 : 4 + count]

        def run(piece: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
            leaves = [part.detach().requires_grad_(needed) for part, needed in zip(piece, wanted, strict=True)]
            return [leaf for leaf in leaves if leaf.requires_grad], call(leaves, gradients=True)

        ctx.workers, ctx.size, ctx.wanted = workers, size, wanted
        ctx.graphs = list(workers.map(run, _split(frames, size)))
        return torch.cat([result.detach() for _, result in ctx.graphs])

    @staticmethod
    def backward(ctx, gradient: Tensor):
        def run(graph: tuple[list[Tensor], Tensor], piece: Tensor) -> tuple[Tensor, ...]:
            leaves, result = graph
            return torch.autograd.grad(result, [*leaves, *ctx.learned], piece)

        found = list(zip(*ctx.workers.map(run, ctx.graphs, gradient.split(ctx.size)), strict=True))
        ctx.graphs = None  # its memory is free before the backward pass continues
        of_frames = iter(found[: sum(ctx.wanted)])
        # Summed in the order of the pieces, so that the result does not depend on the threads.
        of_learned = [torch.stack(parts).sum(0) for parts in found[sum(ctx.wanted) :]]
        return (
            None,
            None,
            None,
            None,
            *(torch.cat(next(of_frames)) if needed else None for needed in ctx.wanted),
            *of_learned,
        )


def _split(frames: Sequence[Tensor], size: int) -> list[tuple[Tensor, ...]]:
    return list(zip(*(tensor.split(size) for tensor in frames), strict=True))


def _workers(threads: int) -> ThreadPoolExecutor:
    """``threads`` threads, each of which uses one core; made once per process."""
    key = (os.getpid(), threads)
    if key not in _pools:
        _pools[key] = one_core_threads(threads, "pieces")
    return _pools[key]


def one_core_threads(count: int, name: str) -> ThreadPoolExecutor:
    """``count`` threads, each of which uses one core without affecting the caller's other threads.

    A thread with its own OpenMP team, besides the caller's, would mean more threads than cores: GNU's OpenMP then lets
    all teams sleep between two steps, and every small product waits until one wakes up."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_use_one_core)
    everybody_is_here = threading.Barrier(count)
    list(pool.map(lambda _: everybody_is_here.wait(), range(count)))
    torch.set_num_threads(threads)  # the workers' setting is also the default of later threads
    return pool


def _use_one_core() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # from now on this thread keeps its setting, regardless of others
