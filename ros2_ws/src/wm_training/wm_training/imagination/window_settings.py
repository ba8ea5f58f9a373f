"""Which windows of the episodes are scored; without torch, so that `visualize --help` does not wait for it."""

from dataclasses import dataclass

from wm_evaluation.scorecard.settings import ScoreSettings


@dataclass(frozen=True, kw_only=True)
class WindowSettings(ScoreSettings):
    """Settings of a scorecard over windows. Raises ValueError for bad ones, with the field and the value."""

    context: int = 5
    """Rows the model sees before it imagines."""
    frames: int = 2000
    """Rows to score, about, spread over all episodes."""

    def __post_init__(self):
        super().__post_init__()
        # The last reward seen, one of the baselines, came with the context's last picture.
        for name, least in (("context", 2), ("frames", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {least}")

    @property
    def rows(self) -> int:
        """Rows of a whole window."""
        return self.context + self.horizon
