"""The training loop: sample, forward, backward, log, save."""

import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from wm_bundle.files import write_text
from wm_bundle.processes.stop_signals import asked_to_stop

from wm_training import processes
from wm_training.configuration import layers
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset
from wm_training.errors import TrainingError
from wm_training.model.heads import ScalarHead
from wm_training.model.noise import draw_noise
from wm_training.model.objective import WorldModelObjective
from wm_training.model.open_loop import comparison_frames, open_loop
from wm_training.model.world_model import WorldModel
from wm_training.monitoring.monitor import Monitor
from wm_training.training import checkpoints, distributed, precision
from wm_training.training.guard import write_bad_batch
from wm_training.training.learner import Learner
from wm_training.training.loader import Prefetch, Sample
from wm_training.training.validation import episode_batches, validate

CHECK_EVERY = 10
"""Updates between two checks of the device, the clock and the other processes."""
VIDEO_CONTEXT = 5
"""Observed rows of the open-loop video."""


class WorldModelTrainer:
    """Trains a WorldModel on episodes. Checkpoints make a stopped run continue exactly where it was."""

    def __init__(self, config: WorldModelTrainConfig, saved_precision: str | None = None):
        """Open the data and build the model. With precision auto, ``saved_precision`` (of a resumed run) is kept, else
        the faster one on this machine is used, see ``arithmetic``; ``config`` then has it.

        Raises EpisodeError for unusable data, TrainingError for settings.
        """
        self.config = config
        self.output = Path(config.output_dir).expanduser()
        if self.output.exists() and not self.output.is_dir():
            raise TrainingError(f"output_dir {self.output} is a file, expected a folder")
        self.train_data = SequenceDataset(config.data_path, config, "train")
        self.val_data = SequenceDataset(config.data_path, config, "val", like=self.train_data.traits)
        self.device = distributed.choose_device(config.device)
        self.ranks = distributed.connect(self.device)
        self._rows = self.ranks.rows(config.batch_size, config.gradient_accumulation)
        torch.set_num_threads(config.threads or processes.processor_threads())
        self.arithmetic = precision.choose(config, self.device, saved_precision, self.ranks.any)
        self.config = config.with_changes(precision=self.arithmetic.used)
        self.world_model = self._build_model()
        objective = WorldModelObjective(self.world_model)
        self.learner = Learner(self.config, objective, self.ranks, self.total_steps, objective.follow)
        self.trainable = self.learner.trainable
        self.step = 0
        self.best_validation = math.inf
        self._stop_requested = False

    @property
    def reward_predictor(self) -> ScalarHead:
        """The reward head."""
        return self.world_model.reward

    @property
    def asked(self) -> WorldModelTrainConfig:
        """The configuration as given, with precision auto if not set: other machines may choose differently."""
        return self.config.with_changes(precision=self.arithmetic.asked)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return self.train_data.batches()

    @property
    def total_steps(self) -> int:
        """Updates in the whole run."""
        return self.steps_per_epoch * self.config.num_epochs

    @property
    def stopped_early(self) -> bool:
        """True after a SIGINT or SIGTERM ended train() before its last update."""
        return self._stop_requested and self.step < self.total_steps

    def train(self) -> Path:
        """Train to ``num_epochs``; returns the best checkpoint's path. SIGINT and SIGTERM save and stop in order.

        Raises TrainingError when a loss or gradient is not finite; last.pt then holds the state before that update.
        """
        config, clock = self.config, Clock()
        steps = self.ranks.gather(torch.tensor([self.step], device=self.device)).tolist()
        if len(set(steps)) > 1:
            raise TrainingError(f"the processes begin at updates {steps}: is output_dir one folder for all of them?")
        if self.ranks.main:
            self.output.mkdir(parents=True, exist_ok=True)
            write_text(self.output / "config.yaml", layers.dump(self.asked))
        frames = config.batch_size * config.sequence_length
        monitor = Monitor(self.output, self.asked, self.total_steps, self.step, frames, enabled=self.ranks.main)
        steps = range(self.step, self.total_steps)
        self._stop_requested = False
        samples_ahead = Prefetch(self.sample, steps, config.prefetch_batches, self.device)
        with asked_to_stop(self._request_stop), monitor, samples_ahead as samples:
            for sample in samples:
                metrics = self.learner.update(sample)
                self.step += 1
                monitor.update(self.step, self._shared(metrics))
                if self.step % self.steps_per_epoch == 0:
                    self._finish_epoch(self.step // self.steps_per_epoch, monitor, clock)
                if self._stop_or_save(clock):
                    break
            self.ranks.barrier()  # when a process leaves, the others are killed: wait until everything is saved
            monitor.finish(clock.shares(samples.waited_s))
        return self.output / "best_model.pt"

    def sample(self, step: int) -> Sample:
        """This process's rows of the batch of update ``step``, on the CPU, and of its noise, on the device."""
        return self._sample(step, self._rows)

    def validate(self) -> dict[str, float]:
        """Losses by name, metrics and ``total``, the weighted sum, on the validation episodes; empty without any."""
        self.world_model.eval()
        means = validate(self.learner.evaluate, self.val_data)
        self.world_model.train()
        return means | {"total": self.learner.total(means)} if means else {}

    def save_checkpoint(self, path: str | os.PathLike) -> None:
        """Write model, optimiser and position, to a temporary file first, then renamed. Raises OSError."""
        payload = {
            **checkpoints.description(self.config, self.world_model, self.train_data.vector_size, self.train_data.meta),
            "step": self.step,
            "best_validation": self.best_validation,
            "model": self.world_model.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(),
        }
        checkpoints.write_checkpoint(path, payload)

    def load_checkpoint(self, path: str | os.PathLike) -> None:
        """Continue from a checkpoint. Raises TrainingError when it is missing, damaged or of another model."""
        payload = checkpoints.read_checkpoint(path, self.device)
        checkpoints.load_weights(self.world_model, payload, path)
        checkpoints.load_optimizer(self.learner.optimizer, payload, path)
        self.learner.restart()
        self.step = payload["step"]
        self.best_validation = payload["best_validation"]

    def _build_model(self) -> WorldModel:
        torch.manual_seed(self.config.seed)
        data, size = self.train_data, self.train_data.vector_size
        gaps = range(size) if self.config.vector_dropout > 0 else data.gaps
        data.refuse_other_numbers(self.val_data, gaps)
        model = WorldModel(self.config, data.channels, size, gaps, data.terms)
        model.trained_on = data.meta
        for name, (mean, std) in {"vector": data.vector_statistics(), "terms": data.term_statistics()}.items():
            if len(mean):
                getattr(model, f"{name}_mean").copy_(torch.from_numpy(mean))
                getattr(model, f"{name}_std").copy_(torch.from_numpy(std))
        if self._channels_last():
            model = model.to(memory_format=torch.channels_last)
        return model.to(self.device)

    def _channels_last(self) -> bool:
        return precision.channels_last(self.config.channels_last, self.device, self.config.precision)

    def _sample(self, step: int, rows: slice) -> Sample:
        config, cameras = self.config, self.train_data.channels // 3
        epoch, index = divmod(step, self.steps_per_epoch)
        shape = config.batch_size, config.sequence_length, cameras
        noise = draw_noise(config, *shape, config.seed, step, self.device, self.train_data.vector_size)
        batch = self.train_data.batch(epoch, index, rows)
        # Done in the loader's thread; encoder and decoder would each do it in the update.
        return Sample(step, batch.channels_last() if self._channels_last() else batch, noise.part(rows))

    def _shared(self, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Means over the processes where they are read, this process's own numbers in between."""
        read = self.step % self.config.log_every == 0 or self.step % self.steps_per_epoch == 0
        return self.ranks.mean(metrics) if read else metrics

    def _stop_or_save(self, clock: "Clock") -> bool:
        """Every CHECK_EVERY updates: check for non-finite numbers, the time to save, and requests to stop."""
        alone = self.ranks.world_size == 1
        if self.step % CHECK_EVERY and not (alone and self._stop_requested):
            return False
        self._check_finite()
        self._stop_requested = self.ranks.any(self._stop_requested)
        if self._stop_requested or time.monotonic() - clock.saved_at > 60.0 * self.config.checkpoint_minutes:
            self._save(clock, "last.pt")
        return self._stop_requested

    def _finish_epoch(self, epoch: int, monitor: Monitor, clock: "Clock") -> None:
        self._check_finite()
        if not self.ranks.main:
            return
        with clock.measure("validation"):
            validation = self.validate()
            monitor.epoch(epoch, self.step, validation)
            if self.config.video_epochs and epoch % self.config.video_epochs == 0 and validation:
                monitor.video("open_loop", self.step, self._video())
        # Without validation episodes the newest model counts as the best.
        score = validation.get("total", -math.inf)
        if score <= self.best_validation:
            self.best_validation = score
            self._save(clock, "best_model.pt")
        self._save(clock, f"checkpoint_epoch_{epoch}.pt")
        checkpoints.prune(self.output, self.config.keep_checkpoints)
        self._save(clock, "last.pt")

    def _video(self) -> np.ndarray:
        """Frames of the first validation window: the recording next to the model's imagination."""
        _, batch = next(episode_batches(self.val_data, self.config.validation_frames))
        context = min(VIDEO_CONTEXT, self.config.sequence_length - 1)
        imagined = open_loop(self.world_model, batch.part(slice(0, 1)), context, 1, self.config.seed, decoded_samples=0)
        return comparison_frames(imagined)

    def _save(self, clock: "Clock", name: str) -> None:
        if self.ranks.main:
            with clock.measure("saving"):
                self.save_checkpoint(self.output / name)
        clock.saved_at = time.monotonic()

    def _check_finite(self) -> None:
        """Raise TrainingError if an update was bad; its batch and the state before it are saved."""
        first_bad = self.learner.guard.first_bad()
        if first_bad is None:
            return
        self.step = first_bad
        epoch, index = divmod(first_bad, self.steps_per_epoch)
        file, last = self.output / f"bad_batch_{first_bad}.npz", self.output / "last.pt"
        found = {"losses": [], "gradients": []}
        if self.ranks.main:
            sample = self._sample(first_bad, slice(0, self.config.batch_size))
            found = self.learner.not_finite(sample.to(self.device))
            place = {"step": first_bad, "seed": self.config.seed, "epoch": epoch, "index": index}
            write_bad_batch(file, sample.batch, {**place, "not_finite": found})
            self.save_checkpoint(last)
        self.ranks.barrier()
        losses, gradients = found["losses"], found["gradients"]
        raise TrainingError(
            f"update {first_bad} (batch {index} of epoch {epoch + 1}) is not finite: losses "
            f"{', '.join(losses) or 'none'}; gradients of {len(gradients)} of {len(self.trainable)} parameters"
            f"{', first ' + gradients[0] if gradients else ''}. Its batch is in {file}, the state before it in {last}, "
            f"from where the same command comes to the same end: continue with a lower learning_rate, or start again "
            f"with more warmup_steps"
        )

    def _request_stop(self) -> None:
        self._stop_requested = True


class Clock:
    """Where the wall time of a run goes."""

    def __init__(self):
        self._started = self.saved_at = time.monotonic()
        self._spent_s: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Count the time of the block for ``name``."""
        started = time.monotonic()
        yield
        self._spent_s[name] += time.monotonic() - started

    def shares(self, waited_s: float) -> dict[str, float]:
        """Shares of the time so far; the rest is computing."""
        spent = {"waiting for data": waited_s, "validation": 0.0, "saving": 0.0, **self._spent_s}
        elapsed = time.monotonic() - self._started
        return {name: value / elapsed for name, value in {**spent, "computing": elapsed - sum(spent.values())}.items()}
