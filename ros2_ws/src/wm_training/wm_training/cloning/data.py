"""The episodes of a clone: the world model's reader and split, with the requested labels."""

from pathlib import Path

import torch
from wm_bundle import ImageSpec, from_command
from wm_bundle.policy import PolicyVectorSpec
from wm_data.agreement import contradictions
from wm_data.episodes import EpisodeError, read_episode
from wm_data.rates import rate_of
from wm_data.splits import split_files

from wm_training.cloning.clone_options import CloneOptions
from wm_training.data.dataset import SequenceDataset
from wm_training.data.numbers import input_names
from wm_training.exporting.cameras import cameras_of_meta
from wm_training.model.batch import Batch


class CloneData:
    """The training and the validation episodes of a run."""

    def __init__(self, options: CloneOptions):
        """Open them; the pictures' size is that of the first episode.

        Raises EpisodeError for unusable episodes, too few of them, and episodes without the required labels or meta;
        ConfigurationError for pictures of a size that the encoder does not support.
        """
        self.options = options
        files = split_files(Path(options.data_path).expanduser(), options.validation_share, "train")
        if len(files) < options.episodes:
            raise EpisodeError(
                f"episodes is {options.episodes}, but {options.data_path} has {len(files)} training episodes: "
                f"ask for fewer, or record more with `ros2 run wm_training collect`"
            )
        self.config = options.config(image_size=read_episode(files[0]).observations.shape[-1])
        self.train = SequenceDataset(options.data_path, self.config, "train", options.episodes or None)
        self.val = SequenceDataset(options.data_path, self.config, "val", like=self.train.traits)
        self._check_labels()
        self._check_meta()

    def batch(self, epoch: int, index: int) -> Batch:
        """Batch ``index`` of ``epoch`` of the training episodes, on the CPU; the same arguments give the same batch."""
        return self.labelled(self.train.batch(epoch, index))

    def labelled(self, batch: Batch) -> Batch:
        """The batch with the actions to imitate as its ``expert``."""
        if self.options.labels == "expert":
            return batch
        driven = torch.from_numpy(from_command(batch.action.numpy()))
        return batch._replace(expert=driven, expert_weight=torch.ones_like(batch.expert_weight))

    @property
    def validates(self) -> bool:
        """Whether there are validation rows with labels."""
        return bool(self.val.files) and (self.options.labels == "actions" or self.val.label_weight > 0)

    def description(self) -> dict[str, int]:
        """Episodes and rows of both splits; ``imagined_episodes`` are some of the training ones."""
        return {
            "training_episodes": len(self.train.files),
            "training_rows": self.train.rows,
            "imagined_episodes": self.train.imagined,
            "validation_episodes": len(self.val.files),
            "validation_rows": self.val.rows,
        }

    def image_spec(self) -> ImageSpec:
        """The picture format of the policy's input."""
        size = self.config.image_size
        return ImageSpec(size, size, cameras_of_meta(self.train.meta))

    def vector_spec(self) -> tuple[PolicyVectorSpec, ...]:
        """Names and units of the vector inputs."""
        return tuple(PolicyVectorSpec(entry["name"], entry["unit"]) for entry in self.train.meta["vector"])

    def _check_labels(self) -> None:
        if self.options.labels == "expert" and not self.train.label_weight > 0:
            raise EpisodeError(
                f"{self.options.data_path}: expected expert_actions in the training episodes, found none in "
                f"{self.train.rows:,} rows; --labels actions imitates what was driven, and `ros2 run wm_training "
                f"collect` records the expert's commands where there is an expert"
            )

    def _check_meta(self) -> None:
        for data in (self.train, self.val):
            if data.gaps:
                raise EpisodeError(
                    f"{self.options.data_path}: some rows lack {input_names(data.episodes[0], data.gaps)}, which a "
                    f"policy cannot do without: convert the episodes without gaps"
                )
        missing = [key for key in ("cameras", "rate_hz", "vector") if key not in self.train.meta]
        if missing:
            raise EpisodeError(
                f"episode {self.train.files[0]}: its meta lacks {', '.join(missing)}, which a driver of the policy "
                f"needs to check its inputs; record episodes with `ros2 run wm_training collect`, or convert them with "
                f"`ros2 run wm_training convert`"
            )
        if rate_of(self.train.meta) is None:
            raise EpisodeError(f"episode {self.train.files[0]}: expected a rate_hz above 0: write the episodes again")
        for contradiction in contradictions(self.train.traits[0]):
            raise EpisodeError(f"{contradiction}: write the episodes again")
