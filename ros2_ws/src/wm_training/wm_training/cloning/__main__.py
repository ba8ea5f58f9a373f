"""`ros2 run wm_training clone`: trains a policy by behaviour cloning, without a world model, and writes it as ONNX."""

import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_training.cli import DONE, STOPPED, parse, run, say
from wm_training.cloning.options import CloneOptions
from wm_training.errors import TrainingError
from wm_training.training.process import prepare_process

if TYPE_CHECKING:
    from wm_training.cloning.trainer import CloneTrainer

PROGRAM = "clone"
DESCRIPTION = (
    "Train a policy by behaviour cloning, from one picture to one command without a world model, and write it as an "
    "ONNX file that the planner and the benchmark can drive. The same command continues a run that was stopped."
)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    prepare_process()
    options = parse(CloneOptions, DESCRIPTION, PROGRAM, arguments)

    def work() -> int:
        from wm_data.episodes import EpisodeError  # here, so that Ctrl-C while numpy loads gets no traceback

        from wm_training.config_values import ConfigurationError

        return run(PROGRAM, lambda: _clone(options), (EpisodeError, TrainingError, ConfigurationError, OSError))

    return run(PROGRAM, work, ())


def _clone(options: CloneOptions) -> int:
    for place, wanted in ((options.onnx_file, Path.is_file), (options.folder, Path.is_dir)):  # before the work
        if place.exists() and not wanted(place):
            kind = "file" if wanted is Path.is_file else "folder"
            raise TrainingError(f"{place} exists and is no {kind}: choose another --output")
    from wm_training.cloning.trainer import CloneTrainer, shown

    trainer = CloneTrainer(options)
    if options.resume == "auto":
        trainer.resume()
    say(PROGRAM, _plan(trainer))
    trainer.train()
    if trainer.stopped_early:
        say(PROGRAM, f"stopped at update {trainer.step}; the same command continues from {options.folder / 'last.pt'}")
        return STOPPED
    best = trainer.load_best()
    summary = _write(trainer, best)
    say(PROGRAM, f"best epoch {best['epoch']}: {shown(best['validation']) or 'no validation episodes'}")
    say(PROGRAM, f"{summary['policy_id']} in {options.onnx_file}, trained for {trainer.trained_s / 60.0:.1f} min")
    return DONE


def _plan(trainer: "CloneTrainer") -> str:
    options, found = trainer.options, trainer.data.description()
    return (
        f"{found['training_episodes']} episodes ({found['imagined_episodes']} imagined), "
        f"{found['training_rows']:,} rows, labels: {options.labels}; "
        f"{found['validation_episodes']} episodes for validation; {trainer.steps_per_epoch:,} updates an epoch, "
        f"{trainer.total_steps:,} in all, from update {trainer.step:,}; "
        f"{sum(weight.numel() for weight in trainer.policy.parameters()):,} parameters on {trainer.device} in "
        f"{options.precision}"
    )


def _write(trainer: "CloneTrainer", best: dict[str, Any]) -> dict[str, Any]:
    """Write the policy and summary.json; returns the summary."""
    import numpy
    import onnxruntime
    import torch
    from wm_bundle.files import write_text

    from wm_training.cloning.onnx_file import write_policy

    options = trainer.options
    # The folders without the way to them: policies are given away.
    names = {name: Path(getattr(options, name)).name for name in ("data_path", "imagined_path", "output")}
    provenance = {
        "made_by": "wm_training clone",
        "config": asdict(options) | names,
        "data": trainer.made_of | trainer.data.description(),
        "seed": options.seed,
        "best": best,
        "updates": trainer.step,
        "trained_s": round(trainer.trained_s, 1),
        "parameters": sum(weight.numel() for weight in trainer.policy.parameters()),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
    }
    manifest = write_policy(options.onnx_file, trainer.policy, trainer.data, provenance)
    summary = {"policy_id": manifest.policy_id, **manifest.provenance}
    write_text(options.folder / "summary.json", json.dumps(summary, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return summary


if __name__ == "__main__":
    sys.exit(main())
