"""`ros2 run wm_training to_lerobot`: a folder of episodes as a LeRobot dataset, for other trainers."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_data.episodes import EpisodeError
from wm_data.errors import ConversionError
from wm_evaluation.command_line import DONE, parse, run, say


@dataclass(frozen=True)
class Options:
    """Write episodes as a LeRobot dataset (format v3.0)."""

    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of episodes (*.npz), or with such folders train and val."""
    dest: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DEST")]
    """Folder of the LeRobot dataset. It must not exist yet."""
    task: str = "drive"
    """The vehicle's task as text: LeRobot stores a task for every row."""

    def __post_init__(self):
        if not self.task.strip():
            raise ValueError("task is empty, expected some words")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "to_lerobot", arguments)
    return run("to_lerobot", lambda: _to_lerobot(options), (ConversionError, EpisodeError, OSError))


def _to_lerobot(options: Options) -> int:
    from wm_data.lerobot.writing import write_lerobot

    dest = write_lerobot(Path(options.dataset).expanduser(), Path(options.dest).expanduser(), options.task)
    say("to_lerobot", f"wrote {dest}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
