"""The options of visualize, and the settings of scored windows; without torch, so that `--help` is fast."""

from dataclasses import dataclass
from typing import Literal

from wm_evaluation.scorecard.settings import ScoreSettings


@dataclass(frozen=True, kw_only=True)
class WindowSettings(ScoreSettings):
    """Settings of a scorecard over windows. Raises ValueError for bad ones, with the field and the value."""

    context: int = 5
    """Rows the model sees before it imagines."""
    frames: int = 2000
    """Approximate number of rows to score, spread over all episodes."""

    def __post_init__(self):
        super().__post_init__()
        # The last observed reward, one of the baselines, is that of the context's last picture.
        for name, least in (("context", 2), ("frames", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {least}")

    @property
    def rows(self) -> int:
        """Rows of a complete window."""
        return self.context + self.horizon


@dataclass(frozen=True, kw_only=True)
class VisualizeOptions(WindowSettings):
    """Show and score what a trained world model imagines."""

    checkpoint: str
    """Checkpoint of the model, such as runs/carracing/round_2/best_model.pt."""
    data_path: str | None = None
    """Folder of episodes; without it the one that the model was trained on."""
    output: str | None = None
    """Folder for the files; without it `visualize` next to the checkpoint."""
    split: Literal["val", "train"] = "val"
    """Episodes to score; those of the training split flatter the model."""
    episode: str | None = None
    """File name of the episode to draw; without it a window of median picture error is drawn."""
    index: int | None = None
    """Number of the episode to draw in its split, instead of its name."""
    start: int | None = None
    """First row to draw, of the episode named, or else of the first one."""
    samples: int = 0
    """Futures to sample of each window, 0 for the model's num_imagination_samples."""
    device: str = "auto"
    """Where to compute: auto (a GPU where there is one), cpu, cuda, cuda:1 …"""
    threads: int = 0
    """CPU threads, 0 for the number of cores."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("samples", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.episode is not None and self.index is not None:
            raise ValueError(f"episode is {self.episode} and index is {self.index}, expected only one of them")
