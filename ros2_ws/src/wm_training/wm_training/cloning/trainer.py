"""The training loop of a clone: sample, update, validate, save. A stopped run can be resumed."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from wm_training import processes
from wm_training.cloning.clone_options import CloneOptions
from wm_training.cloning.data import CloneData
from wm_training.cloning.policy import ClonePolicy, measures
from wm_training.cloning.policy_trainer import PolicyTrainer
from wm_training.data.summary import data_summary
from wm_training.model.noise import draw_noise
from wm_training.training import distributed, precision
from wm_training.training.learner import Learner
from wm_training.training.loader import Prefetch, Sample
from wm_training.training.validation import validate

LEAST_UPDATES = 20
"""Minimum updates per epoch, so that a few episodes are trained on long enough."""


class CloneTrainer(PolicyTrainer):
    """Trains a ClonePolicy; ``last.pt``, ``best_model.pt`` and ``metrics.csv`` are in the folder of the options."""

    kind = "clone"
    made_from_key = "settings"
    advice = "a lower --learning-rate, more --warmup-steps, or --precision float32"
    measured = ("epoch", "step", "validation")

    def __init__(self, options: CloneOptions):
        """Open the data and build the policy. Raises EpisodeError, ConfigurationError, TrainingError."""
        self.options = options
        self.data = CloneData(options)
        self.made_of = data_summary(options.data_path, self.data.config.imagined_folder)
        self.device = distributed.choose_device(options.device)
        torch.set_num_threads(options.threads or processes.processor_threads())
        saved = self.saved_settings() if options.resume == "auto" else {}
        self.arithmetic = precision.choose(self.data.config, self.device, saved.get("precision"))
        self.config = self.data.config.with_changes(precision=self.arithmetic.used)
        self._channels_last = precision.channels_last("auto", self.device, self.arithmetic.used)
        self.policy = self._build_policy()
        self.learner = Learner(self.config, self.policy, distributed.OneProcess(self.device), self.total_steps)
        self.step = 0
        self.best = math.inf

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return max(LEAST_UPDATES, self.data.train.batches())

    @property
    def total_steps(self) -> int:
        """Updates in the whole run."""
        return self.steps_per_epoch * self.options.num_epochs

    def sample(self, step: int) -> Sample:
        """The batch of update ``step`` on the CPU. The learner expects noise; a policy needs none."""
        batch = self.data.batch(*divmod(step, self.steps_per_epoch))
        size, length, cameras = batch.camera_mask.shape
        noise = draw_noise(self.config, size, length, cameras, self.options.seed, step, self.device)
        return Sample(step, batch.channels_last() if self._channels_last else batch, noise)

    def validate(self) -> dict[str, float]:
        """``measures`` on the validation episodes, with equal weights; empty where none has labels."""
        if not self.data.validates:
            return {}
        return measures(
            validate(lambda batch, noise: self.learner.evaluate(self.data.labelled(batch), noise), self.data.val)
        )

    def _made_from(self) -> dict[str, Any]:
        return super()._made_from() | {"precision": self.arithmetic.used}

    def _build_policy(self) -> ClonePolicy:
        torch.manual_seed(self.options.seed)
        data = self.data.train
        policy = ClonePolicy(self.config, data.channels, data.vector_size, self.options.previous_action)
        mean, std = data.vector_statistics()
        policy.vector_mean.copy_(torch.from_numpy(mean))
        policy.vector_std.copy_(torch.from_numpy(std))
        if self._channels_last:
            policy = policy.to(memory_format=torch.channels_last)
        return policy.to(self.device)

    def _updates(self) -> Iterator[Mapping[str, Tensor]]:
        steps = range(self.step, self.total_steps)
        with Prefetch(self.sample, steps, self.config.prefetch_batches, self.device) as samples:
            yield from map(self.learner.update, samples)

    def _look_is_due(self) -> bool:
        return self.step % self.steps_per_epoch == 0

    def _where(self) -> dict[str, int]:
        return {"epoch": self.step // self.steps_per_epoch}

    def _noted(self, found: Mapping[str, float]) -> dict[str, float]:
        return {"loss": found["behaviour_cloning"]}

    def _judge(self, validation: Mapping[str, float]) -> None:
        # Without validation episodes the latest policy counts as the best.
        score = validation.get("loss", -math.inf)
        if score <= self.best:
            self.best = score
            self._keep_best(self._made_from(), **self._where(), step=self.step, validation=validation)
