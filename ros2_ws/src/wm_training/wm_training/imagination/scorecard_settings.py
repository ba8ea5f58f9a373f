"""What a scorecard measures; without torch, so that `visualize --help` does not wait for it."""

from dataclasses import dataclass

STEPS = (1, 5, 10, 15, 20, 25)  # steps ahead at which figures are printed


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """Settings of a scorecard. Bad ones are refused with the field and the value."""

    context: int = 5
    """Rows the model sees before it imagines."""
    horizon: int = 25
    """Steps K to imagine."""
    frames: int = 2000
    """Rows to score, about, spread over all episodes."""
    seed: int = 0
    """Seed of windows, samples, exchanged actions and intervals: the same one gives the same figures."""
    resamples: int = 1000
    """Resamples of the episodes for the 95 % intervals."""

    def __post_init__(self):
        # The last reward seen, one of the baselines, came with the context's last picture.
        for name, least in (("context", 2), ("horizon", 1), ("frames", 1), ("seed", 0), ("resamples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.seed >= 2**32:
            raise ValueError(f"seed is {self.seed}, expected below 2^32")

    @property
    def rows(self) -> int:
        """Rows of a whole window."""
        return self.context + self.horizon

    @property
    def steps(self) -> list[int]:
        """Steps ahead at which figures are printed: those of STEPS within the horizon, and the horizon."""
        return sorted({step for step in STEPS if step < self.horizon} | {self.horizon})
