"""The training loop: sample, forward, backward, log, save."""

import csv
import json
import math
import os
import signal
import time
from dataclasses import asdict
from pathlib import Path

import torch
from wm_bundle.files import replacing, write_text

from wm_training.config import WorldModelTrainConfig
from wm_training.dataset import SequenceDataset
from wm_training.heads import TwoHotHead
from wm_training.losses import kl_anneal
from wm_training.progress import TrainingProgress
from wm_training.world_model import Batch, WorldModel

CHECKPOINT_VERSION = 1
LOSSES = ("reconstruction", "kl", "reward", "continue", "value", "dynamics", "actor")


class TrainingError(RuntimeError):
    """Training cannot go on, and why."""


class WorldModelTrainer:
    """Trains a WorldModel on episodes. Checkpoints make a stopped run continue exactly where it was."""

    def __init__(self, config: WorldModelTrainConfig):
        """Open the data and build the model. Raises EpisodeError for unusable data."""
        self.config = config
        self.output = Path(config.output_dir).expanduser()
        if self.output.exists() and not self.output.is_dir():
            raise TrainingError(f"output_dir {self.output} is a file, expected a folder")
        self.train_data = SequenceDataset(config.data_path, config, "train")
        self.val_data = SequenceDataset(config.data_path, config, "val")
        self.device = choose_device(config.device)
        torch.set_num_threads(config.threads or os.cpu_count() or 1)
        torch.manual_seed(config.seed)
        self.world_model = WorldModel(config, self.train_data.channels, self.train_data.vector_size).to(self.device)
        mean, std = self.train_data.vector_statistics()
        self.world_model.vector_mean.copy_(torch.from_numpy(mean))
        self.world_model.vector_std.copy_(torch.from_numpy(std))
        trainable = [p for p in self.world_model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trainable, lr=config.learning_rate, weight_decay=config.weight_decay, eps=1e-6, fused=True
        )
        self.trainable = trainable
        self.step = 0
        self.best_validation = math.inf
        self._stop_requested = False

    @property
    def reward_predictor(self) -> TwoHotHead:
        """The reward head."""
        return self.world_model.reward

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return self.train_data.batches()

    def train(self) -> Path:
        """Train to ``num_epochs``; returns the best checkpoint's path. SIGINT and SIGTERM save and stop in order."""
        self.output.mkdir(parents=True, exist_ok=True)
        write_text(self.output / "config.json", json.dumps(asdict(self.config), indent=1) + "\n")
        previous = {number: signal.signal(number, self._request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        total = self.steps_per_epoch * self.config.num_epochs
        saved_at = time.monotonic()
        try:
            with TrainingProgress(total, self.step) as progress:
                while self.step < total and not self._stop_requested:
                    epoch, index = divmod(self.step, self.steps_per_epoch)
                    metrics = self._update(self.train_data.batch(epoch, index), total)
                    self.step += 1
                    progress.update(self.step, metrics)
                    if time.monotonic() - saved_at > 60.0 * self.config.checkpoint_minutes:
                        self.save_checkpoint(self.output / "last.pt")
                        saved_at = time.monotonic()
                    if self.step % self.steps_per_epoch == 0:
                        self._finish_epoch(epoch + 1, metrics, progress)
            self.save_checkpoint(self.output / "last.pt")
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self.output / "best_model.pt"

    @property
    def stopped_early(self) -> bool:
        """True after a SIGINT or SIGTERM ended train() before its last epoch."""
        return self._stop_requested

    def validate(self, batches: int = 4) -> dict[str, float]:
        """Mean losses and metrics over fixed windows of the validation split; empty without one."""
        if not self.val_data.files:
            return {}
        self.world_model.eval()
        sums: dict[str, float] = {}
        with torch.no_grad():
            for index in range(batches):
                results = self._losses(self.val_data.batch(0, index), noise_step=index)
                for name, value in results.items():
                    sums[name] = sums.get(name, 0.0) + float(value) / batches
        self.world_model.train()
        sums["total"] = sum(self._weight(name) * sums[name] for name in LOSSES)
        return sums

    def save_checkpoint(self, path: Path) -> None:
        """Write model, optimiser and position, beside ``path`` first and then renamed."""
        payload = {
            "version": CHECKPOINT_VERSION,
            "config": asdict(self.config),
            "step": self.step,
            "best_validation": self.best_validation,
            "model": self.world_model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "channels": self.train_data.channels,
            "vector_size": self.train_data.vector_size,
            "meta": json.dumps(self.train_data.meta),
        }
        with replacing(path) as partial:
            torch.save(payload, partial)

    def load_checkpoint(self, path: str | os.PathLike) -> None:
        """Continue from a checkpoint. Raises TrainingError when it is missing, damaged or of another model."""
        payload = read_checkpoint(path, self.device)
        try:
            self.world_model.load_state_dict(payload["model"])
            self.optimizer.load_state_dict(payload["optimizer"])
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()
            raise TrainingError(
                f"checkpoint {path} is of another model than this configuration: {' '.join(reason[:2])}"
            ) from None
        self.step = payload["step"]
        self.best_validation = payload["best_validation"]

    def _update(self, batch: Batch, total: int) -> dict[str, torch.Tensor]:
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(total)
        results = self._losses(batch, noise_step=self.step)
        loss = sum(self._weight(name) * results[name] for name in LOSSES)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trainable, self.config.max_grad_norm)
        if not torch.isfinite(norm):
            raise TrainingError(
                f"the gradient is not finite at update {self.step}; last.pt holds the state before. "
                f"Lower learning_rate or raise warmup_steps"
            )
        self.optimizer.step()
        self.world_model.update_target()
        return {name: value.detach() for name, value in results.items()} | {"metric/gradient_norm": norm.detach()}

    def _losses(self, batch: Batch, noise_step: int) -> dict[str, torch.Tensor]:
        batch = batch.to(self.device)
        # Noise is a pure function of (seed, step), so a resumed run needs no generator state.
        generator = torch.Generator(device=self.device).manual_seed(self.config.seed * 1_000_003 + noise_step)
        steps = batch.image.shape[1] + 1
        noise = torch.randn(
            batch.image.shape[0], steps, self.config.stochastic_size, generator=generator, device=self.device
        )
        reduced = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=reduced):
            return self.world_model(batch, noise)

    def _weight(self, name: str) -> float:
        weight = getattr(self.config, f"{name}_weight")
        if name == "kl" and self.world_model.training:
            weight *= kl_anneal(self.step, self.config.kl_anneal_steps)
        return weight

    def _learning_rate(self, total: int) -> float:
        config = self.config
        warm = min(1.0, (self.step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, self.step / total)))
        return config.learning_rate * warm * (config.final_learning_rate + (1.0 - config.final_learning_rate) * cosine)

    def _finish_epoch(self, epoch: int, metrics: dict[str, torch.Tensor], progress: TrainingProgress) -> None:
        validation = self.validate()
        row = {
            "epoch": epoch,
            "step": self.step,
            **{f"train/{k}": float(v) for k, v in metrics.items()},
            **{f"val/{k}": v for k, v in validation.items()},
        }
        append_csv(self.output / "metrics.csv", row)
        progress.epoch(epoch, validation)
        score = validation.get("total", float(sum(float(metrics[name]) for name in LOSSES)))
        if score < self.best_validation:
            self.best_validation = score
            self.save_checkpoint(self.output / "best_model.pt")
        self.save_checkpoint(self.output / f"checkpoint_epoch_{epoch}.pt")
        for old in range(1, epoch - self.config.keep_checkpoints + 1):
            (self.output / f"checkpoint_epoch_{old}.pt").unlink(missing_ok=True)

    def _request_stop(self, number, frame) -> None:
        self._stop_requested = True


