"""A bundle whose model fails on demand: the red of the picture's first pixel says how."""

import tempfile
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tiny_bundle import make_tiny_bundle
from wm_bundle import load_bundle, write_bundle
from wm_bundle.onnx_runtime import onnxruntime as ort

# First of ten values of red each; any other picture is a normal one.
NAN, SURPRISING, SLOW, HANGING = 200, 210, 220, 230
SLOW_S, HANGING_S = 0.15, 1.2  # what observing such a picture takes, about
_MATRIX = 128  # rows of what is multiplied to pass the time


def make_faulty_bundle(folder: Path) -> Path:
    """Write the bundle into ``folder``; the manifest's surprise threshold is 1e6 nats. Returns the folder."""
    normal = load_bundle(make_tiny_bundle(folder))
    with tempfile.TemporaryDirectory() as scratch:
        faulty = Path(scratch, "observe.onnx")
        sources = {name: Path(scratch, name) for name in normal.manifest.files}
        for name, file in sources.items():
            file.write_bytes(normal.file(name).read_bytes())
        onnx.save(_with_faults(onnx.load(faulty), round(SLOW_S / _seconds_each())), faulty)
        return write_bundle(folder, normal.manifest, sources).path


def make_unsound_bundle(folder: Path) -> Path:
    """A sound model in a bundle whose self-check no machine passes, in a folder of ``folder``; returns its own."""
    from wm_training.exporting.upgrade import upgrade

    with tempfile.TemporaryDirectory() as scratch:
        bundle, _ = upgrade(load_bundle(make_tiny_bundle(folder / "plain")), folder / "unsound", Path(scratch))
    never = replace(bundle.manifest.self_check, limits=dict.fromkeys(bundle.manifest.self_check.limits, -1.0))
    files = {name: bundle.file(name) for name in bundle.manifest.files}
    return write_bundle(bundle.path, replace(bundle.manifest, self_check=never), files).path


def _with_faults(model: onnx.ModelProto, slow_rounds: int) -> onnx.ModelProto:
    graph = model.graph
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name in ("next_belief", "surprise"):
                node.output[index] = f"true_{name}"
    for name, value in {
        "first": np.zeros(4, np.int64),
        "behind_first": np.ones(4, np.int64),
        "scalar": np.zeros(0, np.int64),
        "zero": np.float32(0.0),
        "one": np.float32(1.0),
        "much": np.float32(1e7),
        "width": np.float32(10.0),
        "slow_rounds": np.float32(slow_rounds),
        "hanging_rounds": np.float32(slow_rounds * HANGING_S / SLOW_S),
    }.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))

    def add(kind: str, inputs: list[str], output: str, **attributes) -> str:
        graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    pixel = add("Slice", ["image", "first", "behind_first"], "pixel")
    add("Reshape", [add("Cast", [pixel], "pixel_float", to=TensorProto.FLOAT), "scalar"], "red")
    shown = {}
    for name, low in {"nan": NAN, "surprising": SURPRISING, "slow": SLOW, "hanging": HANGING}.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(np.float32(low - 0.5)), f"{name}_low"))
        above = add("Sub", ["red", f"{name}_low"], f"{name}_above")
        inside = add(
            "And",
            [add("Greater", [above, "zero"], f"{name}_from"), add("Less", [above, "width"], f"{name}_to")],
            f"{name}_inside",
        )
        shown[name] = add("Cast", [inside], f"{name}_shown", to=TensorProto.FLOAT)
    # 0 / 1, or 0 / 0 when asked for
    poison = add("Div", ["zero", add("Sub", ["one", shown["nan"]], "not_nan")], "poison")
    add("Add", ["true_next_belief", poison], "next_belief")
    rounds = add(
        "Add",
        [
            add("Mul", [shown["slow"], "slow_rounds"], "slow_part"),
            add("Mul", [shown["hanging"], "hanging_rounds"], "hanging_part"),
        ],
        "rounds_float",
    )
    graph.node.append(_waste(add("Cast", [rounds], "rounds", to=TensorProto.INT64)))
    wasted = add("Mul", ["wasted", "zero"], "wasted_zero")
    extra = add("Add", [add("Mul", [shown["surprising"], "much"], "surprising_part"), wasted], "extra")
    add("Add", ["true_surprise", extra], "surprise")
    onnx.checker.check_model(model)
    return model


def _waste(rounds: str) -> onnx.NodeProto:
    """A loop that multiplies matrices ``rounds`` times; its output ``wasted`` is a finite scalar."""

    def scalar(name: str, kind: int):
        return helper.make_tensor_value_info(name, kind, [])

    matrix = numpy_helper.from_array(np.full((_MATRIX, _MATRIX), 1.0 / _MATRIX, np.float32), "matrix")
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["goes_on_out"]),
            helper.make_node("Add", ["matrix", "carried"], ["left"]),
            helper.make_node("MatMul", ["left", "matrix"], ["product"]),
            helper.make_node("ReduceMax", ["product"], ["largest"], keepdims=0),
            helper.make_node("Tanh", ["largest"], ["carried_out"]),
        ],
        "waste",
        [scalar("round", TensorProto.INT64), scalar("goes_on", TensorProto.BOOL), scalar("carried", TensorProto.FLOAT)],
        [scalar("goes_on_out", TensorProto.BOOL), scalar("carried_out", TensorProto.FLOAT)],
        [matrix],
    )
    return helper.make_node("Loop", [rounds, "", "zero"], ["wasted"], body=body)


@lru_cache(maxsize=1)
def _seconds_each() -> float:
    """What a round of the loop takes on this machine now."""
    rounds = 200
    graph = helper.make_graph(
        [_waste("rounds")],
        "timing",
        [helper.make_tensor_value_info("rounds", TensorProto.INT64, [])],
        [helper.make_tensor_value_info("wasted", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(np.asarray(np.float32(0.0)), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        session.run(None, {"rounds": np.asarray(rounds, np.int64)})
        seconds.append(time.perf_counter() - begin)
    return min(seconds) / rounds
