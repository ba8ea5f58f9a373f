"""Run by test_other_processor.py on a processor without VNNI: prints how exact eight-bit products are there, as JSON.

Arguments: a folder with inputs.npz, the models exact.onnx, uint8.onnx and int8.onnx, and a bundle with the last one.
"""

import json
import sys
from pathlib import Path

import numpy as np
from wm_bundle import load_bundle
from wm_bundle.onnx_runtime import onnxruntime
from wm_planner.engine import providers, sessions
from wm_planner.engine.eight_bit import signed_is_exact, suited
from wm_planner.engine.engine import Engine
from wm_planner.engine.providers import EngineSettings
from wm_planner.errors import EngineError


def said(content: bytes, inputs: dict) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]).run(None, inputs)


def main(folder: Path) -> None:
    with np.load(folder / "inputs.npz") as arrays:
        inputs = dict(arrays)
    uint8, int8, exact = ((folder / f"{name}.onnx").read_bytes() for name in ("uint8", "int8", "exact"))
    expected = said(exact, inputs)
    contents = {"uint8": uint8, "int8": int8, "suited uint8": suited(uint8), "suited int8": suited(int8)}
    found = {"signed is exact": signed_is_exact()}
    for name, content in contents.items():
        pairs = zip(said(content, inputs), expected, strict=True)
        found[name] = max(float(np.abs(one - other).max()) for one, other in pairs)
    found["self-check"] = self_check(folder / "bundle")
    sessions.suited = lambda content: content  # as the planner drove before it knew of this
    found["self-check of int8"] = self_check(folder / "bundle")
    print(json.dumps(found))


def self_check(bundle: Path) -> str:
    lines = []
    try:
        Engine(load_bundle(bundle), EngineSettings(providers=providers.CHOICES["cpu"]), lines.append)
    except EngineError as error:
        return str(error)
    return lines[-1]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
