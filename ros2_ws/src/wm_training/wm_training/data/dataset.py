"""Windows of episodes for training: memory-mapped, their order a pure function of seed and epoch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from wm_bundle import from_command
from wm_data.agreement import Traits, check, told, traits_of
from wm_data.episodes import Episode, EpisodeError, drives_in, read_episode
from wm_data.imagined import drive_hashes, imagined_files, refuse_imagined
from wm_data.splits import SPLITS, split_files

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data import numbers
from wm_training.data.light import change_light, draw_lights
from wm_training.model.batch import Batch


class SequenceDataset:
    """Fixed-length windows over a folder of episodes. A file with several drives, a done between them, is several.

    ``dataset.batch(epoch, i)`` is batch i of an epoch. Windows are drawn with replacement, uniformly over the valid
    starts of all episodes; a start drawn up to half a window beyond either end is moved to the end, so that the first
    and last rows of an episode (its terminal above all) are seen at least half as often as the others.

    With ``imagined_path`` a window of the training split is one of its imagined episodes with the probability
    ``imagined_share``. The validation split holds recorded episodes alone.
    """

    def __init__(
        self,
        path: str | Path,
        config: WorldModelTrainConfig,
        split: str = "train",
        first: int | None = None,
        like: Sequence[Traits] = (),
    ):
        """Open the episodes of a split: ``path/train`` and ``path/val`` where they exist, else a share of ``path``.

        With ``first`` only that many of its files, in the order of their names. Its episodes must match ``like``: the
        ``traits`` of another split, or those of a model's training data.

        Raises EpisodeError for a missing or empty folder, a damaged episode, episodes that do not fit together,
        imagined ones in ``path/val``, and when no episode is as long as ``config.sequence_length``.
        """
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
        self.config = config
        self.split = split
        self._open(Path(path).expanduser(), first, like)
        own = len(self.files) - self.imagined
        length = config.sequence_length
        usable = [i for i, episode in enumerate(self.episodes) if len(episode) >= length]
        for name, part in ((f"{path} ({split})", range(own)), (config.imagined_path, range(own, len(self.files)))):
            if part and not any(i in part for i in usable):
                longest = max(len(self.episodes[i]) for i in part)
                raise EpisodeError(
                    f"no episode of {name} has {length} rows, the longest has {longest}: "
                    f"lower sequence_length or record longer episodes"
                )
        self.skipped = len(self.files) - len(usable)
        self._usable = np.array(usable, dtype=np.int64)
        self._lengths = np.array([len(self.episodes[i]) for i in usable], dtype=np.int64)
        self._ends = np.cumsum(self._lengths)
        self.rows = int(self._lengths.sum())
        self._own_episodes = sum(i < own for i in usable)
        self._own_rows = int(self._lengths[: self._own_episodes].sum())
        # Everything but the pictures, of all episodes one after another: a hundredth of their size, and a batch takes
        # its rows of all windows at once.
        self.terms = ()
        """Names of the terms of the reward that are learned."""
        if config.reward_terms_weight > 0:
            self.terms = numbers.term_names(self.files[:own], self._own())
        columns = [self.window(i, 0, len(self.episodes[i])) for i in usable]
        keys = [key for key in Batch._fields if key != "image"] if usable else []
        self._numbers = {key: np.concatenate([column[key] for column in columns]) for key in keys}
        # Weight of a labelled row, so that the mean over all drawn rows is that over the labelled ones.
        labelled = self._labelled_rows()
        self.label_weight = self._own_rows / labelled if labelled else 0.0

    @property
    def channels(self) -> int:
        """C of the stacked cameras."""
        return self.episodes[0].observations.shape[1]

    @property
    def vector_size(self) -> int:
        """V."""
        return self.episodes[0].vector.shape[1]

    @property
    def meta(self) -> dict:
        """Cameras, rate, vector names and units, reward …: the first episode's meta, plus the consistent entries that
        only others have."""
        return self.episodes[0].meta | told(self.traits)

    def batches(self) -> int:
        """Batches in one epoch: as many steps as there are rows without ``imagined_path``, rounded up."""
        return -(-self._own_rows // (self.config.batch_size * self.config.sequence_length))

    @property
    def gaps(self) -> tuple[int, ...]:
        """The vector inputs that some row lacks."""
        return numbers.columns_lacking(self.episodes)

    def vector_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the vector inputs over the split, each (V,), float32; ``imagined_path``
        does not count."""
        return numbers.vector_statistics(self._own())

    def term_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """The same of the terms of the reward, each (R,)."""
        nothing = np.zeros(0, np.float32)
        return numbers.term_statistics(self._own()) if self.terms else (nothing, nothing)

    def refuse_other_numbers(self, other: "SequenceDataset", gaps: Sequence[int]) -> None:
        """Raise EpisodeError where ``other`` lacks vector inputs that are not among ``gaps``, or has other terms."""
        if lacking := [column for column in other.gaps if column not in gaps]:
            raise EpisodeError(
                f"{other.split} episodes lack {numbers.input_names(other.episodes[0], lacking)} in some rows, those of "
                f"{self.split} never do: set vector_dropout, so that the model learns to do without"
            )
        if other.files and other.terms != self.terms:
            raise EpisodeError(
                f"{other.split} episodes have the reward_terms {', '.join(other.terms)}, those of {self.split} "
                f"{', '.join(self.terms)}: keep them in separate folders"
            )

    def _own(self) -> list[Episode]:
        """The recorded episodes."""
        return self.episodes[: len(self.files) - self.imagined]

    def batch(self, epoch: int, index: int, rows: slice | None = None) -> Batch:
        """Batch ``index`` of ``epoch``, on the CPU; the same arguments give the same batch.

        ``rows`` reads only these of its ``batch_size`` sequences: the share of one of several processes.
        With ``light_augmentation`` the training split's pictures are in other light now and then.
        """
        random = np.random.default_rng([self.config.seed, SPLITS.index(self.split), epoch, index])
        draws = self._draw(random)[rows or slice(None)]
        length = self.config.sequence_length
        slots = np.searchsorted(self._ends, draws, side="right")
        firsts = self._ends[slots] - self._lengths[slots]  # row of the split's numbers where each episode begins
        starts = np.clip(draws - firsts - length // 2, 0, self._lengths[slots] - length)
        shape = self.episodes[0].observations.shape[1:]
        pictures = np.empty((len(draws), length, *shape), np.uint8)
        for place, slot, start in zip(pictures, slots.tolist(), starts.tolist(), strict=True):
            place[:] = self.episodes[self._usable[slot]].observations[start : start + length]
        rows_of_windows = (firsts + starts)[:, None] + np.arange(length)
        if self.config.light_augmentation > 0 and self.split == "train":
            lights = draw_lights(random, self.config.batch_size, self.config.light_augmentation)
            change_light(pictures, lights[rows or slice(None)])
        found = {key: column.take(rows_of_windows, axis=0) for key, column in self._numbers.items()}
        found["is_first"] = np.zeros((len(draws), length), np.float32)
        found["is_first"][:, 0] = 1.0
        found["expert_weight"] *= np.float32(self.label_weight)
        return Batch(image=torch.from_numpy(pictures), **{k: torch.from_numpy(v) for k, v in found.items()})

    def window(self, number: int, start: int, length: int) -> dict[str, np.ndarray]:
        """Rows [start, start + length) of an episode, as ``window`` gives them."""
        return window(self.episodes[number], start, length, len(self.terms))

    def _draw(self, random: np.random.Generator) -> np.ndarray:
        """Rows (B,) of all episodes one after another, those of ``imagined_path`` with their share."""
        size = self.config.batch_size
        draws = random.integers(0, self._own_rows, size)
        if self.imagined:
            imagined = random.random(size) < self.config.imagined_share
            draws = np.where(imagined, random.integers(self._own_rows, self.rows, size), draws)
        return draws

    def _labelled_rows(self) -> float:
        """Expected number of rows with the expert's action, if an epoch drew each of its rows once."""
        labelled = [int(np.isfinite(self.episodes[i].expert_actions).all(-1).sum()) for i in self._usable]
        own = sum(labelled[: self._own_episodes])
        if not self.imagined:
            return own
        share = self.config.imagined_share
        others = sum(labelled[self._own_episodes :]) / (self.rows - self._own_rows)
        return (1.0 - share) * own + share * others * self._own_rows

    def _open(self, folder: Path, first: int | None, like: Sequence[Traits]) -> None:
        """Read and check the files, and separate their drives."""
        share = self.config.validation_share
        files = split_files(folder, share, self.split)[:first]
        own = len(files)
        if self.split == "val":
            refuse_imagined(files)
        elif self.config.imagined_folder:
            files += imagined_files(self.config.imagined_folder, drive_hashes(split_files(folder, share, "val")))
        episodes = [read_episode(file) for file in files]
        pairs = zip(files, episodes, strict=True)
        self.traits = [traits_of(f"{file.parent.name}/{file.name}", episode) for file, episode in pairs]
        """Traits that must match, per file."""
        self._check_agreement(like)
        drives = [[*drives_in(episode)] for episode in episodes]
        self.files = [file for file, found in zip(files, drives, strict=True) for _ in found]
        """The file of each of ``episodes``."""
        self.first_rows = [row for found in drives for row, _ in found]
        """First row of each of them in its file."""
        self.episodes = [episode for found in drives for _, episode in found]
        self.imagined = sum(map(len, drives[own:]))

    def _check_agreement(self, like: Sequence[Traits]) -> None:
        """Raise EpisodeError where the episodes do not fit the settings, each other, or ``like``."""
        size, config = self.config.image_size, self.config
        for one in self.traits:
            for found, wanted, what, setting in (
                (one.size, (size, size), "pictures of {} px", "image_size"),
                (one.cameras, config.num_cameras or one.cameras, "{} camera(s)", "num_cameras"),
                (one.action, config.action_dim, "{} numbers in an action", "action_dim"),
            ):
                if found != wanted:
                    raise EpisodeError(
                        f"{one.whose} has {what.format(found)}, expected {wanted}: set {setting} to match, or convert "
                        f"the episodes ({setting} is {getattr(config, setting)})"
                    )
        check([*like, *self.traits])


def window(episode: Episode, start: int, length: int, terms: int = 0) -> dict[str, np.ndarray]:
    """Rows [start, start + length) of an episode as the arrays of a Batch, without the batch axis; ``terms``: number of
    terms of the reward that are learned."""
    rows = slice(start, start + length)
    actions = np.asarray(episode.actions[rows], np.float32)
    previous = np.zeros_like(actions)
    previous[1:] = actions[:-1]
    if start:
        previous[0] = episode.actions[start - 1]
    is_first = np.zeros(length, np.float32)
    is_first[0] = 1.0
    expert = np.asarray(episode.expert_actions[rows], np.float32)
    known = np.isfinite(expert).all(-1)
    cameras = episode.observations.shape[1] // 3
    mask = np.ones((length, cameras), bool) if episode.camera_mask is None else episode.camera_mask[rows]
    told = np.full((length, terms), np.nan, np.float32)
    if terms and episode.reward_terms is not None:
        told = np.asarray(episode.reward_terms[rows], np.float32)
    return {
        "image": episode.observations[rows],
        "vector": np.asarray(episode.vector[rows], np.float32),
        "action": actions,
        "previous_action": previous,
        "reward": np.asarray(episode.rewards[rows], np.float32),
        "terminal": np.asarray(episode.terminals[rows], np.float32),
        "is_first": is_first,
        "expert": from_command(np.where(known[:, None], expert, 0.0)),
        "expert_weight": known.astype(np.float32),
        "camera_mask": mask.astype(np.float32),
        "reward_terms": told,
    }


def stack(windows: list[dict[str, np.ndarray]]) -> Batch:
    """Windows of equal length as one Batch (B, T, …) on the CPU."""
    return Batch(**{key: torch.from_numpy(np.stack([w[key] for w in windows])) for key in Batch._fields})
