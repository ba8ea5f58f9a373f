"""`ros2 run wm_training visualize`: shows and scores what a trained world model imagines."""

import sys

from wm_evaluation.command_line import DONE, parse

from wm_training.commands.running import run_on_episodes
from wm_training.imagination.visualize_options import VisualizeOptions


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(VisualizeOptions, "visualize", arguments)
    return run_on_episodes("visualize", lambda: _visualize(options))


def _visualize(options: VisualizeOptions) -> int:
    from wm_training.imagination.imagination_report import report

    report(options)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
