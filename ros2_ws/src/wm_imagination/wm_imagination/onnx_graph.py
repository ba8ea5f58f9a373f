"""The graph of an ONNX file: its nodes by the tensors they make, and its constant tensors."""

from dataclasses import dataclass, field

import numpy as np
from wm_bundle.onnx_fields import SIZED, Field, fields, values, varint, whole

# Field numbers: ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto.
_GRAPH, _NODE, _INITIALIZER, _OUTPUT = 7, 1, 5, 12
_INPUTS, _OUTPUTS, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5
_NAME, _FLOAT = 1, 2
_DIMENSIONS, _TYPE, _FLOATS, _INTEGERS, _TENSOR_NAME, _RAW = 1, 2, 4, 5, 8, 9
_KINDS = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}


@dataclass(frozen=True)
class Node:
    """An operator, its tensors by name, and its attributes that are real numbers."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: dict[str, float]


@dataclass(frozen=True)
class Graph:
    """A file's nodes by the names of what they make, its constants, and the names of its outputs."""

    made_by: dict[str, Node] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)


def read_graph(content: bytes) -> Graph:
    """Raises ValueError if it is not an ONNX file."""
    graph = Graph()
    for part in (part for model in _of(content, whole(content), _GRAPH) for part in fields(content, model)):
        if part.number == _NODE:
            node = _node(content, part)
            graph.made_by.update(dict.fromkeys(node.outputs, node))
        elif part.number == _INITIALIZER:
            name = b"".join(values(content, part, _TENSOR_NAME)).decode()
            graph.constants[name] = _tensor(content, part)
        elif part.number == _OUTPUT:
            graph.outputs.append(values(content, part, _NAME)[0].decode())
    return graph


def _of(content: bytes, message: Field, number: int) -> list[Field]:
    return [part for part in fields(content, message) if part.number == number]


def _node(content: bytes, node: Field) -> Node:
    inputs, outputs = (tuple(name.decode() for name in values(content, node, kind)) for kind in (_INPUTS, _OUTPUTS))
    numbers = {}
    for attribute in _of(content, node, _ATTRIBUTE):
        for number in values(content, attribute, _FLOAT):
            numbers[values(content, attribute, _NAME)[0].decode()] = float(np.frombuffer(number, "<f4")[0])
    return Node(b"".join(values(content, node, _OPERATOR)).decode(), inputs, outputs, numbers)


def _tensor(content: bytes, tensor: Field) -> np.ndarray:
    """Its values; empty where they are stored in a way that no bundle uses."""
    shape, kind = _integers(content, tensor, _DIMENSIONS), _KINDS.get(*_integers(content, tensor, _TYPE))
    raw, floats = values(content, tensor, _RAW), values(content, tensor, _FLOATS)
    if kind is None:
        return np.zeros(0, np.float32)
    if raw or floats:
        found = np.frombuffer(b"".join(raw or floats), kind)
    else:
        found = np.array(_integers(content, tensor, _INTEGERS), np.int64).astype(kind)
    return found.reshape(shape) if found.size == np.prod(shape, dtype=int) else np.zeros(0, kind)


def _integers(content: bytes, message: Field, number: int) -> list[int]:
    """Repeated whole numbers, packed or not."""
    found = []
    for part in _of(content, message, number):
        at = part.begin
        packed = varint(content, part.at)[0] & 7 == SIZED
        while at < part.end:
            value, at = varint(content, at)
            found.append(value)
            if not packed:
                break
    return found
