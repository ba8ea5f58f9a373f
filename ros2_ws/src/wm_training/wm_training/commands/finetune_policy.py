"""`ros2 run wm_training finetune_policy`: improves a cloned policy on returns that a world model imagines."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wm_evaluation.command_line import DONE, STOPPED, parse, say
from wm_evaluation.wording import counted

from wm_training.commands.running import run_on_episodes
from wm_training.errors import TrainingError
from wm_training.guidance.finetune_options import FinetuneOptions
from wm_training.processes import prepare_process

if TYPE_CHECKING:
    from wm_training.guidance.trainer import FinetuneTrainer

PROGRAM = "finetune_policy"


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    prepare_process()
    options = parse(FinetuneOptions, PROGRAM, arguments)
    return run_on_episodes(PROGRAM, lambda: _finetune(options))


def _finetune(options: FinetuneOptions) -> int:
    options.check_output()
    if options.onnx_file.resolve() == Path(options.policy).expanduser().resolve():
        raise TrainingError(f"--output {options.output} is the policy to begin with: choose another file")
    from wm_training.cloning.policy_trainer import shown
    from wm_training.cloning.result import trained, write_result
    from wm_training.guidance.finetuning import SCORE
    from wm_training.guidance.trainer import FinetuneTrainer

    trainer = FinetuneTrainer(options)
    best = trained(trainer, PROGRAM, lambda trainer: (_plan(trainer),))
    if best is None:
        return STOPPED
    before, after = best["before"][SCORE], best["validation"][SCORE]
    if best["step"] == 0:
        say(PROGRAM, f"no update imagined better than the policy it began with ({before:.4g}), which is written again")
    else:
        gained = f"held-out score {before:.4g} → {after:.4g}"
        say(PROGRAM, f"best update {best['step']}: {gained}; {shown(best['validation'])}")
    made_of = {"clone": trainer.clone_settings, "began_with": trainer.began_with, "world_model": trainer.world.sha256}
    write_result(trainer, PROGRAM, best, **made_of)
    return DONE


def _plan(trainer: "FinetuneTrainer") -> str:
    options, found = trainer.options, trainer.data.description()
    readout = trainer.world.readout
    told = "" if readout is None else f", R² of the vector inputs in its states {min(readout.r2):.3f}"
    return (
        f"{counted(found['training_episodes'], 'episode')}, {counted(found['training_rows'], 'row')}, and "
        f"{counted(len(trainer.held_out.reward), 'state')} of {found['validation_episodes']} held-out ones; "
        f"world model {trainer.world.sha256[:12]}{told}; {options.proposals} proposals in {options.batch_size} "
        f"states an update, at most {options.num_updates:,} updates, from {trainer.step:,}; on {trainer.device}"
    )


if __name__ == "__main__":
    sys.exit(main())
