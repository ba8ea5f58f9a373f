"""Recorded and imagined episodes as torch datasets, for external trainers."""

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, WeightedRandomSampler
from wm_data.agreement import check, traits_of
from wm_data.episodes import EpisodeError, drives_in, read_episode
from wm_data.imagined import drive_hashes, is_imagined, refuse_imagined, source_of
from wm_data.splits import SPLITS, split_files

from wm_training.data.dataset import window

_ITEM = ("image", "vector", "action", "previous_action", "reward", "terminal", "camera_mask")


class EpisodeWindows(Dataset):
    """Windows of T rows of a split's episodes, for any trainer that accepts a torch Dataset.

    An item is a dictionary: ``image`` (T, C, H, W) uint8, ``vector`` (T, V), ``action`` and ``previous_action`` (T, 3),
    ``reward`` and ``terminal`` (T,), ``expert_action`` (T, 3), ``camera_mask`` (T, K), and the bool ``imagined``; NaN
    in ``vector`` and ``expert_action`` where unknown.
    """

    def __init__(
        self, path: str | Path, rows: int, split: str = "train", validation_share: float = 0.1, stride: int = 1
    ):
        """Open the split of the folder ``path`` that `train` would use; a window of ``rows`` T begins every ``stride``
        rows. Episodes that are too short are skipped.

        Raises ValueError for bad numbers; EpisodeError for unusable episodes, those that do not fit together, imagined
        ones in a folder ``val``, and where no episode is long enough.
        """
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
        for name, value in (("rows", rows), ("stride", stride)):
            if value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        self.path, self.rows, self.split = Path(path).expanduser(), rows, split
        files = split_files(self.path, validation_share, split)
        if split == "val":
            refuse_imagined(files)
        self.validation_share = validation_share
        whole = {file: read_episode(file) for file in files}
        self.traits = [traits_of(f"{file.parent.name}/{file.name}", episode) for file, episode in whole.items()]
        check(self.traits)
        drives = [(file, drive) for file, episode in whole.items() for _, drive in drives_in(episode)]
        self.files = [file for file, _ in drives]
        self.episodes = [drive for _, drive in drives]
        self._places = [
            (number, start)
            for number, episode in enumerate(self.episodes)
            for start in range(0, len(episode) - rows + 1, stride)
        ]
        if not self._places:
            raise EpisodeError(f"{path} ({split}) has no episode of {rows} rows: lower rows or record longer episodes")

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Tensor | bool]:
        number, start = self._places[index]
        episode = self.episodes[number]
        found = window(episode, start, self.rows)
        # Copies: memory-mapped arrays are read-only, which torch warns about.
        item = {name: torch.from_numpy(found[name].copy()) for name in _ITEM}
        item["expert_action"] = torch.from_numpy(episode.expert_actions[start : start + self.rows].copy())
        return {**item, "imagined": is_imagined(episode.meta)}

    def leave_out(self, held_out: Collection[str]) -> int:
        """Remove the windows of episodes imagined from a drive in ``held_out`` (of ``drive_hashes``); returns the
        number of windows removed."""
        before = len(self)
        bad = {number for number, episode in enumerate(self.episodes) if source_of(episode.meta) in held_out}
        self._places = [(number, start) for number, start in self._places if number not in bad]
        return before - len(self)


def mix(
    recorded: EpisodeWindows, imagined: EpisodeWindows, imagined_share: float = 0.5, seed: int = 0
) -> tuple[ConcatDataset, WeightedRandomSampler]:
    """Both for training: ``DataLoader(data, batch_size, sampler=sampler)``.

    An item is an imagined one with the probability ``imagined_share``; an epoch draws as many as ``recorded`` has.
    Episodes imagined from a validation recording are removed from ``imagined``.

    Raises ValueError for a share outside [0, 1], for a validation split, and where an episode of ``imagined`` was
    recorded; EpisodeError where the two do not fit together, and where no imagined window is left.
    """
    if not 0.0 <= imagined_share <= 1.0:
        raise ValueError(f"imagined_share is {imagined_share}, expected from 0 to 1")
    for name, data in (("recorded", recorded), ("imagined", imagined)):
        if data.split != "train":
            raise ValueError(f"{name} is the split {data.split!r} of {data.path}: imagined episodes only train")
    real = [file for file, e in zip(imagined.files, imagined.episodes, strict=True) if not is_imagined(e.meta)]
    if real:
        raise ValueError(f"{real[0]} does not say that it was imagined, expected episodes of `augment`")
    check([*recorded.traits, *imagined.traits])
    validating = split_files(recorded.path, recorded.validation_share, "val")
    imagined.leave_out(drive_hashes(validating))
    if not len(imagined):
        raise EpisodeError(f"all episodes of {imagined.path} were imagined from recordings that validate")
    weights = torch.cat(
        [
            torch.full((len(recorded),), (1.0 - imagined_share) / len(recorded), dtype=torch.double),
            torch.full((len(imagined),), imagined_share / len(imagined), dtype=torch.double),
        ]
    )
    sampler = WeightedRandomSampler(weights, len(recorded), generator=torch.Generator().manual_seed(seed))
    return ConcatDataset([recorded, imagined]), sampler
