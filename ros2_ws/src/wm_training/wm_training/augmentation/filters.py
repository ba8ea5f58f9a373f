"""What of an imagined drive is kept: where it surprises the model, or its ensemble disagrees, more than recorded drives
do, it ends.

An imagined step is judged by the state it leads to. Steps are judged in blocks of BLOCK, by the mean of a block: single
recorded rows surprise a model by ten times the usual now and then, and nothing is wrong with them. The filters:
``surprise``, KL(posterior ‖ prior) of the decoded picture seen again [nats]; ``disagreement`` and
``value_disagreement``, standard deviations over the ensembles of rewards and values, in their units.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

BLOCK = 10
"""Steps that are judged together."""
END_BELOW = 0.5
"""Continue probability below which the drive ends."""


@dataclass(frozen=True)
class Calibration:
    """Measured values of recorded drives, and limits for imagined ones."""

    quantile: float
    blocks: int
    """Number of recorded blocks examined."""
    split: str
    """Their split: val, or train without validation episodes."""
    limits: dict[str, float]
    """Largest mean of a block, by filter; without disagreements if the model has no ensemble."""
    usual: dict[str, float]
    """Median mean of a recorded block, by filter."""

    def to_json(self) -> dict:
        """Plain values."""
        return asdict(self)


class Verdict(NamedTuple):
    """The part of an imagined drive to keep."""

    rows: int
    """Number of rows kept, from the first; 0 if the first block is refused."""
    imagined: int
    """Rows up to the horizon or to the drive's end according to the model."""
    reason: str
    """Why it ends there: horizon, end (the model's own), or the name of a filter."""
    means: dict[str, float]
    """Mean over all steps, by filter."""


def calibrate(recorded: Mapping[str, np.ndarray], quantile: float, split: str) -> Calibration:
    """Limits from the block means (N,) of recorded drives, by filter."""
    limits = {name: float(np.quantile(values, quantile)) for name, values in recorded.items()}
    usual = {name: float(np.median(values)) for name, values in recorded.items()}
    return Calibration(quantile, len(next(iter(recorded.values()))), split, limits, usual)


def block_means(values: np.ndarray) -> np.ndarray:
    """Means (m,) over BLOCK steps of values (n,); the remainder is a separate block if at least half as long, else part
    of the last one."""
    starts = np.arange(0, max(1, len(values) - BLOCK // 2 + 1), BLOCK)
    return np.add.reduceat(values, starts) / np.diff(starts, append=len(values))


def judge(calibration: Calibration, measured: Mapping[str, np.ndarray], continues: np.ndarray) -> Verdict:
    """The part of a drive to keep: ``measured`` (H,) by filter, ``continues`` (H,) its continue probability.

    Steps after the end according to the model are not judged.
    """
    ends = np.flatnonzero(continues < END_BELOW)
    rows, reason = (int(ends[0]) + 1, "end") if len(ends) else (len(continues), "horizon")
    imagined = rows
    judged = {name: measured[name][:rows] for name in calibration.limits}
    for name, values in judged.items():
        refused = np.flatnonzero(~(block_means(values) <= calibration.limits[name]))  # ~ also refuses NaN
        if len(refused) and BLOCK * int(refused[0]) < rows:
            rows, reason = BLOCK * int(refused[0]), name
    return Verdict(rows, imagined, reason, {name: float(values.mean()) for name, values in judged.items()})
