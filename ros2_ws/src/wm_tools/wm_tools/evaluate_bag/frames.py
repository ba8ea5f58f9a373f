"""The numbers of every frame of an evaluation, from which all figures, charts and result.jsonl are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_tools.evaluate_bag.offline_pilot import Decided
from wm_tools.evaluate_bag.one_step import OneStep

Columns = TypeVar("Columns")


@dataclass(frozen=True)
class Place:
    """Where each of T frames is in the source, int (T,), counted from 0."""

    drive: np.ndarray
    """The recording."""
    episode: np.ndarray
    """The uninterrupted stretch of rows."""
    row: np.ndarray
    """The row of its episode."""
    segment: np.ndarray
    """The segment of the bootstrap."""
    stamp_ns: np.ndarray
    """[ns] of the picture."""


@dataclass(frozen=True)
class Frames:
    """T frames in the order of the recording; NaN where a number is unknown."""

    place: Place
    recorded: np.ndarray
    """(T, 3): the action applied from this frame to the next."""
    reward: np.ndarray
    """(T,): what the recorded action led to; NaN for a recording without the reward that the bundle predicts."""
    decided: Decided
    one_step: OneStep

    def __len__(self) -> int:
        return len(self.recorded)

    def times_s(self, period_s: float) -> np.ndarray:
        """(T,) [s] of driving: from the stamps within an episode, one period from one episode to the next."""
        steps = np.diff(self.place.stamp_ns) / NS_PER_S
        steps[np.diff(self.place.episode) != 0] = period_s
        return np.concatenate([[0.0], np.cumsum(steps)])


def joined(parts: Sequence[Columns]) -> Columns:
    """The frames of several parts, in order."""
    return _combined(lambda *arrays: np.concatenate(arrays), *parts)


def both_known(one: Columns, other: Columns) -> Columns:
    """``one`` with NaN where ``other`` has NaN."""
    return _combined(lambda a, b: np.where(np.isfinite(b), a, np.nan) if a.dtype.kind == "f" else a, one, other)


def _combined(function: Callable[..., np.ndarray], *tables):
    """Apply ``function`` to the arrays of the same name in tables of the same kind."""
    if isinstance(tables[0], np.ndarray):
        return function(*tables)
    values = zip(*(vars(table).values() for table in tables), strict=True)
    return type(tables[0])(*(_combined(function, *entries) for entries in values))
