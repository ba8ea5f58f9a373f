"""`ros2 run wm_training export`: turns a checkpoint into a bundle, unless onnxruntime and torch disagree."""

import sys

from wm_bundle import BundleError
from wm_data.episodes import EpisodeError
from wm_evaluation.command_line import DONE, parse, run

from wm_training.errors import ExportError, TrainingError
from wm_training.exporting.export_options import ExportOptions


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(ExportOptions, "export", arguments)
    return run("export", lambda: _export(options), (ExportError, TrainingError, EpisodeError, BundleError, OSError))


def _export(options: ExportOptions) -> int:
    from wm_training.exporting.export import export

    export(options)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
