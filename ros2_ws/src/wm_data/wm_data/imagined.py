"""Episodes imagined by a world model: how to recognise them, and their recorded sources.

They are ordinary episode files whose meta has ``imagined: true``. Their source is named by a hash of its actions and
rewards, so that copies and renamed files are recognised.
"""

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from wm_evaluation.wording import counted

from wm_data.episodes import Episode, EpisodeError, drives_in, find_episodes, read_episode, read_meta


def is_imagined(meta: dict[str, Any]) -> bool:
    """Whether an episode with this meta was imagined."""
    return meta.get("imagined") is True


def source_of(meta: dict[str, Any]) -> str | None:
    """``drive_hash`` of the recorded episode that an imagined one started from; None where its meta lacks it."""
    told = meta.get("imagination")
    return told.get("source_hash") if isinstance(told, dict) else None


def drive_hash(episode: Episode) -> str:
    """16 hexadecimal digits of the SHA-256 of actions and rewards: equal for copies of a drive."""
    digest = hashlib.sha256()
    for array in (episode.actions, episode.rewards):
        digest.update(np.ascontiguousarray(array, np.float32).tobytes())
    return digest.hexdigest()[:16]


def drive_hashes(files: Iterable[Path]) -> set[str]:
    """``drive_hash`` of every file, and of every drive in it; unreadable files are skipped, their readers report
    them."""
    found = set()
    for file in files:
        try:
            episode = read_episode(file)
        except EpisodeError:
            continue
        found |= {drive_hash(episode), *(drive_hash(drive) for _, drive in drives_in(episode))}
    return found


def without_sources(files: Iterable[Path], held_out: Collection[str]) -> list[Path]:
    """The imagined ``files`` that did not start from a drive in ``held_out`` (of ``drive_hashes``)."""
    return [file for file in files if source_of(read_meta(file)) not in held_out]


def imagined_files(folder: str | os.PathLike, held_out: Collection[str]) -> list[Path]:
    """The episodes of a folder of imagined ones, except those that started from a drive in ``held_out``. Raises
    EpisodeError for a missing or empty folder, for recorded episodes in it, and when none is left."""
    files = find_episodes(folder)
    for file in files:
        if not is_imagined(read_meta(file)):
            raise EpisodeError(
                f"episode {file} does not say that it was imagined, expected episodes of `ros2 run wm_training augment`"
            )
    kept = without_sources(files, held_out)
    if not kept:
        held = counted(len(files), "episode")
        raise EpisodeError(f"{folder} has {held}, and none but of what was imagined from recordings that validate")
    return kept


def refuse_imagined(files: Iterable[Path]) -> None:
    """Raise EpisodeError for an imagined episode among the ``files`` of a validation split."""
    for file in files:
        if is_imagined(read_meta(file)):
            raise EpisodeError(
                f"episode {file} was imagined by a world model, expected recorded episodes for validation: move it "
                f"out of {file.parent}"
            )
