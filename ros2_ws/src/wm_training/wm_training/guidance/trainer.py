"""The loop of guided fine-tuning: imagine, regress, evaluate held-out returns, save; stopped runs can be resumed."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from wm_data.episodes import EpisodeError

from wm_training import processes
from wm_training.api import load_world_model
from wm_training.cloning.onnx_file import weights_hash
from wm_training.cloning.policy import measures as clone_measures
from wm_training.cloning.policy_trainer import PolicyTrainer
from wm_training.data.dataset import SequenceDataset, stack, window
from wm_training.data.summary import data_summary
from wm_training.guidance import finetuning
from wm_training.guidance.finetune_options import FinetuneOptions
from wm_training.guidance.policy_state import open_data, read_state
from wm_training.guidance.returns import check_actor
from wm_training.imagination.recorded import open_split
from wm_training.model.batch import Batch
from wm_training.model.noise import draw_noise
from wm_training.monitoring.progress import TrainingProgress
from wm_training.monitoring.tables import Table
from wm_training.training import distributed
from wm_training.training.learner import Learner
from wm_training.training.loader import Sample
from wm_training.training.validation import chosen_windows


class FinetuneTrainer(PolicyTrainer):
    """Improves a clone on imagined returns; ``last.pt``, ``best_model.pt``, ``metrics.csv`` are in options.folder."""

    kind = "guided fine-tuning"
    made_from_key = "made_from"
    advice = "a lower --learning-rate or a higher --temperature"
    progress_of = ("step", "best", "stale", "before", "trained_s")
    measured = ("step", "validation", "before")

    def __init__(self, options: FinetuneOptions):
        """Open policy, world model and data. Raises EpisodeError, ConfigurationError, TrainingError."""
        self.options = options
        self.device = distributed.choose_device(options.device)
        torch.set_num_threads(options.threads or processes.processor_threads())
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
        open_split(options.data_path, self.world.model, "train")  # raises where the data does not match the model
        self.made_of = data_summary(options.data_path)
        self.states = self._open_states("train")
        self.held_out = self._held_out()
        if not self.world.tells_vector:
            self.world.fit_vector(options.data_path)
        self.learner = self._make_learner()
        self.step, self.best, self.stale = 0, -float("inf"), 0
        self.before: dict[str, float] = {}
        """The policy's measures before the first update."""

    @property
    def finished(self) -> bool:
        """Whether the last update is done, or the held-out return has stopped improving."""
        return super().finished or self.stale >= self.options.patience

    @property
    def total_steps(self) -> int:
        """Maximum number of updates."""
        return self.options.num_updates

    def update(self) -> dict[str, Tensor]:
        """Update number ``step``; returns its losses and metrics."""
        options = self.options
        batch = self.data.labelled(self.states.batch(*divmod(self.step, self.states.batches()))).to(self.device)
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        noise = torch.randn(options.batch_size, options.proposals, 2, generator=generator).to(self.device)
        rows = finetuning.compared(self.world, self.policy, batch, options, noise)
        unused = draw_noise(self.data.config, options.batch_size, 1, self.world.model.cameras, 0, 0, self.device)
        found = self.learner.update(Sample(self.step, rows, unused))
        if options.labelled_share == 0.0:
            del found["behaviour_cloning"]  # there are no labels
        return found

    def validate(self) -> dict[str, float]:
        """Held-out measures: those of ``finetuning.measures``, and where there are labels a clone's."""
        found = finetuning.measures(self.world, self.policy, self._held_out_batches(), self.options)
        if self.options.labelled_share > 0.0 and self.data.validates:
            batch = self.data.labelled(Batch(*(tensor[:, -1:] for tensor in self.held_out))).to(self.device)
            with torch.no_grad():
                found |= clone_measures({name: float(value) for name, value in self.policy(batch).items()})
        return found

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

    def _updates(self) -> Iterator[Mapping[str, Tensor]]:
        while not (self.finished or self._stop_requested):
            yield self.update()

    def _begin(self, table: Table, progress: TrainingProgress) -> None:
        if not self.before:
            self._look(table, progress, {})

    def _look_is_due(self) -> bool:
        return self.step % self.options.validate_every == 0 or self.step == self.options.num_updates

    def _noted(self, found: Mapping[str, float]) -> dict[str, float]:
        names = ("actor", "behaviour_cloning", "metric/advantage_std", "metric/mean_weight", "metric/policy_std")
        return {name.removeprefix("metric/"): found[name] for name in names if name in found}

    def _judge(self, validation: Mapping[str, float]) -> None:
        self.before = self.before or validation
        if validation[finetuning.SCORE] > self.best:
            self.best, self.stale = validation[finetuning.SCORE], 0
            self._keep_best(self.clone_settings, step=self.step, validation=validation, before=self.before)
        else:
            self.stale += 1

    def _made_from(self) -> dict[str, Any]:
        return super()._made_from() | {"world_model": self.world.sha256, "policy": self.began_with}
