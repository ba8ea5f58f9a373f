"""What a training of a policy leaves: the policy's file, and summary.json in its folder."""

import json
import platform
from typing import Any

import numpy
import torch
from wm_bundle.files import write_text
from wm_bundle.onnx_runtime import onnxruntime

from wm_training.cloning.onnx_file import write_policy
from wm_training.cloning.policy_trainer import PolicyTrainer


def write_result(trainer: PolicyTrainer, program: str, best: dict[str, Any], **made_of: Any) -> dict[str, Any]:
    """Write the policy of a trainer with the weights of its ``best`` look; returns the summary.

    ``made_of`` joins what every policy tells of its making. Raises OSError, TrainingError.
    """
    options = trainer.options
    provenance = {
        "made_by": f"wm_training {program}",
        "config": options.given_away(),
        "data": trainer.made_of | trainer.data.description(),
        "seed": options.seed,
        "best": best,
        "updates": trainer.step,
        "trained_s": round(trainer.trained_s, 1),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
    }
    manifest = write_policy(options.onnx_file, trainer.policy, trainer.data, provenance | made_of)
    summary = {"policy_id": manifest.policy_id, **manifest.provenance}
    write_text(options.folder / "summary.json", json.dumps(summary, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return summary
