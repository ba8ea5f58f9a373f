"""A policy file whose action is a known function of its inputs, for tests that need one."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from wm_bundle import CameraSpec, ImageSpec
from wm_bundle.policy import PolicyManifest, PolicyVectorSpec

NAN_ABOVE = 0.9  # of the mean brightness, 0 to 1
ALL_INPUTS = ("image", "vector", "previous_action")

# What fits the bundle of tiny_bundle.
MANIFEST = PolicyManifest(
    policy_id="tiny-00000000",
    image=ImageSpec(64, 64, (CameraSpec("rgb_front", 96, 96),)),
    vector=(PolicyVectorSpec("speed", "m/s"),),
    control_period_s=0.08,
)


def make_tiny_policy(
    file: Path,
    action=(0.2, 0.5, 0.0),
    *,
    of_brightness=(0.0, 0.0, 0.0),
    of_speed=(0.0, 0.0, 0.0),
    of_previous=0.0,
    inputs: tuple[str, ...] = ALL_INPUTS,
    picture: tuple[int, int] | None = None,
    **overrides,
) -> Path:
    """Write a policy that says ``action`` + mean brightness (0 to 1) × ``of_brightness`` + vector × ``of_speed`` +
    previous action × ``of_previous``; NaN for a picture brighter than NAN_ABOVE.

    ``picture``: height and width of the input, where they are not the manifest's. ``overrides`` replace fields of
    MANIFEST. Returns the file.
    """
    manifest = replace(MANIFEST, **overrides)
    height, width = picture or (manifest.image.height, manifest.image.width)
    shapes = {
        "image": (TensorProto.UINT8, [manifest.image.channels, height, width]),
        "vector": (TensorProto.FLOAT, [len(manifest.vector)]),
        "previous_action": (TensorProto.FLOAT, [3]),
    }
    weights = {
        "constant": np.array([action]),
        "of_brightness": np.array([of_brightness]),
        "of_speed": np.tile(np.array([of_speed]), (len(manifest.vector), 1)),
        "of_previous": of_previous * np.eye(3),
        "white": np.array(255.0),
        "limit": np.array(NAN_ABOVE),
        "none": np.array(0.0),
        "std_now": np.array([[0.1, 0.1]]),
    }
    nodes = []

    def add(kind: str, *names: str, **attributes) -> str:
        nodes.append(helper.make_node(kind, list(names), [f"{kind}_{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    mean = add("ReduceMean", add("Cast", "image", to=TensorProto.FLOAT), axes=[1, 2, 3], keepdims=1)
    brightness = add("Div", add("Flatten", mean, axis=1), "white")  # (N, 1)
    poison = add("Mul", add("Sqrt", add("Sub", "limit", brightness)), "none")
    total = add("Add", add("Add", "constant", add("MatMul", brightness, "of_brightness")), poison)
    for name, weight in (("vector", "of_speed"), ("previous_action", "of_previous")):
        if name in inputs:
            total = add("Add", total, add("MatMul", name, weight))
    nodes.append(helper.make_node("Identity", [total], ["action"]))
    nodes.append(helper.make_node("Add", ["std_now", poison], ["std"]))
    graph = helper.make_graph(
        nodes,
        "policy",
        [
            helper.make_tensor_value_info(name, kind, ["N", *rest])
            for name, (kind, rest) in shapes.items()
            if name in inputs
        ],
        [
            helper.make_tensor_value_info("action", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("std", TensorProto.FLOAT, ["N", 2]),
        ],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    if "policy_id" not in overrides:
        digest = hashlib.sha256(model.SerializeToString()).hexdigest()
        manifest = replace(manifest, policy_id=f"tiny-{digest[:8]}")
    helper.set_model_props(model, manifest.to_metadata())
    onnx.save(model, file)
    return file
