"""The roll-out of rollout.cpp for one model.

Shapes: N candidates, H horizon, F belief features, S stochastic size, A action.
"""

import ctypes
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from wm_imagination.library import UnsuitedError, kinds, load
from wm_imagination.model import read_model

_FEWEST_ROWS = 12  # for a thread of its own


class Rollout:
    """Imagines with a bundle's imagine.onnx."""

    def __init__(self, content: bytes, threads: int = 1, kind: str = ""):
        """``content`` is the file's; ``kind`` one of ``library.kinds``, empty: the best.

        Raises UnsuitedError, with the reason, where processor or model do not suit.
        """
        suited = [kind] if kind else kinds()
        if not suited:
            raise UnsuitedError("it needs an x86-64 processor with AVX2, and its library built there")
        self.processor = suited[0]
        self._library = load(self.processor)
        model = read_model(content)
        self.heads = tuple(head.name for head in model.heads)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._tensors = [None if part is None else _plain(part) for part in model.tensors]  # the library reads them
        sizes = (ctypes.c_int32 * 5)(model.action, model.stochastic, model.units, model.hidden, len(model.heads))
        constants = (ctypes.c_float * 3)(model.epsilon, model.least_std, model.update)
        heads = (ctypes.c_int32 * (2 * len(model.heads)))(
            *(number for head in model.heads for number in (head.kind, head.outputs))
        )
        pointers = (ctypes.c_void_p * len(self._tensors))(*map(_address, self._tensors))
        self._rollout = self._library.wm_open(sizes, constants, heads, pointers)
        weakref.finalize(self, self._library.wm_close, self._rollout)

    def __call__(
        self, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray, results: dict[str, np.ndarray]
    ) -> None:
        """Fill ``results``, arrays (N, H, ·) float32 in one piece by the names of outputs: either "beliefs", or all the
        heads, or both. ``belief`` (1, F), ``actions`` (N, H, A) and ``noise`` (N, H, S) are the same."""
        if len(results.keys() & set(self.heads)) not in (0, len(self.heads)):
            raise ValueError(f"expected the outputs {', '.join(self.heads)} together, found {', '.join(results)}")
        parts = max(1, min(self._threads, len(actions) // _FEWEST_ROWS))
        bounds = [len(actions) * part // parts for part in range(parts + 1)]
        spans = [slice(*pair) for pair in zip(bounds, bounds[1:], strict=False)]
        if self._pool is None:
            self._run(spans[0], belief, actions, noise, results)
        else:
            list(self._pool.map(lambda span: self._run(span, belief, actions, noise, results), spans))

    def _run(self, span: slice, belief, actions, noise, results: dict[str, np.ndarray]) -> None:
        heads = [results[name][span].ctypes.data for name in self.heads if name in results]
        said = (ctypes.c_void_p * len(heads))(*heads) if heads else None
        count, horizon = actions[span].shape[:2]
        given = (_address(array) for array in (belief, actions[span], noise[span]))
        beliefs = results["beliefs"][span].ctypes.data if "beliefs" in results else None
        self._library.wm_run(self._rollout, count, horizon, *given, beliefs, said)


def _plain(tensor: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(tensor, None if tensor.dtype == np.int8 else np.float32)


def _address(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data
