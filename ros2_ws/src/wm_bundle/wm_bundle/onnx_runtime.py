"""The one place that imports onnxruntime: everything else takes it from here.

Since 1.29 onnxruntime keeps a device id and a queue of usage data below the home folder and sends them to its maker
from a thread of its own, unless this variable is set before its first import in the process. Not a part of ``import
wm_bundle``, which works without onnxruntime.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # noqa: E402

__all__ = ["onnxruntime", "quantization_tools"]


def quantization_tools():
    """The module onnxruntime.quantization, which needs the package onnx: driving has none."""
    from onnxruntime import quantization

    return quantization