def choose_device(name: str) -> torch.device:
    """The device to train on; auto takes a GPU where there is one. Raises TrainingError for one that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainingError(f"device is {name!r}, expected auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise TrainingError(f"device is {name!r}, but torch {torch.__version__} finds no GPU; use auto or cpu")
    return device


def read_checkpoint(path: str | os.PathLike, device: torch.device | str = "cpu") -> dict:
    """Load a checkpoint's dictionary without running any code from it. Raises TrainingError if it cannot be used."""
    try:
        payload = torch.load(Path(path).expanduser(), map_location=device, weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"no checkpoint at {path}") from None
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise TrainingError(
            f"checkpoint {path} is damaged or not a checkpoint of this project ({type(error).__name__})"
        ) from None
    if not isinstance(payload, dict) or payload.get("version") != CHECKPOINT_VERSION:
        raise TrainingError(f"checkpoint {path} is not of version {CHECKPOINT_VERSION} of this project")
    return payload


def load_world_model(path: str | os.PathLike, device: str = "cpu") -> tuple[WorldModel, dict]:
    """Build the model of a checkpoint, in evaluation mode; returns it and the checkpoint's dictionary."""
    payload = read_checkpoint(path, device)
    model = WorldModel(WorldModelTrainConfig(**payload["config"]), payload["channels"], payload["vector_size"])
    model.load_state_dict(payload["model"])
    return model.to(device).eval(), payload


def append_csv(path: Path, row: dict) -> None:
    """Append a row; the first one writes the header. Rows of a run all have the same columns."""
    fresh = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(row))
        if fresh:
            writer.writeheader()
        writer.writerow({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()})
