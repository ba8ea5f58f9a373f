"""One module to one ONNX file, by tracing it.

torch's tracing exporter takes a second, the one on torch.export half a minute, most of it passes over roll-outs of H
equal steps, and onnxruntime runs both files equally fast. The tracer treats shapes as constants where the code uses
them as numbers; the parity check and the tests run other numbers of candidates than were traced.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

OPSET = 18


def write_graph(
    graph: nn.Module, inputs: dict[str, Tensor], outputs: list[str], free: dict[str, str], file: Path
) -> None:
    """Trace ``graph`` on ``inputs`` (by name, in its own order) and write it to ``file``.

    ``free`` names the first dimension of those inputs and outputs where it may be any number.
    """
    with torch.no_grad(), _plain_operators(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the older exporter, and shapes treated as constants
        torch.onnx.export(
            graph,
            tuple(inputs.values()),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes={name: {0: dimension} for name, dimension in free.items()},
        )
        results = graph(*inputs.values())
    _fix_shapes(file, dict(zip(outputs, results if isinstance(results, tuple) else (results,), strict=True)), free)


def _fix_shapes(file: Path, outputs: dict[str, Tensor], free: dict[str, str]) -> None:
    """Write down the outputs' shapes, of which the tracer loses some: readers allocate their buffers by them."""
    model = onnx.load(file)
    for entry in model.graph.output:
        kind = entry.type.tensor_type.elem_type
        _, *rest = shape = list(outputs[entry.name].shape)
        shape = [free[entry.name], *rest] if entry.name in free else shape
        entry.CopyFrom(onnx.helper.make_tensor_value_info(entry.name, kind, shape))
    onnx.save(model, file)


@contextmanager
def _plain_operators() -> Iterator[None]:
    """Fewer operators for two that torch spells out at length; a tenth of a roll-out's time."""

    def lerp(g, start, end, weight):
        return g.op("Add", start, g.op("Mul", weight, g.op("Sub", end, start)))

    def chunk(g, value, chunks, dim):
        return g.op("Split", value, axis_i=dim, num_outputs_i=chunks, outputs=chunks)

    symbolics = {"aten::lerp": lerp, "prim::ConstantChunk": chunk}
    for name, symbolic in symbolics.items():
        torch.onnx.register_custom_op_symbolic(name, symbolic, OPSET)
    try:
        yield
    finally:
        for name in symbolics:
            torch.onnx.unregister_custom_op_symbolic(name, OPSET)
