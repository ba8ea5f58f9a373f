"""`ros2 run wm_training clone`: trains a policy by behaviour cloning, without a world model, and writes it as ONNX."""

import sys
from typing import TYPE_CHECKING

from wm_evaluation.command_line import DONE, STOPPED, parse, say
from wm_evaluation.wording import counted

from wm_training.cloning.clone_options import CloneOptions
from wm_training.commands.running import run_on_episodes
from wm_training.processes import prepare_process

if TYPE_CHECKING:
    from wm_training.cloning.trainer import CloneTrainer

PROGRAM = "clone"


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    prepare_process()
    options = parse(CloneOptions, PROGRAM, arguments)
    return run_on_episodes(PROGRAM, lambda: _clone(options))


def _clone(options: CloneOptions) -> int:
    options.check_output()
    from wm_training.cloning.policy_trainer import shown
    from wm_training.cloning.result import trained, write_result
    from wm_training.cloning.trainer import CloneTrainer

    trainer = CloneTrainer(options)
    best = trained(trainer, PROGRAM, lambda trainer: (_plan(trainer), trainer.arithmetic.text()))
    if best is None:
        return STOPPED
    say(PROGRAM, f"best epoch {best['epoch']}: {shown(best['validation']) or 'no validation episodes'}")
    parameters = sum(weight.numel() for weight in trainer.policy.parameters())
    write_result(trainer, PROGRAM, best, parameters=parameters, precision=trainer.arithmetic.record())
    return DONE


def _plan(trainer: "CloneTrainer") -> str:
    options, found = trainer.options, trainer.data.description()
    return (
        f"{counted(found['training_episodes'], 'episode')} ({found['imagined_episodes']} imagined), "
        f"{counted(found['training_rows'], 'row')}, labels: {options.labels}; "
        f"{counted(found['validation_episodes'], 'episode')} for validation; "
        f"{trainer.steps_per_epoch:,} updates an epoch, {trainer.total_steps:,} in all, from update {trainer.step:,}; "
        f"{sum(weight.numel() for weight in trainer.policy.parameters()):,} parameters on {trainer.device}"
    )


if __name__ == "__main__":
    sys.exit(main())
