"""The loop of guided fine-tuning: imagine, regress, look at held-out returns, save; stopped runs continue."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from wm_data.episodes import EpisodeError

from wm_training.api import load_world_model
from wm_training.cloning.onnx_file import weights_hash
from wm_training.cloning.policy import measures as clone_measures
from wm_training.data.dataset import SequenceDataset, stack, window
from wm_training.data.summary import data_summary
from wm_training.errors import TrainingError
from wm_training.guidance import finetuning
from wm_training.guidance.options import FinetuneOptions
from wm_training.guidance.policy_state import BEST, open_data, read_state, torch_state
from wm_training.guidance.returns import check_actor
from wm_training.imagination.recorded import open_split
from wm_training.model.noise import draw_noise
from wm_training.model.world_model import Batch
from wm_training.monitoring.monitor import read
from wm_training.monitoring.progress import TrainingProgress
from wm_training.monitoring.tables import Table
from wm_training.run_record import check_data
from wm_training.training import checkpoints, distributed
from wm_training.training.learner import Learner
from wm_training.training.loader import Sample
from wm_training.training.process import asked_to_stop
from wm_training.training.validation import chosen_windows

SAVE_EVERY_S = 120.0


class FinetuneTrainer:
    """Improves a clone on imagined returns; ``last.pt``, ``best_model.pt``, ``metrics.csv`` are in options.folder."""

    def __init__(self, options: FinetuneOptions):
        """Open policy, world model and data. Raises EpisodeError, ConfigurationError, TrainingError."""
        self.options = options
        self.device = distributed.choose_device(options.device)
        torch.set_num_threads(options.threads or distributed.processor_threads())
        state = read_state(options.policy)
        labelled = options.labelled_share > 0.0
        self.data = open_data(
            state, options.data_path, options.output, options.name, labelled, options.validation_share
        )
        self.clone_settings = state.settings
        self.policy = state.build(self.data).to(self.device)
        self.began_with = weights_hash(self.policy)
        self.world = load_world_model(options.checkpoint, self.device)
        if options.continue_with == "actor" or options.behaviour_weight > 0.0:
            check_actor(self.world)
        open_split(options.data_path, self.world.model, "train")  # raises where the data does not fit the model
        self.made_of = data_summary(options.data_path)
        self.states = self._open_states("train")
        self.held_out = self._held_out()
        if self.world.vector_size:
            self.world.fit_vector(options.data_path)
        self.learner = self._make_learner()
        self.step, self.best, self.stale = 0, -float("inf"), 0
        self._before: dict[str, float] = {}  # what the policy measured before the first update
        self.trained_s = 0.0
        """Time of the training so far [s], without what stopped it in between."""
        self._stop_requested = False
        self._began = self._saved_at = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether the last update is done, or the held-out return has stopped improving."""
        return self.step >= self.options.num_updates or self.stale >= self.options.patience

    def train(self) -> None:
        """Train to the end. SIGINT and SIGTERM save and stop in order.

        Raises TrainingError when a loss or a gradient is not finite, OSError when the folder cannot be written.
        """
        self._began, self._saved_at = time.monotonic() - self.trained_s, time.monotonic()
        self.options.folder.mkdir(parents=True, exist_ok=True)
        table = Table(self.options.folder / "metrics.csv", self.step if self._before else -1)
        progress = TrainingProgress(self.options.num_updates, self.step, self.options.batch_size)
        self._stop_requested = False
        with asked_to_stop(self._request_stop):
            progress.start()
            try:
                if not self._before:
                    self._look(table, progress, {})
                while not self.finished and not self._stop_requested:
                    found = self.update()
                    progress.advance(self.step)
                    if progress.is_due():
                        progress.show(read(found))
                    if self.step % self.options.validate_every == 0 or self.step == self.options.num_updates:
                        self._look(table, progress, read(found))
                    elif self._stop_requested or time.monotonic() - self._saved_at > SAVE_EVERY_S:
                        self._save()
            finally:
                progress.stop()

    def update(self) -> dict[str, Tensor]:
        """One update; returns its losses and metrics."""
        options = self.options
        batch = self.data.labelled(self.states.batch(*divmod(self.step, self.states.batches()))).to(self.device)
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        noise = torch.randn(options.batch_size, options.proposals, 2, generator=generator).to(self.device)
        rows = finetuning.compared(self.world, self.policy, batch, options, noise)
        unused = draw_noise(self.data.config, options.batch_size, 1, self.world.model.cameras, 0, 0, self.device)
        found = self.learner.update(Sample(self.step, rows, unused))
        if options.labelled_share == 0.0:
            del found["behaviour_cloning"]  # its labels are those of nobody
        self.step += 1
        return found

    def validate(self) -> dict[str, float]:
        """Held-out measures: those of ``finetuning.measures``, and where there are labels a clone's."""
        found = finetuning.measures(self.world, self.policy, self._held_out_batches(), self.options)
        if self.options.labelled_share > 0.0 and self.data.validates:
            batch = self.data.labelled(Batch(*(tensor[:, -1:] for tensor in self.held_out))).to(self.device)
            with torch.no_grad():
                found |= clone_measures({name: float(value) for name, value in self.policy(batch).items()})
        return found

    def resume(self) -> bool:
        """Continue from last.pt where there is one; returns whether there is.

        Raises TrainingError when it is damaged or of a run with other settings, data, policy or world model.
        """
        path = self.options.folder / "last.pt"
        if not path.is_file():
            return False
        payload = checkpoints.read_checkpoint(path, self.device)
        saved = payload.get("made_from")
        if not isinstance(saved, Mapping):
            raise TrainingError(f"{path} is of no guided fine-tuning: choose another --output")
        wanted = self._made_from()
        differing = [f"{name} {saved.get(name)} → {wanted[name]}" for name in wanted if saved.get(name) != wanted[name]]
        if differing:
            raise TrainingError(
                f"{path} is of a run with other settings: {', '.join(differing)}; take its settings, choose another "
                f"--output, or begin anew with --resume none"
            )
        check_data(payload["data"], self.made_of, f"the run {self.options.folder}", "begin anew with --resume none")
        checkpoints.load_weights(self.policy, payload, path)
        checkpoints.load_optimizer(self.learner.optimizer, payload, path)
        self.step, self.best, self.stale = payload["step"], payload["best"], payload["stale"]
        self._before, self.trained_s = payload["before"], payload["trained_s"]
        return True

    def load_best(self) -> dict[str, Any]:
        """Put the weights of the best look into the policy, on the CPU; returns what was measured of them: ``step`` and
        ``validation``, and as ``before`` the measures of the policy that the run began with. Raises TrainingError."""
        path = self.options.folder / BEST
        payload = checkpoints.read_checkpoint(path)
        self.policy.cpu()
        checkpoints.load_weights(self.policy, payload, path)
        self.policy.eval()
        return {name: payload[name] for name in ("step", "validation", "before")}

    def _make_learner(self) -> Learner:
        options = self.options
        config = self.data.config.with_changes(
            actor_weight=1.0 - options.labelled_share,
            behaviour_cloning_weight=options.labelled_share,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            warmup_steps=options.warmup_steps,
            precision="float32",
            seed=options.seed,
        )
        model = finetuning.RegressedPolicy(self.policy)
        return Learner(config, model, distributed.OneProcess(self.device), options.num_updates)

    def _open_states(self, split: str) -> SequenceDataset:
        options = self.options
        config = self.world.config.with_changes(
            sequence_length=options.context,
            batch_size=options.batch_size,
            seed=options.seed,
            light_augmentation=0.0,
            imagined_path="none",
            validation_share=options.validation_share,
            validation_frames=options.validation_states * options.context,
        )
        return SequenceDataset(options.data_path, config, split)

    def _held_out(self) -> Batch:
        """Windows (M, T) of the validation episodes, spread over them."""
        data = self._open_states("val")
        chosen = chosen_windows(data, data.config.validation_frames)
        length = self.options.context
        windows = [window(data.episodes[number], start, length) for number, all in chosen.items() for start in all]
        if not windows:
            raise EpisodeError(
                f"{self.options.data_path}: no validation episode has {length} rows: lower --context, or record longer "
                f"episodes"
            )
        return stack(windows)

    def _held_out_batches(self) -> Iterator[Batch]:
        for first in range(0, len(self.held_out.reward), self.options.batch_size):
            yield self.held_out.part(slice(first, first + self.options.batch_size)).to(self.device)

    def _look(self, table: Table, progress: TrainingProgress, found: Mapping[str, float]) -> None:
        """Measure, note, keep what is better, save."""
        self._check_finite()
        validation = self.validate()
        self.trained_s = time.monotonic() - self._began
        self._before = self._before or validation
        names = ("actor", "behaviour_cloning", "metric/advantage_std", "metric/mean_weight", "metric/policy_std")
        row = {f"train/{name.removeprefix('metric/')}": found[name] for name in names if name in found}
        row |= {f"validation/{name}": value for name, value in validation.items()}
        table.append({"step": self.step, "seconds": round(self.trained_s, 1)} | row)
        progress.say(f"update {self.step}: {shown(validation)}")
        if validation[finetuning.SCORE] > self.best:
            self.best, self.stale = validation[finetuning.SCORE], 0
            weights = {"model": torch_state(self.policy), "settings": self.clone_settings}
            measured = {"step": self.step, "validation": validation, "before": self._before}
            checkpoints.write_checkpoint(self.options.folder / BEST, weights | measured)
        else:
            self.stale += 1
        self._save()
        progress.pause_over()

    def _save(self) -> None:
        self._check_finite()
        self.trained_s = time.monotonic() - self._began
        payload = {
            "made_from": self._made_from(),
            "data": self.made_of,
            "step": self.step,
            "best": self.best,
            "stale": self.stale,
            "before": self._before,
            "trained_s": self.trained_s,
            "model": self.policy.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(),
        }
        checkpoints.write_checkpoint(self.options.folder / "last.pt", payload)
        self._saved_at = time.monotonic()

    def _made_from(self) -> dict[str, Any]:
        """What a run must agree on to continue another."""
        return self.options.learned_from() | {"world_model": self.world.sha256, "policy": self.began_with}

    def _check_finite(self) -> None:
        first_bad = self.learner.guard.first_bad()
        if first_bad is not None:
            raise TrainingError(
                f"update {first_bad} is not finite: begin anew with a lower --learning-rate or a higher --temperature, "
                f"and --resume none"
            )

    def _request_stop(self) -> None:
        self._stop_requested = True


def shown(validation: Mapping[str, float]) -> str:
    """What was measured, as words for a line."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in validation.items())
