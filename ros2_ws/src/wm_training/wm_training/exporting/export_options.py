"""Options of `export`. Does not load torch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ExportOptions:
    """Export a checkpoint as a bundle for the planner."""

    checkpoint: str
    """Checkpoint file, usually best_model.pt."""
    output: str
    """Folder of the bundle; an older bundle there is replaced once the new one is complete."""
    data_path: str = ""
    """Folder of episodes for the parity check and the scores; empty for the one the checkpoint was trained on."""
    name: str = "world-model"
    """First part of the model id; the checkpoint's hash follows."""
    horizon: int = 0
    """Steps H to imagine while driving; 0 for the checkpoint's imagination_horizon."""
    frames: int = 500
    """Validation frames for the parity check and the scores."""
    precision: Literal["float32", "int8"] = "float32"
    """Arithmetic of imagine.onnx. int8 is about twice as fast on a processor; not for GPUs."""
    tolerance: float = 1e-4
    """Largest difference between onnxruntime and torch in belief, reward and value (relative above 1), and imagined
    vector inputs; with int8 in the belief only."""
    return_tolerance: float = 0.1
    """Largest difference of an imagined return at the 99th percentile, relative to the typical return."""
    action_tolerance: float = 0.05
    """Largest difference of the chosen command, in steer or longitudinal, at the 99th percentile."""
    vector_tolerance: float = 0.2
    """Largest difference of an imagined vector input or term of the reward with int8, at the 99.9th percentile, in
    standard deviations."""
    seed: int = 0
    """Seed of the random plans that the parity check imagines."""

    def __post_init__(self):
        for name, least in {"horizon": 0, "frames": 1, "seed": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, found {getattr(self, name)}")
        for name in ("tolerance", "return_tolerance", "action_tolerance", "vector_tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a number above 0, found {getattr(self, name)}")
