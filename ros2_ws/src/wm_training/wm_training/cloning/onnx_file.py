"""A trained clone as a policy file: one ONNX graph with its manifest, checked against torch before it is written."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from wm_bundle.files import replacing
from wm_bundle.onnx_runtime import onnxruntime
from wm_bundle.policy import PolicyManifest

from wm_training.cloning.data import CloneData
from wm_training.cloning.policy import ClonePolicy
from wm_training.errors import TrainingError
from wm_training.exporting.tracing import write_graph
from wm_training.model.heads import search_to_command
from wm_training.training.validation import episode_batches

OUTPUTS = ("action", "std")
PARITY_FRAMES = 500
TOLERANCE = 1e-4
"""Largest difference between onnxruntime and torch in any output."""


class PolicyGraph(nn.Module):
    """The computation of the file; its inputs are ``input_names``, in that order."""

    def __init__(self, policy: ClonePolicy):
        super().__init__()
        self.policy = policy
        self.input_names = ["image"]
        if policy.vector_mean.shape[0]:
            self.input_names.append("vector")
        if policy.previous_action:
            self.input_names.append("previous_action")

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the most likely command (N, 3) and the deviation of (steer, longitudinal) (N, 2)."""
        given = dict(zip(self.input_names, inputs, strict=True))
        image = given["image"]
        nothing = torch.zeros(1, 0)
        every_camera = torch.ones(1, self.policy.channels // 3)
        chosen = self.policy.act(
            image, given.get("vector", nothing), given.get("previous_action", nothing), every_camera
        )
        return search_to_command(chosen.mode), chosen.action_std


def write_policy(file: Path, policy: ClonePolicy, data: CloneData, provenance: dict[str, Any]) -> PolicyManifest:
    """Write ``policy`` (on the CPU, in evaluation mode) to ``file``, atomically; returns its manifest.

    Raises TrainingError when onnxruntime does not compute what torch does, OSError.
    """
    graph = PolicyGraph(policy).eval()
    with replacing(file) as partial:
        free = dict.fromkeys([*graph.input_names, *OUTPUTS], "N")
        write_graph(graph, _example(graph, data), list(OUTPUTS), free, partial)
        difference = _difference(graph, partial, data)
        if not difference <= TOLERANCE:  # also catches NaN
            raise TrainingError(
                f"onnxruntime {onnxruntime.__version__} and torch {torch.__version__} differ by {difference:.3g} in "
                f"the policy's outputs, allowed is {TOLERANCE:g}: {file} was not written"
            )
        manifest = PolicyManifest(
            policy_id=f"{data.options.name}-{weights_hash(policy)[:8]}",
            image=data.image_spec(),
            vector=data.vector_spec(),
            control_period_s=1.0 / data.train.meta["rate_hz"],
            provenance=provenance | {"parity": difference},
        )
        _add_metadata(partial, manifest)
    return manifest


def weights_hash(module: nn.Module) -> str:
    """Hexadecimal SHA-256 of the names and the numbers of all weights and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return digest.hexdigest()


def _example(graph: PolicyGraph, data: CloneData) -> dict[str, Tensor]:
    """One frame of zeros by the names of the inputs: more would be traced in parts of fixed sizes."""
    size = data.config.image_size
    every = {
        "image": torch.zeros(1, graph.policy.channels, size, size, dtype=torch.uint8),
        "vector": torch.zeros(1, graph.policy.vector_mean.shape[0]),
        "previous_action": torch.zeros(1, 3),
    }
    return {name: every[name] for name in graph.input_names}


def _difference(graph: PolicyGraph, file: Path, data: CloneData) -> float:
    """The largest difference of any output over about PARITY_FRAMES recorded frames, NaN where one is not finite."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for _, batch in episode_batches(data.val if data.val.files else data.train, PARITY_FRAMES):
        rows = {name: getattr(batch, name).flatten(0, 1) for name in graph.input_names}
        with torch.no_grad():
            expected = graph(*rows.values())
        found = session.run(list(OUTPUTS), {name: tensor.numpy() for name, tensor in rows.items()})
        for one, other in zip(expected, found, strict=True):
            largest = np.maximum(largest, np.abs(one.numpy() - other).max())  # keeps NaN
    return float(largest)


def _add_metadata(file: Path, manifest: PolicyManifest) -> None:
    model = onnx.load(file)
    onnx.helper.set_model_props(model, manifest.to_metadata())
    onnx.checker.check_model(model)
    onnx.save(model, file)
