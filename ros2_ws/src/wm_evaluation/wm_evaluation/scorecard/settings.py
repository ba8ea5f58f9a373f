"""The horizon of a scorecard, and the settings of its intervals."""

from dataclasses import dataclass

STEPS = (1, 5, 10, 15, 20, 25)  # steps ahead at which figures are printed


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """Settings of a scorecard. Raises ValueError for invalid ones, with the field and the value."""

    horizon: int = 25
    """Steps K to imagine."""
    seed: int = 0
    """Seed for windows, samples, shuffled actions and intervals: the same seed gives the same figures."""
    resamples: int = 1000
    """Number of bootstrap resamples for the 95 % intervals."""

    def __post_init__(self):
        for name, least in (("horizon", 1), ("seed", 0), ("resamples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.seed >= 2**32:
            raise ValueError(f"seed is {self.seed}, expected below 2^32")

    @property
    def steps(self) -> list[int]:
        """Steps ahead at which figures are printed: those of STEPS within the horizon, and the horizon."""
        return sorted({step for step in STEPS if step < self.horizon} | {self.horizon})
