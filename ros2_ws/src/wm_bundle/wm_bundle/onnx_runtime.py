"""The one place that imports onnxruntime: everything else uses it from here.

Since 1.29 onnxruntime stores a device id and a queue of usage data in the home folder and sends them to its maker from
its own thread, unless this variable is set before its first import in the process. Not imported by ``import
wm_bundle``, which works without onnxruntime.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # noqa: E402

__all__ = ["onnxruntime", "quantization_tools"]


def quantization_tools():
    """The module onnxruntime.quantization, which needs the package onnx, not installed for driving."""
    from onnxruntime import quantization

    return quantization
