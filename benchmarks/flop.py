"""Amount of computation in an exported file."""

import json
import math
import tempfile
from pathlib import Path

import numpy as np
from wm_bundle.onnx_runtime import onnxruntime

_PRODUCTS = {
    "MatMul",
    "Gemm",
    "FusedMatMul",
    "FusedGemm",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
}


def gflop_of_products(file: Path, count: int) -> float:
    """10⁹ floating-point operations in the matrix products of one call with ``count`` for the file's free dimension.

    From onnxruntime's profiler. A multiplication and an addition count as two; eight-bit products count like those they
    replace.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        feeds = {}
        for entry in session.get_inputs():
            shape = [size if isinstance(size, int) else count for size in entry.shape]
            feeds[entry.name] = np.zeros(shape, np.uint8 if "uint8" in entry.type else np.float32)
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    total = 0
    for event in events:
        arguments = event.get("args", {})
        if arguments.get("op_name") in _PRODUCTS and event["name"].endswith("_kernel_time"):
            (left,), (result,) = (arguments[key][0].values() for key in ("input_type_shape", "output_type_shape"))
            total += 2 * left[-1] * math.prod(result)
    return total / 1e9
