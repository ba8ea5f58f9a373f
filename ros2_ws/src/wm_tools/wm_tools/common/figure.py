"""A figure of an episode as tables show it, and its mean over episodes with an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from wm_evaluation.metrics.bootstrap import weighted_interval
from wm_evaluation.wording import spell_number

RESAMPLES = 2000


@dataclass(frozen=True)
class Figure:
    """One figure of an episode. Tables show it times ``scale``; ``metric`` is its name in the glossary. ``weight`` is
    the figure that an episode counts by in a mean: a rate per kilometre counts by the distance, so that it is that of
    all kilometres together; empty: every episode counts the same."""

    name: str
    label: str
    topic: str
    unit: str = ""
    digits: int = 1
    scale: float = 1.0
    metric: str = ""
    weight: str = ""

    def __post_init__(self):
        object.__setattr__(self, "metric", self.metric or self.name)

    def spell(self, value: float | None) -> str:
        """The number as tables show it, without the unit; a dash if there is none."""
        return spell_number(None if value is None else self.scale * value, f".{self.digits}f")

    def spell_mean(self, cell: dict) -> str:
        """`12.3 (11.0 to 13.4)`, without the interval where there is none; ``cell`` is from ``mean_of``."""
        if cell["low"] is None:
            return self.spell(cell["mean"])
        return f"{self.spell(cell['mean'])} ({self.spell(cell['low'])} to {self.spell(cell['high'])})"

    @property
    def head(self) -> str:
        return f"{self.label} [{self.unit}]" if self.unit else self.label

    def mean_of(self, episodes: Sequence[dict]) -> dict:
        """As ``interval_of``, over the figures of episodes; those of older benchmarks lack some."""
        weights = [episode.get(self.weight) for episode in episodes] if self.weight else None
        return interval_of([episode.get(self.name) for episode in episodes], weights)


def interval_of(values: Sequence[float | None], weights: Sequence[float | None] | None = None) -> dict:
    """``mean``, ``low``, ``high`` of the values that are known, None where they cannot be computed, and their count.
    The interval is a 95 % percentile bootstrap over the values."""
    shares = [1.0] * len(values) if weights is None else [weight or 0.0 for weight in weights]
    known = [pair for pair in zip(values, shares, strict=True) if pair[0] is not None and pair[1] > 0.0]
    found = weighted_interval(*np.array(known, np.float64).T, RESAMPLES) if known else (math.nan,) * 3
    mean, low, high = (float(value) if math.isfinite(value) else None for value in found)
    return {"mean": mean, "low": low, "high": high, "n": len(known)}
