"""The training loop of a clone: sample, update, validate, save. A run that was stopped continues where it was."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from wm_bundle.stop_signals import asked_to_stop

from wm_training import processes
from wm_training.cloning.data import CloneData
from wm_training.cloning.options import CloneOptions
from wm_training.cloning.policy import ClonePolicy, measures
from wm_training.cloning.policy_trainer import PolicyTrainer, shown
from wm_training.data.summary import data_summary
from wm_training.model.noise import draw_noise
from wm_training.monitoring.monitor import read
from wm_training.monitoring.progress import TrainingProgress
from wm_training.monitoring.tables import Table
from wm_training.training import distributed, precision
from wm_training.training.learner import Learner
from wm_training.training.loader import Prefetch, Sample
from wm_training.training.validation import validate

LEAST_UPDATES = 20
"""Updates in an epoch at least, so that a few episodes are learned as long as it takes."""
CHECK_EVERY = 10
"""Updates between two looks at the device and the clock."""


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

    @property
    def stopped_early(self) -> bool:
        """True after a SIGINT or SIGTERM ended train() before its last update."""
        return self._stop_requested and self.step < self.total_steps

    def train(self) -> None:
        """Train to the last epoch. SIGINT and SIGTERM save and stop in order.

        Raises TrainingError when a loss or a gradient is not finite, OSError when the folder cannot be written.
        """
        self._start_clock()
        self.options.folder.mkdir(parents=True, exist_ok=True)
        table = Table(self.options.folder / "metrics.csv", self.step)
        progress = TrainingProgress(self.total_steps, self.step, self.options.batch_size)
        steps = range(self.step, self.total_steps)
        self._stop_requested = False
        samples_ahead = Prefetch(self.sample, steps, self.config.prefetch_batches, self.device)
        with asked_to_stop(self._request_stop), samples_ahead as samples:
            progress.start()
            try:
                for sample in samples:
                    found = self.learner.update(sample)
                    self.step += 1
                    progress.advance(self.step)
                    if progress.is_due():
                        progress.show(read(found))
                    if self.step % self.steps_per_epoch == 0:
                        self._finish_epoch(table, progress, read(found))
                    if self._stop_or_save():
                        break
            finally:
                progress.stop()

    def sample(self, step: int) -> Sample:
        """The batch of update ``step`` on the CPU. The noise is what the learner expects; a policy needs none."""
        batch = self.data.batch(*divmod(step, self.steps_per_epoch))
        size, length, cameras = batch.camera_mask.shape
        noise = draw_noise(self.config, size, length, cameras, self.options.seed, step, self.device)
        return Sample(step, batch.channels_last() if self._channels_last else batch, noise)

    def validate(self) -> dict[str, float]:
        """``measures`` on the validation episodes, each of which counts the same; empty where none has labels."""
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

    def _finish_epoch(self, table: Table, progress: TrainingProgress, found: Mapping[str, float]) -> None:
        self._check_finite()
        epoch, validation = self.step // self.steps_per_epoch, self.validate()
        self._read_clock()
        named = {f"validation/{name}": value for name, value in validation.items()}
        loss = {"train/loss": found["behaviour_cloning"]}
        table.append({"epoch": epoch, "step": self.step, "seconds": round(self.trained_s, 1), **loss, **named})
        progress.say(f"epoch {epoch}: {shown(validation) or 'no validation episodes'}")
        # Without validation episodes the newest policy counts as the best.
        score = validation.get("loss", -math.inf)
        if score <= self.best:
            self.best = score
            self._keep_best(self._made_from(), epoch=epoch, step=self.step, validation=validation)
        self._save()
        progress.pause_over()

    def _stop_or_save(self) -> bool:
        if self.step % CHECK_EVERY and not self._stop_requested:
            return False
        self._check_finite()
        if self._save_is_due():
            self._save()
        return self._stop_requested
