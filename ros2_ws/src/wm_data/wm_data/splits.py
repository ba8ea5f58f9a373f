"""Which episodes of a folder train, and which validate."""

from pathlib import Path

from wm_data.episodes import find_episodes

SPLITS = ("train", "val")


def split_files(folder: Path, validation_share: float, split: str) -> list[Path]:
    """Files of a split. Without train/ and val/ folders every n-th episode validates, n = 1/validation_share."""
    train, val = folder / "train", folder / "val"
    if train.is_dir() and val.is_dir():
        return find_episodes(folder / split)
    files = find_episodes(train if train.is_dir() else folder)
    if validation_share <= 0 or len(files) < 2:
        return files if split == "train" else []
    every = max(2, round(1.0 / validation_share))
    # The last of each group validates; a single short group still gives one.
    chosen = [i for i in range(len(files)) if i % every == every - 1] or [len(files) - 1]
    return [file for i, file in enumerate(files) if (i in set(chosen)) == (split == "val")]
