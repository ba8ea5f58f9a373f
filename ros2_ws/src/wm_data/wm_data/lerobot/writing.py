"""A folder of episodes as a LeRobot dataset."""

import os
from pathlib import Path

from wm_evaluation.command_line import say

from wm_data.episodes import drives_in, read_episode
from wm_data.files import appearing
from wm_data.lerobot.columns import Layout
from wm_data.lerobot.files import DatasetWriter
from wm_data.splits import SPLITS, split_files


def write_lerobot(dataset: str | os.PathLike, dest: str | os.PathLike, task: str = "drive") -> Path:
    """Write the episodes of the folder ``dataset`` as the LeRobot dataset ``dest``. Returns its path.

    Raises EpisodeError and ConversionError for episodes that are unusable or do not match, and for a ``dest`` that
    already exists or cannot be written."""
    found = {split: split_files(Path(dataset), 0.0, split) for split in SPLITS}
    splits = {split: part for split, part in found.items() if part}
    files = [file for part in splits.values() for file in part]
    layout = Layout.of(files)
    if not layout.rates_hz:
        say("to_lerobot", f"the episodes do not say their rate, so {layout.rate_hz:g} Hz is taken")
    elif layout.rates_hz[0] < layout.rates_hz[1]:
        low, high = layout.rates_hz
        say("to_lerobot", f"the episodes are at {low:g} to {high:g} Hz, {layout.rate_hz:g} Hz is used for all")
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
