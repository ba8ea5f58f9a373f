"""Runs commands that read episodes and train."""

from collections.abc import Callable

from wm_evaluation.command_line import run


def run_on_episodes(program: str, work: Callable[[], int]) -> int:
    """``run`` for commands that read episodes and train: their errors are imported here, so that Ctrl-C while numpy
    loads prints no traceback."""

    def guarded() -> int:
        from wm_data.episodes import EpisodeError

        from wm_training.errors import ConfigurationError, TrainingError

        return run(program, work, (EpisodeError, TrainingError, ConfigurationError, OSError))

    return run(program, guarded, ())
