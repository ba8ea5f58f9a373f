"""`ros2 run wm_training clone`: trains a policy by behaviour cloning, without a world model, and writes it as ONNX."""

import sys
from typing import TYPE_CHECKING

from wm_evaluation.command_line import DONE, STOPPED, parse, say
from wm_evaluation.wording import counted, spell_duration

from wm_training.cloning.options import CloneOptions
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
    from wm_training.cloning.result import write_result
    from wm_training.cloning.trainer import CloneTrainer
    from wm_training.data.notes import data_notes

    trainer = CloneTrainer(options)
    if options.resume == "auto":
        trainer.resume()
    for line in data_notes(trainer.data.train, trainer.data.val):
        say(PROGRAM, line)
    say(PROGRAM, _plan(trainer))
    say(PROGRAM, trainer.arithmetic.text())
    trainer.train()
    if trainer.stopped_early:
        say(PROGRAM, f"stopped at update {trainer.step}; the same command continues from {options.folder / 'last.pt'}")
        return STOPPED
    best = trainer.load_best()
    parameters = sum(weight.numel() for weight in trainer.policy.parameters())
    summary = write_result(trainer, PROGRAM, best, parameters=parameters, precision=trainer.arithmetic.record())
    say(PROGRAM, f"best epoch {best['epoch']}: {shown(best['validation']) or 'no validation episodes'}")
    say(PROGRAM, f"{summary['policy_id']} in {options.onnx_file}, trained for {spell_duration(trainer.trained_s)}")
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
