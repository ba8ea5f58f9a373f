"""The result of a policy training: the policy's file, and summary.json in its folder."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from wm_bundle.files import write_text
from wm_bundle.onnx_runtime import onnxruntime
from wm_evaluation.command_line import say
from wm_evaluation.wording import spell_duration

from wm_training.cloning.onnx_file import write_policy
from wm_training.cloning.policy_trainer import LAST, PolicyTrainer
from wm_training.data.notes import data_notes
from wm_training.training.note_run import versions


def trained(
    trainer: PolicyTrainer, program: str, plan: Callable[[PolicyTrainer], Iterable[str]]
) -> dict[str, Any] | None:
    """Train or resume; ``plan`` gives lines to print first. Returns the measurements of the best weights, which the
    policy then has; None if the training was stopped."""
    if trainer.options.resume == "auto":
        trainer.resume()
    for line in (*data_notes(trainer.data.train, trainer.data.val), *plan(trainer)):
        say(program, line)
    trainer.train()
    if trainer.finished:
        return trainer.load_best()
    last = trainer.options.folder / LAST
    say(program, f"stopped at update {trainer.step}; the same command continues from {last}")
    return None


def write_result(trainer: PolicyTrainer, program: str, best: dict[str, Any], **made_of: Any) -> None:
    """Write the policy of a trainer with the weights of its ``best`` validation, and report it.

    ``made_of`` is added to the provenance. Raises OSError, TrainingError.
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
        "versions": versions() | {"onnxruntime": onnxruntime.__version__},
    }
    manifest = write_policy(options.onnx_file, trainer.policy, trainer.data, provenance | made_of)
    summary = {"policy_id": manifest.policy_id, **manifest.provenance}
    write_text(options.folder / "summary.json", json.dumps(summary, indent=1, sort_keys=True, allow_nan=False) + "\n")
    spent = spell_duration(trainer.trained_s)
    say(program, f"{summary['policy_id']} in {options.onnx_file}, trained for {spent}")
