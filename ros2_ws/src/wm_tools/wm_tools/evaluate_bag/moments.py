"""The moments worth watching: the worst by surprise, by planned action and by imagined pictures.

Only their pictures are kept, so that an evaluation's memory does not grow with the recording.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from wm_bundle.times import NS_PER_S

KINDS = {
    "surprise": "surprise of {:.1f} nats",
    "action": "planned {:.2f} away from the recorded command",
    "prediction": "imagined picture with a mean squared error of {:.4f}",
}
APART_S = 2.0  # between two moments of one recording
LEAD_S = 1.0  # from the start of the clip to a moment of surprise or action


@dataclass(frozen=True)
class Moment:
    """A moment worth watching, and K steps imagined open-loop around it.

    ``frame`` is its index in Frames. The clip begins at frame ``first`` = ``frame - offset``: ``pictures`` are those
    of the frames first … first + k, ``imagined`` what the belief at ``first`` predicted for the frames first + 1 …
    first + k along the recorded actions; k at most K, fewer near the end of an episode.
    """

    kind: str
    """surprise, action or prediction: the criterion by which it is among the worst."""
    value: float
    """How bad it is: nats, largest difference of planned and recorded steer or pedals, mean squared error."""
    frame: int
    first: int
    pictures: np.ndarray
    """uint8 (k + 1, C, H, W)."""
    imagined: np.ndarray
    """uint8 (k, C, H, W)."""

    @property
    def offset(self) -> int:
        """Frames from the start of the clip to the moment."""
        return self.frame - self.first

    def __str__(self) -> str:
        return KINDS[self.kind].format(self.value)


@dataclass(frozen=True)
class _Candidate:
    drive: int
    stamp_ns: int
    moment: Moment


@dataclass(frozen=True)
class Scores:
    """How bad every row of a stretch was, (T,) each, NaN if unknown; ``clip_starts`` (T,) int is the row at which a
    clip around it begins, -1 if there is no belief to imagine it from."""

    drive: int
    stamps_ns: np.ndarray
    values: dict[str, np.ndarray]
    clip_starts: dict[str, np.ndarray]


def clip_starts(usable: np.ndarray, lead: int) -> np.ndarray:
    """For every row (T,) the first row that can be imagined from, at most ``lead`` rows before it and at least one;
    -1 for none. ``usable`` (T,) bool."""
    starts = np.full(len(usable), -1)
    for row in range(1, len(usable)):
        found = np.flatnonzero(usable[max(0, row - lead) : row])
        if len(found):
            starts[row] = max(0, row - lead) + found[0]
    return starts


class MomentKeeper:
    """Keeps the worst moments of each kind so far, with their clips."""

    def __init__(self, count: int):
        """``count``: number of moments at the end."""
        self._count = count
        self._kept: dict[str, list[_Candidate]] = {kind: [] for kind in KINDS}

    def offer(self, scores: Scores, clip: Callable[[str, float, int, int], Moment]) -> None:
        """Add a stretch. ``clip`` makes a moment from its kind, value, row, and the row at which its clip begins."""
        for kind in KINDS if self._count else ():
            worst = []
            values = np.where(scores.clip_starts[kind] >= 0, scores.values[kind], np.nan)
            for row in np.argsort(-values, kind="stable"):
                if not np.isfinite(values[row]) or len(worst) == self._count or self._is_beaten(kind, values[row]):
                    break
                if all(abs(int(scores.stamps_ns[row]) - int(scores.stamps_ns[r])) >= APART_S * NS_PER_S for r in worst):
                    worst.append(int(row))
            found = [
                _Candidate(
                    scores.drive,
                    int(scores.stamps_ns[row]),
                    clip(kind, float(values[row]), row, int(scores.clip_starts[kind][row])),
                )
                for row in worst
            ]
            self._kept[kind] = sorted(self._kept[kind] + found, key=lambda c: -c.moment.value)[: self._count]

    def chosen(self) -> list[Moment]:
        """The moments, in time order: the kinds take turns, each with its worst that is far enough from those already
        chosen."""
        waiting = {kind: list(kept) for kind, kept in self._kept.items()}
        chosen: list[_Candidate] = []
        while len(chosen) < self._count and any(waiting.values()):
            for kind in KINDS:
                while waiting[kind] and any(_near(waiting[kind][0], other) for other in chosen):
                    waiting[kind].pop(0)
                if waiting[kind] and len(chosen) < self._count:
                    chosen.append(waiting[kind].pop(0))
        return [candidate.moment for candidate in sorted(chosen, key=lambda c: c.moment.frame)]

    def _is_beaten(self, kind: str, value: float) -> bool:
        kept = self._kept[kind]
        return len(kept) == self._count and kept[-1].moment.value >= value


def _near(one: _Candidate, other: _Candidate) -> bool:
    return one.drive == other.drive and abs(one.stamp_ns - other.stamp_ns) < APART_S * NS_PER_S


def side_by_side(picture: np.ndarray) -> np.ndarray:
    """A picture (C, H, W) of K cameras as (H, K·W, 3)."""
    channels, height, _ = picture.shape
    return picture.reshape(channels // 3, 3, height, -1).transpose(2, 0, 3, 1).reshape(height, -1, 3)
