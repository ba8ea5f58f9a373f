"""The machine, and the speed of its matrix products, which bounds everything else."""

import os
import platform

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from wm_bundle.onnx_runtime import onnxruntime
from wm_planner.engine.eight_bit import suited
from wm_tools.common.machine import device_facts, machine_facts
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.training.precision import choose

from benchmarks.timing import timed

_SMALLEST_PRODUCT, _LARGEST_PRODUCT = 128, 2048


def describe() -> dict:
    """Processor, memory [GB], GPU, versions, and the load average of the last minute (others share the machine)."""
    facts, gpu = machine_facts(), torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "processor": facts["cpu"],
        "cores": facts["cores"],
        "memory_gb": round(device_facts()["memory_gb"], 1),
        "gpu": gpu,
        "system": platform.platform(),
        "python": facts["python"],
        "torch": torch.__version__,
        "load_average": round(os.getloadavg()[0], 2),
    }


def product_speed(dtype: torch.dtype, budget_s: float = 1.0) -> float:
    """GFLOP/s of matrix products with torch's current number of threads: the best repetition.

    For 2048 x 2048 matrices, or the largest of 1024, 512, … whose products fit into ``budget_s``: a CPU that has to
    emulate ``dtype`` is a thousand times slower.
    """
    size, spent_s = _SMALLEST_PRODUCT, 0.0
    while True:
        left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
        result = torch.mm(left, right)
        best_s = timed(lambda: torch.mm(left, right, out=result), 1, budget_s)[0]  # noqa: B023
        spent_s += 2.0 * best_s
        # Twice the size takes eight times as long, runs twice like here, and should leave time for a repetition.
        if size == _LARGEST_PRODUCT or spent_s + 3 * 8.0 * best_s > budget_s:
            break
        size *= 2
    best_s = min(best_s, *timed(lambda: torch.mm(left, right, out=result), 8, budget_s - spent_s))
    return 2.0 * size**3 / best_s / 1e9


def eight_bit_product_speed(threads: int, budget_s: float = 1.0) -> float:
    """The same, in 10⁹ operations a second, of exact products of eight-bit matrices by onnxruntime: 512 x 512."""
    size = 512
    weights = np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)
    shift = numpy_helper.from_array(np.array(128, np.uint8), "zero")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "right", "zero", "zero"], ["result"])],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info("result", TensorProto.INT32, [size, size])],
        [numpy_helper.from_array(weights, "right"), shift],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        suited(model.SerializeToString()), options, providers=["CPUExecutionProvider"]
    )
    best_s = min(timed(lambda: session.run(None, {"left": weights}), 1000, budget_s))
    return 2.0 * size**3 / best_s / 1e9


def best_precision() -> str:
    """The precision that a training with auto uses on this machine."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return choose(WorldModelTrainConfig(), device).used
