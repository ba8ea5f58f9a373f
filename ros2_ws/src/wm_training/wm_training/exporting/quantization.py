"""Eight-bit weights and activations for the wide matrix products of an exported file, for a processor.

Weights get one scale for each output, activations one for a whole product, found while running (onnxruntime's dynamic
quantization), so no data are needed. onnxruntime has no bfloat16 products on x86 processors, and its float16 ones are
slower than float32.
"""

import logging
import math
import tempfile
from pathlib import Path

import onnx
from onnx import helper, numpy_helper
from wm_bundle.onnx_runtime import onnxruntime, quantization_tools

# Products with fewer weights are not faster in eight bits, and the heads' last layers, with values far apart from bin
# to bin, lose most by it: leaving them alone makes the error of the return a fifth and the roll-out 8 % slower.
_FEWEST_WEIGHTS = 1 << 16


def quantize(source: Path, file: Path) -> int:
    """Write ``source`` to ``file`` with its wide products in eight bits; returns how many products that are.

    Where there are none, the file is as good as a copy.
    """
    model = _folded(source)
    wide = _spell_out_wide_products(model)
    if not wide:
        onnx.save(model, file)
        return 0
    tools = quantization_tools()
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it asks for the folding that was just done
    try:
        tools.quantize_dynamic(
            model,
            file,
            per_channel=True,
            weight_type=tools.QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=wide,
        )
    finally:
        logging.disable(disabled)
    return len(wide)


def _folded(source: Path) -> onnx.ModelProto:
    """The model without what can be worked out beforehand: a weight behind another operator would not be found."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _spell_out_wide_products(model: onnx.ModelProto) -> list[str]:
    """Turn every wide Gemm into MatMul and Add, in place; returns the names of all wide MatMuls."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes, wide = [], []
    for number, node in enumerate(model.graph.node):
        weight = weights.get(node.input[1]) if node.op_type in ("MatMul", "Gemm") else None
        if weight is None or math.prod(weight.dims) < _FEWEST_WEIGHTS:
            nodes.append(node)
            continue
        product = helper.make_node("MatMul", list(node.input[:2]), list(node.output), name=f"wide_product_{number}")
        wide.append(product.name)
        nodes.append(product)
        if node.op_type == "Gemm":
            settings = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
            if settings.pop("transB", 0):
                product.input[1] = _transposed(model, weights, weight)
            if {"transA": 0, "alpha": 1.0, "beta": 1.0} | settings != {"transA": 0, "alpha": 1.0, "beta": 1.0}:
                raise ValueError(f"{node.name or node.op_type}: expected a plain product, found {settings}")
            if len(node.input) > 2:
                product.output[0] += "_product"
                nodes.append(helper.make_node("Add", [product.output[0], node.input[2]], list(node.output)))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return wide


def _transposed(model: onnx.ModelProto, weights: dict[str, onnx.TensorProto], weight: onnx.TensorProto) -> str:
    """The name of a weight's transpose, which all products of this weight share."""
    name = f"{weight.name}_transposed"
    if name not in weights:
        weights[name] = numpy_helper.from_array(numpy_helper.to_array(weight).T.copy(), name)
        model.graph.initializer.append(weights[name])
    return name
