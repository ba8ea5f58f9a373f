"""Options of `clone`, and the resulting settings of the parts shared with the world model. Does not load torch."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from wm_training.cloning.policy_run import PolicyRun
from wm_training.configuration.config import WorldModelTrainConfig

WINDOW = 2
"""Rows read together: the shortest windows possible."""
VALIDATION_FRAMES = 10_000
"""Maximum validation rows per epoch."""


@dataclass(frozen=True, kw_only=True)
class CloneOptions(PolicyRun):
    """Train a policy by behaviour cloning, from one picture to one command without a world model, and write it as an
    ONNX file that the planner and the benchmark can drive. The same command continues a run that was stopped."""

    data_path: str
    """Folder of episodes, or of train/ and val/ folders of episodes."""
    labels: Literal["expert", "actions"] = "expert"
    """What to imitate: expert_actions where they are known, or the actions that were driven."""
    imagined_path: str = "none"
    """Folder of imagined episodes, made by `augment`, to train on in addition to the recorded ones; none: no such
    folder."""
    imagined_share: float = 0.5
    """Part of the training rows that is drawn from imagined_path [share]; the number of updates stays as without."""
    previous_action: bool = False
    """Feed the last command as well. Off, because a clone that sees its last command learns to repeat it, which is what
    an expert mostly does: the validation error can fall while the driving gets worse."""
    episodes: int = 0
    """Use only the first N training episodes [episodes]; 0 for all. Validation does not depend on it."""
    name: str = "clone"
    num_epochs: int = 50
    """Length of the training [epochs]; one epoch draws as many rows as the training episodes have, and at least 20
    batches."""
    batch_size: int = 512
    """Size of a batch [rows], an even number."""
    learning_rate: float = 6e-4
    """AdamW step size after the warm-up; it falls to a tenth along a cosine."""
    warmup_steps: int = 100
    """Time in which the learning rate rises from zero [updates]."""
    light_augmentation: float = 0.0
    """Strongest change of light in half of the training pictures [share], as of `train`."""
    hidden_dim: int = 256
    """Width of every hidden layer [units]."""
    conv_depth: int = 16
    """Width of the encoder's first layer [channels]; it doubles with every layer."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the convolutions and matrix products while training (autocast), as of `train`; the file is
    float32."""

    def __post_init__(self):
        super().__post_init__()
        self._check("episodes", self.episodes >= 0, "0 or more")
        self._check("batch_size", self.batch_size > 0 and self.batch_size % WINDOW == 0, "an even number above 0")
        self.config(64)  # its checks are those of the fields that both have

    def config(self, image_size: int) -> WorldModelTrainConfig:
        """Settings for the encoder, the actor, the reader of the data and the optimiser, which are shared with the
        world model.

        Raises ConfigurationError for invalid values, such as an ``image_size`` [px] that is no power of two.
        """
        theirs = {field.name for field in dataclasses.fields(WorldModelTrainConfig)}
        shared = {name: value for name, value in dataclasses.asdict(self).items() if name in theirs}
        return WorldModelTrainConfig(
            **shared | {"batch_size": self.batch_size // WINDOW},
            sequence_length=WINDOW,
            image_size=image_size,
            validation_frames=VALIDATION_FRAMES,
        )
