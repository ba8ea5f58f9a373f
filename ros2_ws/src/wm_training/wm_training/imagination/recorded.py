"""Recorded drives that match a model, and windows of them."""

import os
from collections.abc import Sequence

import numpy as np
from wm_data.agreement import Traits
from wm_data.episodes import Episode, EpisodeError

from wm_training.data.dataset import SequenceDataset
from wm_training.data.numbers import input_names
from wm_training.model.world_model import WorldModel


def open_split(path: str | os.PathLike, model: WorldModel, split: str) -> SequenceDataset:
    """The episodes of a split. Raises EpisodeError where there are none, or they do not match the model."""
    like = [model_traits(model)] if model.trained_on else []
    # Callers cut their own windows, so an episode need not be as long as those of training.
    changes = dict(sequence_length=2, imagined_path="none", reward_terms_weight=0.0)
    data = SequenceDataset(path, model.config.with_changes(**changes), split, like=like)
    if not data.files:
        raise EpisodeError(
            f"{path} has no validation episodes (validation_share {model.config.validation_share:g}): "
            f"--split train scores those of training, which flatters the model"
        )
    vector_size = len(model.vector_mean)
    if (data.channels, data.vector_size) != (model.channels, vector_size):
        raise EpisodeError(
            f"{path} has {data.channels // 3} cameras and {data.vector_size} vector inputs, "
            f"the model was trained with {model.channels // 3} and {vector_size}"
        )
    refuse_unknown_gaps(data, model)
    return data


def refuse_unknown_gaps(data: SequenceDataset, model: WorldModel) -> None:
    """Raise EpisodeError where rows lack vector inputs that the model always had."""
    if lacking := [column for column in data.gaps if column not in model.gaps]:
        raise EpisodeError(
            f"the {data.split} episodes lack {input_names(data.episodes[0], lacking)} in some rows, and the model was "
            f"trained with it in all: convert them without gaps, or train with vector_dropout"
        )


def model_traits(model: WorldModel) -> Traits:
    """The traits of a model's training data, which episodes must match."""
    size, vector_size = model.config.image_size, len(model.vector_mean)
    return Traits(
        "the training of the model", (size, size), model.cameras, vector_size, model.config.action_dim, model.trained_on
    )


def mean_reward(data: SequenceDataset) -> float:
    """Mean over all recorded rows: that of the training split is a baseline."""
    return float(np.concatenate([episode.rewards for episode in data.episodes]).mean(dtype=np.float64))


def spread_windows(episodes: Sequence[Episode], rows: int, longest: int = 60) -> list[tuple[Episode, slice]]:
    """At least two windows of one length, ``longest`` rows at most and together about ``rows``, spread over all
    episodes. Raises EpisodeError when none has two rows."""
    length = min(longest, max(len(episode) for episode in episodes) // 2)
    if length < 1:
        raise EpisodeError("no episode has more than one row, expected at least two")
    places = [(e, first) for e in episodes for first in range(0, len(e) - length + 1, length)]
    count = min(len(places), max(2, rows // length))
    chosen = [places[i * len(places) // count] for i in range(count)]
    return [(episode, slice(first, first + length)) for episode, first in chosen]
