"""`ros2 run wm_training finetune_policy`: improves a cloned policy on returns that a world model imagines."""

import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_training.cli import DONE, STOPPED, parse, run, say
from wm_training.errors import TrainingError
from wm_training.guidance.options import FinetuneOptions
from wm_training.training.process import prepare_process

if TYPE_CHECKING:
    from wm_training.guidance.trainer import FinetuneTrainer

PROGRAM = "finetune_policy"
DESCRIPTION = (
    "Improve a cloned policy: in recorded states a world model imagines what the policy's own proposals lead to, and "
    "the policy is drawn to those with the better returns (advantage-weighted regression). The same command continues "
    "a run that was stopped."
)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    prepare_process()
    options = parse(FinetuneOptions, DESCRIPTION, PROGRAM, arguments)

    def work() -> int:
        from wm_data.episodes import EpisodeError  # here, so that Ctrl-C while numpy loads gets no traceback

        from wm_training.config_values import ConfigurationError

        return run(PROGRAM, lambda: _finetune(options), (EpisodeError, TrainingError, ConfigurationError, OSError))

    return run(PROGRAM, work, ())


def _finetune(options: FinetuneOptions) -> int:
    for place, wanted in ((options.onnx_file, Path.is_file), (options.folder, Path.is_dir)):  # before the work
        if place.exists() and not wanted(place):
            kind = "file" if wanted is Path.is_file else "folder"
            raise TrainingError(f"{place} exists and is no {kind}: choose another --output")
    if options.onnx_file.resolve() == Path(options.policy).expanduser().resolve():
        raise TrainingError(f"--output {options.output} is the policy to begin with: choose another file")
    from wm_training.guidance.finetuning import SCORE
    from wm_training.guidance.trainer import FinetuneTrainer, shown

    trainer = FinetuneTrainer(options)
    if options.resume == "auto":
        trainer.resume()
    say(PROGRAM, _plan(trainer))
    trainer.train()
    if not trainer.finished:
        say(PROGRAM, f"stopped at update {trainer.step}; the same command continues from {options.folder / 'last.pt'}")
        return STOPPED
    best = trainer.load_best()
    before, after = best["before"][SCORE], best["validation"][SCORE]
    summary = _write(trainer, best)
    if best["step"] == 0:
        say(PROGRAM, f"no update imagined better than the policy it began with ({before:.4g}), which is written again")
    else:
        gained = f"held-out score {before:.4g} → {after:.4g}"
        say(PROGRAM, f"best update {best['step']}: {gained}; {shown(best['validation'])}")
    say(PROGRAM, f"{summary['policy_id']} in {options.onnx_file}, trained for {trainer.trained_s / 60.0:.1f} min")
    return DONE


def _plan(trainer: "FinetuneTrainer") -> str:
    options, found = trainer.options, trainer.data.description()
    readout = trainer.world.readout
    told = "" if readout is None else f", R² of the vector inputs in its states {min(readout.r2):.3f}"
    return (
        f"{found['training_episodes']} episodes, {found['training_rows']:,} rows, and "
        f"{len(trainer.held_out.reward)} states of {found['validation_episodes']} held-out ones; world model "
        f"{trainer.world.sha256[:12]}{told}; {options.proposals} proposals in {options.batch_size} states an update, "
        f"at most {options.num_updates:,} updates, from {trainer.step:,}; on {trainer.device}"
    )


def _write(trainer: "FinetuneTrainer", best: dict[str, Any]) -> dict[str, Any]:
    """Write the policy and summary.json; returns the summary."""
    import numpy
    import onnxruntime
    import torch
    from wm_bundle.files import write_text

    from wm_training.cloning.onnx_file import write_policy

    options = trainer.options
    # The files without the way to them: policies are given away.
    names = {name: Path(getattr(options, name)).name for name in ("policy", "checkpoint", "data_path", "output")}
    provenance = {
        "made_by": "wm_training finetune_policy",
        "config": asdict(options) | names,
        "clone": trainer.clone_settings,
        "began_with": trainer.began_with,
        "world_model": trainer.world.sha256,
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
    manifest = write_policy(options.onnx_file, trainer.policy, trainer.data, provenance)
    summary = {"policy_id": manifest.policy_id, **manifest.provenance}
    write_text(options.folder / "summary.json", json.dumps(summary, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return summary


if __name__ == "__main__":
    sys.exit(main())
