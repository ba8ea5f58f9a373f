"""Summary of a model's training data: amount, drivers, tracks, and one hash of everything."""

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from wm_bundle.files import sha256_of, without_folders
from wm_data.episodes import find_episodes, read_episode
from wm_data.splits import SPLITS, split_files


def data_summary(path: str | Path, imagined: str | None = None) -> dict[str, Any]:
    """All episodes used for training on the folder ``path``, both splits, and those of the folder ``imagined``, if
    given.

    ``episodes``, ``rows``; ``recordings``: for each way of recording its ``driver``, ``noise`` and ``planner`` if
    known, its number of ``episodes`` and the track ``seeds``; ``sha256`` over the sorted lines "name sha256 of the
    file", those of ``imagined`` after the others. Raises EpisodeError."""
    folder = Path(path).expanduser()
    # With a share of 0 every file is in one of the splits.
    named = [(folder, file) for file in sorted({file for split in SPLITS for file in split_files(folder, 0.0, split)})]
    if imagined:
        beside = Path(imagined).expanduser()
        named += [(beside, file) for file in find_episodes(beside)]
    digest, rows = hashlib.sha256(), 0
    recordings: dict[str, list[Any]] = defaultdict(list)
    for root, file in named:
        digest.update(f"{file.relative_to(root).as_posix()} {sha256_of(file)}\n".encode())
        episode = read_episode(file)
        rows += len(episode)
        recordings[json.dumps(_recording(episode.meta), sort_keys=True)].append(episode.meta.get("seed"))
    told = [
        {**json.loads(key), "episodes": len(seeds), "seeds": spell_seeds([seed for seed in seeds if type(seed) is int])}
        for key, seeds in recordings.items()
    ]
    return {"episodes": len(named), "rows": rows, "recordings": told, "sha256": digest.hexdigest()}


def spell_seeds(seeds: list[int]) -> str:
    """Whole numbers as ranges with both ends: ``3000:3009,3011``."""
    runs: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)


def _recording(meta: dict[str, Any]) -> dict[str, Any]:
    """An episode's entries about its driver."""
    told = {key: meta[key] for key in ("driver", "noise") if key in meta}
    planner = meta.get("planner")
    if isinstance(planner, dict):
        parameters = planner.get("parameters")
        told["planner"] = planner | {"parameters": without_folders(parameters) if isinstance(parameters, dict) else {}}
    return told
