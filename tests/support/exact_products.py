"""Eight-bit models of a world model, and the same with products whose integers are certainly exact."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper


def with_exact_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """Every MatMulInteger in float64, which holds all its sums: 512 * 255 * 255 is far below 2^53."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    nodes = []
    for number, node in enumerate(model.graph.node):
        if node.op_type != "MatMulInteger":
            nodes.append(node)
            continue

        def make(kind, inputs, output, number=number, **settings):
            output = f"exact_{number}_{output}"
            nodes.append(helper.make_node(kind, inputs, [output], **settings))
            return output

        factors = []
        for side, (values, zero) in enumerate(zip(node.input[:2], node.input[2:], strict=True)):
            doubles = [make("Cast", [name], f"{side}_{name}", to=TensorProto.DOUBLE) for name in (values, zero)]
            factors.append(make("Sub", doubles, f"factor_{side}"))
        nodes.append(helper.make_node("Cast", [make("MatMul", factors, "sum")], node.output, to=TensorProto.INT32))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def with_signed_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The weights of every MatMulInteger as int8 around 0, as bundles of earlier versions have them."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    products = [node for node in model.graph.node if node.op_type == "MatMulInteger"]
    for tensor in model.graph.initializer:
        if any(tensor.name in (node.input[1], node.input[3]) for node in products):
            values = (numpy_helper.to_array(tensor).astype("int16") - 128).astype("int8")
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def weight_types(file: Path) -> set[int]:
    """The types of the weights of all eight-bit products of a file."""
    graph = onnx.load(file).graph
    weights = {node.input[i] for node in graph.node if node.op_type == "MatMulInteger" for i in (1, 3)}
    return {tensor.data_type for tensor in graph.initializer if tensor.name in weights}
