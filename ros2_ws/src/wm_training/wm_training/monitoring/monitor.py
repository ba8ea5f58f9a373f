"""The Monitor: the trainer reports everything to it; it shows, stores and judges.

Files, all in the run's folder; docs/monitoring.md describes them:

- ``updates.csv``: one row for every logged update, the source of everything else here
- ``metrics.csv``: one row for every epoch
- ``tensorboard/``: the same curves, and videos, for TensorBoard
- ``health.json``: expected ranges and findings, see health.py
- ``report.html``: all of it as a page, at the end
"""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.monitoring import health
from wm_training.monitoring.event_files import EventFiles
from wm_training.monitoring.progress import TrainingProgress
from wm_training.monitoring.run_record import read_record
from wm_training.monitoring.tables import Curve, Table


class Monitor:
    """Progress line, TensorBoard, CSV tables and health of one training run; a context manager.

    A logged value is that of one update, never a mean over updates: a run killed between two logged updates and resumed
    has the same curves as an uninterrupted one, based only on the step."""

    def __init__(
        self,
        output: Path,
        config: WorldModelTrainConfig,
        total_updates: int,
        first_update: int,
        frames_per_update: int,
        enabled: bool = True,
    ):
        """Continue the files of ``output`` after ``first_update`` updates; later contents are dropped.

        With ``enabled`` false (all ranks but the first) nothing is shown or written. Raises OSError.
        """
        self.enabled = enabled
        if not enabled:
            return
        self.output = Path(output)
        self.config = config
        self.output.mkdir(parents=True, exist_ok=True)
        self.updates = Table(self.output / "updates.csv", first_update)
        self.epochs = Table(self.output / "metrics.csv", first_update)
        self.events = EventFiles(self.output / "tensorboard", first_update, config)
        self.progress = TrainingProgress(total_updates, first_update, frames_per_update)
        self._latest: tuple[int, Mapping[str, Tensor]] | None = None
        self._started = self._epoch_began = self._updated = time.monotonic()
        self._epoch_first = first_update
        self._said: set[tuple[str, str]] = set()

    def __enter__(self) -> "Monitor":
        if self.enabled:
            self.progress.start()
            for table in (self.updates, self.epochs):
                if table.damaged_line:
                    self.progress.say(
                        f"{table.path}: line {table.damaged_line} was damaged; it and what follows it is dropped"
                    )
        return self

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        if not self.enabled:
            return
        if error_type is not None and self.updates.columns:
            self._judge()  # the cause of the failure
        self.progress.stop()
        self.events.close()

    def update(self, step: int, metrics: Mapping[str, Tensor]) -> None:
        """After update number ``step`` (from 1): losses by name, ``metric/…``, gradient_norm, learning_rate; detached.

        It waits for the device only every ``log_every`` updates and when the progress line is due.
        """
        if not self.enabled:
            return
        self._latest = step, metrics
        self._updated = time.monotonic()
        self.progress.advance(step)
        logged = step % self.config.log_every == 0
        due = self.progress.is_due()
        if logged or due:
            values = read(metrics)
            if logged:
                self._log(step, values)
            if due:
                self.progress.show(values)

    def epoch(self, epoch: int, step: int, validation: Mapping[str, float]) -> None:
        """After epoch number ``epoch`` (from 1) and its ``validation``: losses by name, ``metric/…`` and "total".

        Without validation episodes it is empty. Call it before saving the checkpoint of this step: a run resumed from
        that checkpoint does not call it again for this epoch."""
        if not self.enabled:
            return
        if self._latest is not None and self.updates.last_step < step:
            # Every epoch has a logged update, however short it is.
            self._log(step, read(self._latest[1]))
        seconds = max(self._updated - self._epoch_began, 1e-6)
        frames = (step - self._epoch_first) * self.progress.frames_per_update
        means = {
            name: float(np.mean(points.values))
            for name, curve in self.updates.curves().items()
            if len((points := curve.between(self.epochs.last_step + 1, step)).values)
        }
        named = {f"validation/{name}": float(value) for name, value in validation.items()}
        timing = {"seconds": round(self._updated - self._started, 1), "frames_per_s": round(frames / seconds, 1)}
        self.epochs.append({"epoch": epoch, "step": step, **timing, **means, **named})
        self.events.scalars(step, {**named, "frames_per_s": timing["frames_per_s"]})
        self.progress.say(f"epoch {epoch}: {_epoch_text(named, means)}, {timing['frames_per_s']:.0f} frames/s")
        self._judge()
        self.progress.pause_over()
        self._epoch_began, self._epoch_first = time.monotonic(), step

    def video(self, name: str, step: int, frames: np.ndarray) -> None:
        """An animated picture for TensorBoard; frames uint8 (T, H, W, 3). Raises ValueError for others."""
        if self.enabled:
            self.events.video(name, step, frames)

    def finish(self, shares: Mapping[str, float]) -> None:
        """At the end: report where the wall time went (``shares``, each from 0 to 1) and all findings of health.py, and
        write the run's page."""
        if not self.enabled:
            return
        # Not earlier: training does not need the chart library.
        from wm_evaluation.report import write_page

        from wm_training.monitoring.report import build_page

        if shares:
            text = ", ".join(f"{name} {100.0 * share:.1f} %" for name, share in shares.items())
            self.progress.say(f"wall time: {text}")
        report = self._judge(say=False)
        self.progress.say(report.text())
        page = build_page(self.output.resolve().name, self._curves(), self.config, report, read_record(self.output))
        write_page(self.output / "report.html", page)

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        named = {f"train/{name}": value for name, value in values.items()}
        self.updates.append({"step": step, **named})
        self.events.scalars(step, named)

    def _curves(self) -> dict[str, Curve]:
        return {**self.epochs.curves(), **self.updates.curves()}

    def _judge(self, say: bool = True) -> health.Report:
        """Write health.json and ``say`` new findings."""
        report = health.examine(self._curves(), self.config)
        health.write_report(self.output / "health.json", report)
        for finding in report.findings:
            if say and (finding.issue, finding.severity) not in self._said:
                self._said.add((finding.issue, finding.severity))
                self.progress.say(finding.text())
        return report


def read(metrics: Mapping[str, Tensor]) -> dict[str, float]:
    """The values of scalar tensors of one device, by one transfer; this waits for the device."""
    if not metrics:
        return {}
    stacked = torch.stack([value.detach().reshape(()).float() for value in metrics.values()])
    return dict(zip(metrics, stacked.tolist(), strict=True))


def _epoch_text(validation: Mapping[str, float], means: Mapping[str, float]) -> str:
    if not validation:
        return f"training {_losses(means, 'train/')} (no validation episodes)"
    return f"validation {_losses(validation, 'validation/')}"


def _losses(values: Mapping[str, float], prefix: str) -> str:
    shown = ("total", "reconstruction", "kl", "reward", "dynamics")
    return " ".join(f"{name} {values[prefix + name]:.4g}" for name in shown if prefix + name in values)
