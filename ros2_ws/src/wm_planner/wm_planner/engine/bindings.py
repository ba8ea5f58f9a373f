"""Calls of an onnxruntime session whose tensors stay bound to memory that is allocated once.

Shapes: N is the free first dimension of a file's tensors, 1 where a file has none.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from wm_bundle.onnx_runtime import onnxruntime as ort

from wm_planner.engine.sessions import first_line
from wm_planner.errors import EngineError, NonFiniteError

_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
_NO_GRAPH = -1  # onnxruntime's value
_GRAPHS = itertools.count(1)  # functions that share a session must not replay one another's graph


def make_function(session: ort.InferenceSession, outputs: tuple[str, ...], device: str):
    """A function that calls ``session`` for ``outputs``, in host memory or on the device.

    It takes all inputs by name, and N, and returns the outputs in order; its next call overwrites them. An input of the
    wrong type or shape is an EngineError.
    """
    return HostFunction(session, outputs) if device == "cpu" else DeviceFunction(session, outputs, device)


def run_checked(
    file: Path, outputs: tuple[str, ...], function: Callable, feeds: dict[str, np.ndarray], count: int
) -> list[np.ndarray]:
    """The outputs of ``function``, a session of ``file``. Raises EngineError where the run fails, NonFiniteError for a
    NaN or an infinity."""
    try:
        results = function(feeds, count)
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise EngineError(f"{file} failed: {first_line(error)}") from error
    for output, result in zip(outputs, results, strict=True):
        # Minimum and maximum catch every NaN and infinity, and allocate nothing.
        if result.dtype != np.uint8 and not (result.min() > -np.inf and result.max() < np.inf):
            raise NonFiniteError(f"{file}: output '{output}' is not finite")
    return results


@dataclass(frozen=True)
class Tensor:
    """An input or output of a file. The first of ``dimensions`` may be a word, meaning N."""

    name: str
    kind: type
    dimensions: tuple[int | str, ...]

    def __post_init__(self):
        if not all(isinstance(size, int) for size in self.dimensions[1:]):
            raise EngineError(
                f"'{self.name}' has the shape {self.dimensions}, expected numbers after the first one; "
                f"export the bundle again"
            )

    def shape(self, count: int) -> tuple[int, ...]:
        """Its shape at N = ``count``."""
        first, *rest = self.dimensions
        return (first if isinstance(first, int) else count, *rest)

    def check(self, array: np.ndarray, count: int) -> None:
        """Raise EngineError unless ``array`` is this input at N = ``count``."""
        if array.dtype != self.kind or array.shape != self.shape(count):
            raise EngineError(
                f"input '{self.name}': expected {np.dtype(self.kind)} {self.shape(count)}, "
                f"found {array.dtype} {array.shape}"
            )


class _Function:
    """A session with all its inputs and the requested outputs."""

    def __init__(self, session: ort.InferenceSession, outputs: tuple[str, ...]):
        self._session = session
        found = {entry.name: _tensor(entry) for entry in session.get_outputs()}
        self._inputs = tuple(_tensor(entry) for entry in session.get_inputs())
        self._outputs = tuple(found[name] for name in outputs)

    def __call__(self, feeds: dict[str, np.ndarray], count: int) -> list[np.ndarray]:
        for tensor in self._inputs:
            tensor.check(feeds[tensor.name], count)
        return self._run(feeds, count)


class HostFunction(_Function):
    """In host memory: one buffer per tensor at the largest N so far, and views of it for smaller N."""

    def __init__(self, session: ort.InferenceSession, outputs: tuple[str, ...]):
        super().__init__(session, outputs)
        self._binding = session.io_binding()
        self._largest = self._count = 0
        self._buffers: list[np.ndarray] = []
        self._views: list[np.ndarray] = []

    def _run(self, feeds: dict[str, np.ndarray], count: int) -> list[np.ndarray]:
        if count != self._count:
            self._bind(count)
        for tensor, view in zip(self._inputs, self._views, strict=False):
            np.copyto(view, feeds[tensor.name])
        self._session.run_with_iobinding(self._binding)
        return self._views[len(self._inputs) :]

    def _bind(self, count: int) -> None:
        tensors = (*self._inputs, *self._outputs)
        if count > self._largest:
            self._largest = count
            self._buffers = [np.empty(tensor.shape(count), tensor.kind) for tensor in tensors]
        views = [buffer[: tensor.shape(count)[0]] for tensor, buffer in zip(tensors, self._buffers, strict=True)]
        for tensor, view in zip(tensors, views, strict=True):
            binding = self._binding
            bind = binding.bind_ortvalue_input if tensor in self._inputs else binding.bind_ortvalue_output
            bind(tensor.name, ort.OrtValue.ortvalue_from_numpy(view))  # the same memory, not a copy
        self._views, self._count = views, count


class RolloutFunction(_Function):
    """imagine.onnx by wm_imagination's roll-out, for the outputs of a session of the same file."""

    def __init__(self, session: ort.InferenceSession, outputs: tuple[str, ...], rollout: Callable):
        super().__init__(session, outputs)
        self._rollout = rollout
        self._buffers = [np.empty(tensor.shape(0), tensor.kind) for tensor in self._outputs]

    def _run(self, feeds: dict[str, np.ndarray], count: int) -> list[np.ndarray]:
        if count > len(self._buffers[0]):
            self._buffers = [np.empty(tensor.shape(count), tensor.kind) for tensor in self._outputs]
        views = [buffer[:count] for buffer in self._buffers]
        given = (np.ascontiguousarray(feeds[name]) for name in ("belief", "actions", "noise"))
        self._rollout(*given, {tensor.name: view for tensor, view in zip(self._outputs, views, strict=True)})
        return views


