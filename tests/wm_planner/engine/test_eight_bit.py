"""Weights of eight-bit products are turned from int8 to uint8 and back in the bytes of a file."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from wm_bundle.onnx_runtime import onnxruntime
from wm_planner.engine import eight_bit
from wm_planner.engine.eight_bit import signed_is_exact, suited
from wm_planner.engine.providers import CPU, EngineSettings
from wm_planner.engine.sessions import open_session

K, N = 6, 4
VALUES = np.random.default_rng(0).integers(-127, 128, (K, N))


def file_of(kind: str, *, zero="raw", read_twice=False, zero_point=True) -> bytes:
    """A product of the input a with a constant weight of type ``kind`` (int8 or uint8); the file's bytes.

    ``zero``: the zero point's numbers as raw bytes, or one by one as onnxruntime's quantization writes them.
    """
    shift = 128 if kind == "uint8" else 0
    data_type = TensorProto.UINT8 if shift else TensorProto.INT8
    tensors = [numpy_helper.from_array((VALUES + shift).astype(kind), "weight")]
    numbers = np.full(N, shift, kind)
    tensors.append(
        numpy_helper.from_array(numbers, "zero")
        if zero == "raw"
        else helper.make_tensor("zero", data_type, [N], numbers.tolist())
    )
    nodes = [helper.make_node("MatMulInteger", ["a", "weight", "za", *(["zero"] if zero_point else [])], ["c"])]
    if read_twice:
        nodes.append(helper.make_node("Cast", ["weight"], ["d"], to=TensorProto.INT32))
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, ["M", K]),
            helper.make_tensor_value_info("za", TensorProto.UINT8, []),
        ],
        [helper.make_tensor_value_info("c", TensorProto.INT32, ["M", N])]
        + ([helper.make_tensor_value_info("d", TensorProto.INT32, [K, N])] if read_twice else []),
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()


def exact_here(monkeypatch, answer: bool) -> None:
    monkeypatch.setattr(eight_bit, "signed_is_exact", lambda: answer)


def types(content: bytes) -> set[int]:
    return {tensor.data_type for tensor in onnx.ModelProto.FromString(content).graph.initializer}


def product(content: bytes) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    a = np.arange(3 * K, dtype=np.uint8).reshape(3, K)  # small: no sum comes near sixteen bits
    return session.run(["c"], {"a": a, "za": np.array(5, np.uint8)})[0]


@pytest.mark.parametrize(
    "kind, exact, wanted, zero",
    [
        ("int8", False, TensorProto.UINT8, "raw"),
        ("int8", False, TensorProto.UINT8, "one by one"),
        ("uint8", True, TensorProto.INT8, "raw"),
    ],
)
def test_the_weights_get_the_type_that_is_exact_here_and_every_product_stays(kind, exact, wanted, zero, monkeypatch):
    exact_here(monkeypatch, exact)
    content = suited(file_of(kind, zero=zero))
    assert types(content) == {wanted}
    expected = (np.arange(3 * K).reshape(3, K) - 5) @ VALUES
    np.testing.assert_array_equal(product(content), expected)
    np.testing.assert_array_equal(product(file_of(kind, zero=zero)), expected)


def test_there_and_back_is_the_same_file(monkeypatch):
    content = file_of("uint8")
    exact_here(monkeypatch, True)
    signed = suited(content)
    exact_here(monkeypatch, False)
    assert signed != content and suited(signed) == content and suited(content) == content


@pytest.mark.parametrize("changes", [{"read_twice": True}, {"zero_point": False}, {"kind": "uint8"}])
def test_what_cannot_or_need_not_be_changed_is_left_alone(changes, monkeypatch):
    exact_here(monkeypatch, False)
    content = file_of(**{"kind": "int8"} | changes)
    assert suited(content) == content


def test_a_file_without_eight_bit_products_is_not_looked_into():
    assert suited(b"anything else") == b"anything else"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(file_of("int8")) - 1), st.integers(0, 255))
def test_a_cut_or_changed_file_is_a_value_error_or_changed_in_its_place(at, byte):
    whole = file_of("int8")
    for content in (whole[:at], whole[:at] + bytes([byte]) + whole[at + 1 :]):
        try:
            assert len(eight_bit._with_weights(content, TensorProto.UINT8)) == len(content)
        except ValueError as error:
            assert "not an ONNX file" in str(error)


def test_the_probe_is_one_product_of_uint8_with_int8():
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "probe",
        [
            helper.make_tensor_value_info("a", TensorProto.UINT8, ["M", 64]),
            helper.make_tensor_value_info("b", TensorProto.INT8, [64, 16]),
        ],
        [helper.make_tensor_value_info("c", TensorProto.INT32, ["M", 16])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert onnx.ModelProto.FromString(eight_bit._PROBE) == model
    assert signed_is_exact() in (True, False)


def test_kernels_that_quantize_in_another_way_are_off(tmp_path):
    """KleidiAI's for arm64 with SME, where the self-check of an int8 bundle would fail."""
    (tmp_path / "file.onnx").write_bytes(file_of("uint8"))
    options = open_session(tmp_path / "file.onnx", CPU, EngineSettings()).get_session_options()
    assert options.get_session_config_entry("mlas.disable_kleidiai") == "1"
