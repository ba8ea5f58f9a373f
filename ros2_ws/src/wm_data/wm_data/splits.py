"""Splits a folder's episodes into training and validation. Imagined ones never validate.

Complete drives do: a part of a drive in training would reveal the rest of it.
"""

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from wm_data.episodes import content_of, find_episodes, read_meta
from wm_data.imagined import drive_hashes, is_imagined, without_sources

SPLITS = ("train", "val")
_PIECE = re.compile(r"_\d{3,}$")


def split_files(folder: Path, validation_share: float, split: str) -> list[Path]:
    """Files of a split. Without train/ and val/ folders every n-th drive validates, n = 1/validation_share.

    Drives are those of ``drives_of``. Only recorded episodes are counted and validate; imagined ones train, unless they
    started from a recording that validates: those are in neither split. The contents of a folder val/ are used
    unchanged, see ``refuse_imagined``. With a share of 0 every file is in one of the splits."""
    train, val = folder / "train", folder / "val"
    apart = train.is_dir() and val.is_dir()
    if apart and (split == "val" or validation_share <= 0):
        return find_episodes(folder / split)
    files = find_episodes(train if train.is_dir() else folder)
    if validation_share <= 0:
        return files if split == "train" else []
    imagined = [file for file in files if _look(file).imagined]
    if apart and not imagined:
        return files
    recorded = sorted({*files} - {*imagined})
    validating = find_episodes(val) if apart else _validating(drives_of(recorded), validation_share)
    if split == "val":
        return validating
    if imagined:
        imagined = without_sources(imagined, drive_hashes(validating))
    return sorted(({*recorded} - {*validating}).union(imagined))


def drives_of(files: Iterable[Path]) -> list[list[Path]]:
    """The files of each drive, drives and files in the order of the files' names.

    Files belong to one drive if their metas have the same ``drive`` or ``log``, if they are pieces NAME_000, NAME_001 …
    made by `convert`, or copies. Every other file is a separate drive.
    """
    files = sorted(files)
    first_with: dict[tuple, Path] = {}
    before = {file: file for file in files}  # the first file of its drive, or a link towards it

    def first(file: Path) -> Path:
        while before[file] != file:
            file = before[file]
        return file

    for file in files:
        for shared in _look(file).shared:
            one, other = sorted((first(first_with.setdefault(shared, file)), first(file)))
            before[other] = one
    drives: dict[Path, list[Path]] = {}
    for file in files:
        drives.setdefault(first(file), []).append(file)
    return list(drives.values())


def name_of_drive(files: list[Path]) -> str:
    """A drive as text: its file, or the first of several and the number of others."""
    return files[0].stem + (f" (and {len(files) - 1} more of this drive)" if len(files) > 1 else "")


class _Look(NamedTuple):
    imagined: bool
    shared: tuple[tuple, ...]
    """The keys it shares with the other files of its drive."""


def _look(file: Path) -> _Look:
    try:
        found = file.stat()
    except OSError:
        return _Look(False, ())  # its reader reports the error
    return _look_at(file, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=1 << 17)
def _look_at(file: Path, changed_ns: int, size: int) -> _Look:
    """Cached: a folder is split several times in a run."""
    meta = read_meta(file)
    shared = [(key, meta[key]) for key in ("drive", "log") if isinstance(meta.get(key), str)]
    if "converter_version" in meta and "drive" not in meta:
        shared.append(("name", _PIECE.sub("", file.stem)))
    content = content_of(file)
    if content is not None:
        shared.append(("content", *content))
    return _Look(is_imagined(meta), tuple(shared))


def _validating(drives: list[list[Path]], share: float) -> list[Path]:
    """The files of the drives that validate: the n-th, 2n-th … drive, or the first after it that is not too large.

    A drive that would bring the validating files above the share so far is skipped; if that leaves none, the smallest
    drive validates, of equal ones the last. Which of a folder's first drives validate does not depend on later ones,
    unless there are fewer than n."""
    every = max(2, round(1.0 / share))
    chosen: list[list[Path]] = []
    files = validating = 0
    for count, drive in enumerate(drives, 1):
        files += len(drive)
        if (len(chosen) + 1) * every <= count and (validating + len(drive)) * every <= files:
            chosen.append(drive)
            validating += len(drive)
    if not chosen and len(drives) > 1:
        chosen = [min(reversed(drives), key=len)]
    return sorted(file for drive in chosen for file in drive)
