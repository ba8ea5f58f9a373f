"""Options of `augment`. Does not load torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from wm_training.configuration.run_options import RunOptions


@dataclass(frozen=True)
class AugmentOptions(RunOptions):
    """Imagine variations of recorded episodes with a trained world model, and write what it knows well as ordinary
    episodes for other trainers. The same command continues a run that was stopped."""

    FILES: ClassVar[tuple[str, ...]] = ("checkpoint", "data_path", "output_dir")

    checkpoint: str
    """Checkpoint of the world model, such as runs/carracing/round_2/best_model.pt."""
    data_path: str
    """Folder of recorded episodes: those for training are augmented, those for validation calibrate the filters."""
    output_dir: str
    """Folder for the imagined episodes; manifest.json there says what was made, skipped, and why."""
    num_augmentations: int = 4
    """Imagined drives from every recorded episode [drives]."""
    horizon: int = 50
    """Length of an imagined drive [rows]."""
    policy: Literal["actor", "noisy-actions", "perturbed-actions"] = "actor"
    """Who drives: the model's actor, with sampled actions; the recorded actions with noise that lasts for moments; or
    the actor with one disturbance in each drive (a swerve, a late reaction, braking …), and comes back."""
    noise: float = 0.2
    """Standard deviation of the noise of noisy-actions, in steer and in longitudinal."""
    context: int = 5
    """Recorded rows that the model sees before it imagines [rows]."""
    starts: Literal["spread", "first"] = "spread"
    """Where drives begin: each in its own part of the episode, at random, or all with the episode's first row."""
    labels: Literal["actor", "none"] = "actor"
    """What expert_actions of imagined rows are: what the model's actor would do there, or unknown."""
    quantile: float = 0.95
    """Strictness of the filters: surprise and disagreement may be as large as in this share of recorded blocks of ten
    rows; 1 allows all that ever occurs in recorded drives [share]."""
    min_rows: int = 10
    """Shortest imagined drive that is kept [rows]; longer ones are cut where a filter says no."""
    episodes: int = 0
    """Take only the first so many training episodes [episodes]; 0 for all."""

    def __post_init__(self):
        super().__post_init__()
        for name, least in (("num_augmentations", 1), ("horizon", 2), ("context", 1), ("min_rows", 2)):
            self._check(name, getattr(self, name) >= least, f"at least {least}")
        self._check("episodes", self.episodes >= 0, "0 or more")
        self._check("noise", 0.0 <= self.noise <= 2.0, "from 0 to 2")
        self._check("quantile", 0.0 < self.quantile <= 1.0, "above 0 and at most 1")
        self._check("min_rows", self.min_rows <= self.horizon, f"at most horizon, {self.horizon}")

    @property
    def output(self) -> Path:
        """Where the episodes go."""
        return Path(self.output_dir).expanduser()
