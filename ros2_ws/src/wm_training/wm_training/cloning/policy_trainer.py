"""The loop of every training of a policy: it saves, resumes, and keeps the best weights."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from torch import Tensor
from wm_bundle.processes.stop_signals import asked_to_stop

from wm_training.errors import TrainingError
from wm_training.monitoring.monitor import read
from wm_training.monitoring.progress import TrainingProgress
from wm_training.monitoring.run_record import check_data
from wm_training.monitoring.tables import Table
from wm_training.training import checkpoints

BEST, LAST = "best_model.pt", "last.pt"
SAVE_EVERY_S = 120.0
CHECK_EVERY = 10
"""Updates between two checks of the device and the clock."""


class PolicyTrainer:
    """Needs ``options`` (a PolicyRun), ``made_of`` (the data's summary), ``device``, ``policy``, ``learner``, ``step``,
    ``total_steps`` and ``validate()``."""

    kind = ""
    """Name of the trained thing, for messages."""
    made_from_key = ""
    """Key in last.pt of the settings that must match to resume."""
    advice = ""
    """Advice for a restart after a non-finite number."""
    progress_of = ("step", "best", "trained_s")
    """The attributes of a run's progress, stored in last.pt."""
    measured = ("step", "validation")
    """Stored with the best weights."""

    trained_s = 0.0
    """Time of the training so far [s], without interruptions."""
    _stop_requested = False

    @property
    def finished(self) -> bool:
        """Whether the last update is done."""
        return self.step >= self.total_steps

    def train(self) -> None:
        """Train to the end. SIGINT and SIGTERM save and stop in order.

        Raises TrainingError when a loss or a gradient is not finite, OSError when the folder cannot be written.
        """
        self.options.folder.mkdir(parents=True, exist_ok=True)
        table = Table(self.options.folder / "metrics.csv", self.step if self.trained_s else -1)
        progress = TrainingProgress(self.total_steps, self.step, self.options.batch_size)
        self._began, self._saved_at = time.monotonic() - self.trained_s, time.monotonic()
        self._stop_requested = False
        with asked_to_stop(self._request_stop), closing(self._updates()) as updates:
            progress.start()
            try:
                self._begin(table, progress)
                for found in updates:
                    self.step += 1
                    progress.advance(self.step)
                    if progress.is_due():
                        progress.show(read(found))
                    if self._look_is_due():
                        self._look(table, progress, read(found))
                    elif self._stop_requested or self.step % CHECK_EVERY == 0:
                        self._check_finite()
                        if self._stop_requested or time.monotonic() - self._saved_at > SAVE_EVERY_S:
                            self._save()
                    if self._stop_requested:
                        break
            finally:
                progress.stop()

    def resume(self) -> bool:
        """Continue from last.pt where there is one; returns whether there is.

        Raises TrainingError when it is damaged or from a run with other settings, data, policy or world model.
        """
        path = self.options.folder / LAST
        saved, wanted = self.saved_settings(), self._made_from()
        if not saved:
            return False
        payload = checkpoints.read_checkpoint(path, self.device)
        differing = [
            f"{name} {saved.get(name)} → {wanted[name]}" for name in sorted(wanted) if saved.get(name) != wanted[name]
        ]
        if differing:
            raise TrainingError(
                f"{path} is of a run with other settings: {', '.join(differing)}; take its settings, choose another "
                f"--output, or start from scratch with --resume none"
            )
        check_data(
            payload["data"], self.made_of, f"the run {self.options.folder}", "start from scratch with --resume none"
        )
        checkpoints.load_weights(self.policy, payload, path)
        checkpoints.load_optimizer(self.learner.optimizer, payload, path)
        for name in self.progress_of:
            setattr(self, name, payload[name])
        return True

    def saved_settings(self) -> Mapping[str, Any]:
        """The settings of the run in the folder, empty without one. Raises TrainingError where it is damaged or of
        another kind."""
        path = self.options.folder / LAST
        if not path.is_file():
            return {}
        saved = checkpoints.read_checkpoint(path).get(self.made_from_key)
        if not isinstance(saved, Mapping):
            raise TrainingError(f"{path} is of no {self.kind}: choose another --output")
        return saved

    def load_best(self) -> dict[str, Any]:
        """Load the best weights into the policy, on the CPU; returns their ``measured``. Raises TrainingError."""
        path = self.options.folder / BEST
        payload = checkpoints.read_checkpoint(path)
        self.policy.cpu()
        checkpoints.load_weights(self.policy, payload, path)
        self.policy.eval()
        return {name: payload[name] for name in self.measured}

    def _made_from(self) -> dict[str, Any]:
        """The settings that must match to resume."""
        return self.options.decisive()

    def _updates(self) -> Iterator[Mapping[str, Tensor]]:
        """Do the remaining updates; yields the results of each."""
        raise NotImplementedError

    def _begin(self, table: Table, progress: TrainingProgress) -> None:
        """Before the first update."""

    def _look_is_due(self) -> bool:
        raise NotImplementedError

    def _look(self, table: Table, progress: TrainingProgress, found: Mapping[str, float]) -> None:
        """Validate, record, keep better weights, save. ``found``: the last update's losses and metrics."""
        self._check_finite()
        validation = self.validate()
        self._read_clock()
        where = self._where()
        trained = {f"train/{name}": value for name, value in self._noted(found).items()}
        validated = {f"validation/{name}": value for name, value in validation.items()}
        place = {**where, "step": self.step, "seconds": round(self.trained_s, 1)}
        table.append(place | trained | validated)
        name, number = next(iter(where.items()), ("update", self.step))
        progress.say(f"{name} {number}: {shown(validation) or 'no validation episodes'}")
        self._judge(validation)
        self._save()
        progress.pause_over()

    def _where(self) -> dict[str, int]:
        """Counters besides updates."""
        return {}

    def _noted(self, found: Mapping[str, float]) -> dict[str, float]:
        """The table's values for an update."""
        raise NotImplementedError

    def _judge(self, validation: Mapping[str, float]) -> None:
        """Keep the weights if they are the best so far."""
        raise NotImplementedError

    def _read_clock(self) -> None:
        self.trained_s = time.monotonic() - self._began

    def _keep_best(self, settings: Mapping[str, Any], **measured: Any) -> None:
        """Write the weights as the best ones, with the ``settings`` of their clone."""
        weights = {"model": self.policy.state_dict(), "settings": dict(settings)}
        checkpoints.write_checkpoint(self.options.folder / BEST, weights | measured)

    def _save(self) -> None:
        self._check_finite()
        self._read_clock()
        payload = {
            self.made_from_key: self._made_from(),
            "data": self.made_of,
            "model": self.policy.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(),
        }
        progress = {name: getattr(self, name) for name in self.progress_of}
        checkpoints.write_checkpoint(self.options.folder / LAST, payload | progress)
        self._saved_at = time.monotonic()

    def _check_finite(self) -> None:
        first_bad = self.learner.guard.first_bad()
        if first_bad is not None:
            raise TrainingError(f"update {first_bad} is not finite: start again with {self.advice}, and --resume none")

    def _request_stop(self) -> None:
        self._stop_requested = True


def shown(validation: Mapping[str, float]) -> str:
    """The measurements as text."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in validation.items())
