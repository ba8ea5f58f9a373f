"""Which episodes of a folder train, and which validate. Imagined ones never validate."""

from pathlib import Path

from wm_data.episodes import find_episodes, read_meta
from wm_data.imagined import drive_hashes, is_imagined, without_sources

SPLITS = ("train", "val")


def split_files(folder: Path, validation_share: float, split: str) -> list[Path]:
    """Files of a split. Without train/ and val/ folders every n-th episode validates, n = 1/validation_share.

    Only recorded episodes are counted and validate; imagined ones train, unless they began from a recording that
    validates: those are in neither split. What lies in a folder val/ is taken as it is, see ``refuse_imagined``.
    """
    train, val = folder / "train", folder / "val"
    if train.is_dir() and val.is_dir():
        return find_episodes(folder / split)
    files = find_episodes(train if train.is_dir() else folder)
    if validation_share <= 0:
        return files if split == "train" else []
    imagined = [file for file in files if is_imagined(read_meta(file))]
    recorded = sorted({*files} - {*imagined})
    validating = _every_nth(recorded, validation_share)
    if split == "val":
        return validating
    if imagined:
        imagined = without_sources(imagined, drive_hashes(validating))
    return sorted(({*recorded} - {*validating}).union(imagined))


def _every_nth(files: list[Path], share: float) -> list[Path]:
    if len(files) < 2:
        return []
    every = max(2, round(1.0 / share))
    # The last of each group validates; a single short group still gives one.
    return files[every - 1 :: every] or files[-1:]