class DeviceFunction(_Function):
    """On a device: tensors at fixed addresses, for the largest N so far and one other.

    Calls at the largest N replay one recorded graph where the session was opened with such options; other N, which
    occur only near a deadline, run kernel by kernel."""

    def __init__(self, session: ort.InferenceSession, outputs: tuple[str, ...], device: str):
        """``device`` is its name in onnxruntime."""
        super().__init__(session, outputs)
        self._device = device
        self._largest: _DeviceTensors | None = None
        self._other: _DeviceTensors | None = None

    def _run(self, feeds: dict[str, np.ndarray], count: int) -> list[np.ndarray]:
        bound = self._bound(count)
        for tensor, value in zip(self._inputs, bound.inputs, strict=True):
            value.update_inplace(np.ascontiguousarray(feeds[tensor.name]))
        self._session.run_with_iobinding(bound.binding, bound.run_options)
        return [value.numpy() for value in bound.outputs]

    def _bound(self, count: int) -> "_DeviceTensors":
        for known in (self._largest, self._other):
            if known is not None and known.count == count:
                return known
        largest = self._largest is None or count > self._largest.count
        graph = next(_GRAPHS) if largest else _NO_GRAPH
        bound = _DeviceTensors(self._session, self._inputs, self._outputs, count, self._device, graph)
        if largest:
            self._largest = bound
        else:
            self._other = bound
        return bound


class _DeviceTensors:
    """Inputs and outputs on the device for one N, bound once. ``graph`` is the number of the recorded graph."""

    def __init__(
        self, session, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], count: int, device: str, graph: int
    ):
        self.count = count
        self.binding = session.io_binding()
        self.run_options = ort.RunOptions()
        self.run_options.add_run_config_entry("gpu_graph_id", str(graph))
        self.inputs, self.outputs = (
            [ort.OrtValue.ortvalue_from_shape_and_type(tensor.shape(count), tensor.kind, device, 0) for tensor in some]
            for some in (inputs, outputs)
        )
        for tensor, value in zip(inputs, self.inputs, strict=True):
            self.binding.bind_ortvalue_input(tensor.name, value)
        for tensor, value in zip(outputs, self.outputs, strict=True):
            self.binding.bind_ortvalue_output(tensor.name, value)


def _tensor(entry) -> Tensor:
    return Tensor(entry.name, _TYPES[entry.type], tuple(entry.shape))
