"""Converts eight-bit weights to the form that this processor multiplies exactly and fast.

With int8 weights a product is fast where the processor has VNNI (or is an Arm). x86-64 processors without it add pairs
of products in sixteen bits, which saturate silently. The same weights as uint8, with their zero point shifted by 128,
are exact everywhere. Bundles store uint8; older ones, and policies from elsewhere, may have int8. No need for the
package onnx here: only one byte of a tensor's type and the top bit of its values change.
"""

from functools import lru_cache

import numpy as np
from wm_bundle.onnx_fields import SIZED, fields, values, whole
from wm_bundle.onnx_runtime import onnxruntime as ort

_UINT8, _INT8 = 2, 3  # TensorProto.DataType
_PRODUCT = b"MatMulInteger"
# Field numbers: ModelProto, GraphProto, NodeProto, TensorProto.
_GRAPH, _NODE, _INITIALIZER, _INPUT, _OPERATOR, _TYPE, _NUMBERS, _NAME, _RAW = 7, 1, 5, 1, 4, 2, 5, 8, 9
# A model of one MatMulInteger, (M, 64) uint8 times (64, 16) int8, as test_eight_bit.py builds it.
_PROBE = bytes.fromhex(
    "08083a620a180a01610a0162120163220d4d61744d756c496e7465676572120570726f62655a140a0161120f0a0d0802"
    "12090a0312014d0a0208405a130a0162120e0a0c080312080a0208400a02081062140a0163120f0a0d080612090a0312"
    "014d0a02081042040a001012"
)


def suited(content: bytes) -> bytes:
    """The ONNX file ``content`` with the weights of its eight-bit products in the best form for this processor.

    The same bytes where nothing needs to change, or nothing can. Raises ValueError if it is not an ONNX file.
    """
    return _with_weights(content, _INT8 if signed_is_exact() else _UINT8) if _PRODUCT in content else content


@lru_cache(maxsize=1)
def signed_is_exact() -> bool:
    """Whether this processor adds the largest products of uint8 with int8 exactly, by trying it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(_PROBE, options, providers=["CPUExecutionProvider"])
    weights = np.full((64, 16), 127, np.int8)
    sums = [session.run(None, {"a": np.full((rows, 64), 255, np.uint8), "b": weights})[0] for rows in (1, 64)]
    return all((found == 64 * 255 * 127).all() for found in sums)


def _with_weights(content: bytes, wanted: int) -> bytes:
    """``content`` with the constant weights of its eight-bit products as the type ``wanted``.

    Only weights that have a constant zero point and no other use.
    """
    tensors, pairs, others = {}, [], []
    graphs = [field for field in fields(content, whole(content)) if field.number == _GRAPH]
    for field in (field for graph in graphs for field in fields(content, graph)):
        if field.number == _INITIALIZER:
            tensor = {part.number: part for part in fields(content, field)}
            tensors[b"".join(values(content, field, _NAME))] = tensor
        elif field.number == _NODE:
            inputs = values(content, field, _INPUT)
            product = values(content, field, _OPERATOR) == [_PRODUCT]
            pairs += [inputs[1::2]] if product else []
            others += inputs[::2] if product else inputs
    changed = bytearray(content)
    for name in {name for pair in pairs if _may_change(content, pair, tensors, others, wanted) for name in pair}:
        tensor = tensors[name]
        changed[tensor[_TYPE].begin] = wanted
        numbers = tensor.get(_RAW) or tensor[_NUMBERS]
        changed[numbers.at] = _RAW << 3 | SIZED
        span = slice(numbers.begin, numbers.end)
        changed[span] = (np.frombuffer(content[span], np.uint8) ^ 0x80).tobytes()
    return bytes(changed)


def _may_change(content: bytes, pair: list[bytes], tensors: dict, others: list[bytes], wanted: int) -> bool:
    """Whether a weight and its zero point are constant, of the other type, one byte each, and used nowhere else."""
    if len(pair) != 2 or not all(name in tensors and name not in others for name in pair):
        return False
    for tensor in (tensors[name] for name in pair):
        kind, numbers = tensor.get(_TYPE), tensor.get(_RAW)
        if kind is None or content[kind.begin] != _UINT8 + _INT8 - wanted:
            return False
        if numbers is None and (numbers := tensor.get(_NUMBERS)):
            # Written one by one, each below 128 in one byte, as in a zero point of 0.
            together = content[numbers.at] == _NUMBERS << 3 | SIZED
            small = max(content[numbers.begin : numbers.end], default=0) < 0x80
            numbers = numbers if together and small else None
        if numbers is None:
            return False
    return True
