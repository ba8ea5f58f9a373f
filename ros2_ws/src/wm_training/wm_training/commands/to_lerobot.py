"""`ros2 run wm_training to_lerobot`: a folder of episodes as a LeRobot dataset, for other trainers."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_data.episodes import EpisodeError, drives_in, read_episode
from wm_data.errors import ConversionError
from wm_data.splits import SPLITS, split_files
from wm_evaluation.command_line import DONE, parse, run, say


@dataclass(frozen=True)
class Options:
    """Write episodes as a LeRobot dataset (format v3.0)."""

    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of episodes (*.npz), or with such folders train and val."""
    dest: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DEST")]
    """Folder of the LeRobot dataset. It must not exist yet."""
    task: str = "drive"
    """What the vehicle was to do, in words: LeRobot keeps a task for every row."""

    def __post_init__(self):
        if not self.task.strip():
            raise ValueError("task is empty, expected some words")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "to_lerobot", arguments)
    return run("to_lerobot", lambda: _to_lerobot(options), (ConversionError, EpisodeError, OSError))


def _to_lerobot(options: Options) -> int:
    dest = write_lerobot(Path(options.dataset).expanduser(), Path(options.dest).expanduser(), options.task)
    say("to_lerobot", f"wrote {dest}")
    return DONE


def write_lerobot(dataset: str | os.PathLike, dest: str | os.PathLike, task: str = "drive") -> Path:
    """Write the episodes of the folder ``dataset`` as the LeRobot dataset ``dest``. Returns its path.

    Raises EpisodeError and ConversionError for episodes that cannot be used or do not fit together, and for a ``dest``
    that exists already or cannot be written.
    """
    from wm_data.files import appearing
    from wm_data.lerobot.columns import Layout
    from wm_data.lerobot.files import DatasetWriter

    found = {split: split_files(Path(dataset), 0.0, split) for split in SPLITS}
    splits = {split: part for split, part in found.items() if part}
    files = [file for part in splits.values() for file in part]
    layout = Layout.of(files)
    if not layout.rates_hz:
        say("to_lerobot", f"the episodes do not say their rate, so {layout.rate_hz:g} Hz is taken")
    elif layout.rates_hz[0] < layout.rates_hz[1]:
        low, high = layout.rates_hz
        say("to_lerobot", f"the episodes are at {low:g} to {high:g} Hz, {layout.rate_hz:g} Hz is taken for all")
    dest = Path(os.path.abspath(dest))
    with appearing(dest) as work, DatasetWriter(work / dest.name, layout, task) as writer:
        ends, first = {}, 0
        for name, part in splits.items():
            count = first
            for file in part:
                for _, drive in drives_in(read_episode(file)):
                    writer.add(drive, file.name)
                    count += 1
            ends[name], first = f"{first}:{count}", count
        writer.finish(ends)
    return dest


if __name__ == "__main__":
    sys.exit(main())
