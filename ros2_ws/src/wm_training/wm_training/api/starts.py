"""Start states of imagined drives: moments of recorded drives, or given states."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from wm_data.episodes import EpisodeError

from wm_training.api.observations import Observations
from wm_training.api.pretrained import PretrainedWorldModel
from wm_training.data.dataset import SequenceDataset


class Starts(Protocol):
    """Gives random starts."""

    def draw(self, randoms: Sequence[np.random.Generator]) -> tuple[Tensor, list[dict]]:
        """A state for each generator, (N, F), and the origin of each."""
        ...


class RecordedStarts:
    """The rows of recorded drives, each after ``context`` observed rows, all equally likely."""

    def __init__(self, model: PretrainedWorldModel, data: SequenceDataset, context: int):
        """Raises EpisodeError when no drive has ``context`` rows."""
        self._model, self._data, self._context = model, data, context
        lengths = enumerate(map(len, data.episodes))
        self._drives = [(index, length - context + 1) for index, length in lengths if length >= context]
        if not self._drives:
            longest = max(len(episode) for episode in data.episodes)
            raise EpisodeError(f"no episode has the {context} rows of context, the longest has {longest}")
        self._ends = np.cumsum([count for _, count in self._drives])

    def draw(self, randoms: Sequence[np.random.Generator]) -> tuple[Tensor, list[dict]]:
        """As in ``Starts``; the names of the episodes and the last observed rows."""
        seen, places = [], []
        for random in randoms:
            place = int(random.integers(self._ends[-1]))
            drive = int(np.searchsorted(self._ends, place, side="right"))
            index, count = self._drives[drive]
            first = place - int(self._ends[drive]) + count
            rows = slice(first, first + self._context)
            seen.append(Observations.of_episode(self._data.episodes[index], rows))
            row = self._data.first_rows[index] + rows.stop - 1
            places.append({"episode": self._data.files[index].name, "row": row})
        return self._model.encode(Observations.stack(seen)), places


class GivenStarts:
    """Given states (M, F), all equally likely."""

    def __init__(self, model: PretrainedWorldModel, states: Tensor | np.ndarray):
        """Raises ValueError for states that do not match the model."""
        self._states = model.checked_state(torch.as_tensor(states))

    def draw(self, randoms: Sequence[np.random.Generator]) -> tuple[Tensor, list[dict]]:
        """As in ``Starts``; the numbers of the states."""
        chosen = [int(random.integers(len(self._states))) for random in randoms]
        return self._states[chosen], [{"start": number} for number in chosen]
