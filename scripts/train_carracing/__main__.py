"""`make train`: every step reports what it does, is skipped if done, and continues where it was stopped."""

import shlex
import sys
import time

from wm_bundle import BundleError
from wm_data.episodes import EpisodeError
from wm_evaluation.command_line import DONE, parse, run
from wm_planner.errors import ConfigError
from wm_tools.common.errors import DriveError
from wm_training.errors import ConfigurationError, TrainingError

from train_carracing.errors import RecipeError
from train_carracing.running import only_one, run_command
from train_carracing.settings import Settings
from train_carracing.steps import Step, steps_of

EXPECTED = (RecipeError, BundleError, EpisodeError, TrainingError, ConfigurationError, ConfigError, DriveError, OSError)


def main(arguments: list[str] | None = None) -> int:
    """Run the recipe; returns the exit code: 0 done, 1 it cannot continue, 2 wrong usage, 128 + the signal when stopped
    by one."""
    settings = parse(Settings, "train_carracing", arguments)
    return run("train_carracing", lambda: _train(settings), EXPECTED, "run the same command to continue")


def _train(settings: Settings) -> int:
    if settings.gpu:
        _require_gpu()
    with only_one(settings.results) as lock:
        return _run(settings, lock)


def _run(settings: Settings, lock) -> int:
    steps = steps_of(settings)
    for number, step in enumerate(steps, 1):
        head = f"[{number}/{len(steps)}] {step.title}"
        if step.is_finished():
            _say(f"{head}: already done, in {step.output}")
            continue
        if settings.dry_run:
            _say(f"{head}: to do, {spell_minutes(step)}, into {step.output}")
            for later in steps[number:]:
                _say(f"      then: {later.title}, {spell_minutes(later)}, into {later.output}")
            return DONE
        _say(f"{head}: {spell_minutes(step)}, into {step.output}")
        begun_s = time.monotonic()
        for command in step.commands():
            _say(f"      {shlex.join(command.words)}")
            run_command(command, lock)
        if not step.is_finished():
            raise RecipeError(f"the step ended without an error, but {step.output} is not as expected")
        _say(f"      took {(time.monotonic() - begun_s) / 60.0:.1f} min")
    _say(f"the bundle is in {settings.bundle_of(2)}; `make drive` drives it and shows its scores")
    return DONE


def spell_minutes(step: Step) -> str:
    """Approximate duration of a step."""
    if step.minutes is None:
        return "some minutes on a GPU"
    if step.minutes >= 90:
        return f"about {step.minutes / 60:.1f} h on two cores"
    return f"about {max(1, round(step.minutes))} min on two cores"


def _require_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise RecipeError(
            "--gpu: expected a GPU that PyTorch can use, found none; without --gpu the CPU trains, which takes "
            "about an hour more on two cores"
        )


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
