"""Eight-bit weights and activations for the wide matrix products of an exported file, for a processor.

Weights get one scale per output, activations one per product, computed at run time (onnxruntime's dynamic
quantization), so no data are needed. onnxruntime has no bfloat16 products on x86 processors, and its float16 ones are
slower than float32.

The weights are stored as uint8 around 128, not as int8 around 0: without VNNI, x86-64 processors add products of uint8
and int8 in sixteen bits that saturate, and those of uint8 and uint8 exactly. The planner's engine converts them back
where int8 is exact, which is faster there.
"""

import logging
import math
import tempfile
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper
from wm_bundle.onnx_runtime import onnxruntime, quantization_tools

# Products with fewer weights are not faster in eight bits, and the heads' last layers, whose values differ widely from
# bin to bin, lose most accuracy: skipping them cuts the error of the return to a fifth and slows the roll-out by 8 %.
_FEWEST_WEIGHTS = 1 << 16


def quantize(source: Path, file: Path) -> int:
    """Write ``source`` to ``file`` with its wide products in eight bits; returns the number of such products.

    Where there are none, the file is as good as a copy.
    """
    model = _folded(source)
    wide = _spell_out_wide_products(model)
    if not wide:
        onnx.save(model, file)
        return 0
    tools = quantization_tools()
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it suggests the folding that was just done
    try:
        tools.quantize_dynamic(
            model,
            file,
            per_channel=True,
            weight_type=tools.QuantType.QInt8,  # symmetric around 0; as QUInt8 it would choose other numbers
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=wide,
        )
    finally:
        logging.disable(disabled)
    reduced = onnx.load(file)
    make_unsigned(reduced)
    onnx.save(reduced, file)
    return len(wide)


def make_unsigned(model: onnx.ModelProto) -> int:
    """Turn the int8 weights of all eight-bit products into uint8, in place; returns the number of tensors.

    Weight and zero point both grow by 128, so that every product is the same integer. Raises ValueError for a weight
    without a zero point, or one that something else reads as well.
    """
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    factors, others = set(), set()
    for node in model.graph.node:
        product = node.op_type == "MatMulInteger"
        signed = product and node.input[1] in tensors and tensors[node.input[1]].data_type == onnx.TensorProto.INT8
        if signed and (len(node.input) < 4 or node.input[3] not in tensors):
            raise ValueError(f"{node.name or node.op_type}: expected a constant zero point of its weight, found none")
        factors |= {node.input[1], node.input[3]} if signed else set()
        others |= set(node.input[::2] if signed else node.input)
    if factors & others:
        raise ValueError(f"{', '.join(sorted(factors & others))}: expected to be read by eight-bit products alone")
    for name in factors:
        values = numpy_helper.to_array(tensors[name]).astype(np.int16) + 128
        tensors[name].CopyFrom(numpy_helper.from_array(values.astype(np.uint8), name))
    return len(factors)


def unsigned_copy(source: Path, file: Path) -> int:
    """Write ``source`` to ``file`` with uint8 weights; returns how many tensors changed; none: no file.

    Raises ValueError if it is not an ONNX file.
    """
    try:
        model = onnx.load(source)
    except DecodeError:
        raise ValueError(f"{source.name} is no ONNX file") from None
    if changed := make_unsigned(model):
        onnx.save(model, file)
    return changed


def float_copy(source: Path, file: Path) -> Path | None:
    """Write ``source`` to ``file`` without eight-bit products; None, and nothing is written, where there are none."""
    model = onnx.load(source)
    if not any(node.op_type == "MatMulInteger" for node in model.graph.node):
        return None
    onnx.save(dequantized(model), file)
    return file


def dequantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with float32 products of its eight-bit weights, and of unrounded activations.

    For products written by ``quantize``; raises ValueError for others.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph, tensors = model.graph, {tensor.name: tensor for tensor in model.graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    read_by = {name: node for node in graph.node for name in node.input}
    nodes = []
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            nodes.append(node)
            continue
        rounding, cast = made_by.get(node.input[0]), read_by.get(node.output[0])
        scaling = read_by.get(cast.output[0]) if cast is not None else None
        found = [one.op_type if one else None for one in (rounding, cast, scaling)]
        if found != ["DynamicQuantizeLinear", "Cast", "Mul"]:
            raise ValueError(f"{node.name}: expected a product that `export --precision int8` wrote, found another")
        (scales,) = [made_by[name] for name in scaling.input if name != cast.output[0]]
        (scale,) = [name for name in scales.input if name in tensors]
        weight = _float_weight(tensors, node.input[1], node.input[3], scale)
        # The scaling comes after the product in the graph, and nothing between the two reads its result.
        nodes.append(helper.make_node("MatMul", [rounding.input[0], weight], [scaling.output[0]], name=node.name))
        cast.op_type = scaling.op_type = ""
    _keep_what_is_read(model, [node for node in nodes if node.op_type], tensors)
    return model


def _float_weight(tensors: dict[str, onnx.TensorProto], weight: str, zero_point: str, scale: str) -> str:
    """The name of a weight in float32, which all products of this weight share."""
    name = f"{weight}_float"
    if name not in tensors:
        numbers, zero, factor = (numpy_helper.to_array(tensors[part]) for part in (weight, zero_point, scale))
        whole = (numbers.astype(np.int32) - zero).astype(np.float32)
        tensors[name] = numpy_helper.from_array(whole * factor, name)
    return name


def _keep_what_is_read(model: onnx.ModelProto, nodes: list, tensors: dict[str, onnx.TensorProto]) -> None:
    """Give the model those of ``nodes`` and ``tensors`` that its outputs need, in the same order."""
    needed, kept = {output.name for output in model.graph.output}, []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(reversed(kept))
    model.graph.initializer.extend(tensor for name, tensor in tensors.items() if name in needed)


def _folded(source: Path) -> onnx.ModelProto:
    """The model with constants folded: a weight after another operator would not be found."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _spell_out_wide_products(model: onnx.ModelProto) -> list[str]:
    """Replace every wide Gemm by MatMul and Add, in place; returns the names of all wide MatMuls."""
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
