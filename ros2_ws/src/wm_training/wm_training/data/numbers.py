"""Vector inputs and terms of the reward of episodes: which are unknown, and their mean and deviation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from wm_data.agreement import names_of
from wm_data.episodes import Episode, EpisodeError

_CONSTANT = 1e-3  # deviation below which a number says nothing


def columns_lacking(episodes: Sequence[Episode]) -> tuple[int, ...]:
    """The vector inputs that some row lacks."""
    lacking = [np.isnan(episode.vector).any(axis=0) for episode in episodes]
    return tuple(np.flatnonzero(np.any(lacking, axis=0)).tolist()) if lacking else ()


def input_names(episode: Episode, columns: Sequence[int]) -> str:
    """Names of vector inputs, for messages."""
    names = names_of(episode.meta.get("vector"), episode.vector.shape[1])
    return ", ".join(names[column] for column in columns)


def vector_statistics(episodes: Sequence[Episode]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the vector inputs where they are known, each (V,), float32. Raises EpisodeError
    for one that no row has."""
    values = np.concatenate([episode.vector for episode in episodes])
    if unknown := np.flatnonzero(np.isnan(values).all(axis=0)).tolist():
        raise EpisodeError(
            f"no training row has {input_names(episodes[0], unknown)}: convert the episodes without such a vector input"
        )
    mean, deviation = _statistics(values)
    return mean, np.maximum(deviation, np.float32(_CONSTANT))


def term_names(files: Sequence[Path], episodes: Sequence[Episode]) -> tuple[str, ...]:
    """Names of the terms of the reward. Raises EpisodeError unless all episodes have the same."""
    found: tuple[str, ...] = ()
    for file, episode in zip(files, episodes, strict=True):
        told = episode.meta.get("reward_terms")
        count = 0 if episode.reward_terms is None else episode.reward_terms.shape[1]
        if not count or not isinstance(told, list) or len(told) != count:
            raise EpisodeError(
                f"episode {file} has no named reward_terms, which reward_terms_weight needs: convert or record it with "
                f"the reward driving-1 or driving-2, or set reward_terms_weight to 0"
            )
        if found and tuple(told) != found:
            raise EpisodeError(
                f"episode {file} has the reward_terms {', '.join(told)}, {files[0]} has {', '.join(found)}: keep them "
                f"in separate folders"
            )
        found = tuple(told)
    return found


def term_statistics(episodes: Sequence[Episode]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the terms where they are known, each (R,), float32; 0 and 1 for one that is
    unknown, and the deviation 1 for one that never changes: a rare event must not weigh a million times."""
    mean, deviation = _statistics(np.concatenate([episode.reward_terms for episode in episodes]))
    return mean, np.where(deviation < _CONSTANT, np.float32(1.0), deviation)


def _statistics(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    whole = np.where(known, values, 0.0).astype(np.float64)
    mean = whole.sum(axis=0) / count
    square = (np.where(known, whole - mean, 0.0) ** 2).sum(axis=0) / count
    return mean.astype(np.float32), np.sqrt(square).astype(np.float32)
