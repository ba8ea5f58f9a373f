"""One update: forward, backward, step. The host waits for nothing in it, so a GPU never idles."""

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.batch import Batch
from wm_training.model.losses import LOSSES, kl_anneal
from wm_training.model.noise import Noise
from wm_training.training.distributed import OneProcess
from wm_training.training.guard import FiniteGuard, usable_gradient
from wm_training.training.loader import Sample
from wm_training.training.recorded import Pace, RecordedUpdate, check_recordable

COMPILED = ("encoder.forward", "decoder.squared_errors", "rssm.gru.gate", "rssm.latent.sample", "rssm.imagine_step")
"""The parts of a world model compiled by config.compile: single steps, because full sequences take an hour to
compile."""


class Learner:
    """A model with losses, its optimiser, and their updates."""

    def __init__(
        self,
        config: WorldModelTrainConfig,
        objective: nn.Module,
        ranks: OneProcess,
        total_steps: int,
        follow: Callable[[Tensor | None], None] | None = None,
    ):
        """``objective``, on its device, returns losses, like WorldModelObjective; ``follow`` is called after updates.

        ``total_steps`` updates shape the learning rate. Raises TrainingError for config.cuda_graph where none can be.
        """
        if config.cuda_graph:
            check_recordable(ranks)
        self.config, self.objective, self.ranks, self.total_steps = config, objective, ranks, total_steps
        self._follow = follow
        self.trainable = [p for p in objective.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trainable, lr=config.learning_rate, weight_decay=config.weight_decay, eps=1e-6, fused=True
        )
        self.guard = FiniteGuard(self.optimizer, ranks.device)
        # Not updated by the optimiser: the target network, and buffers such as the range of returns.
        self._followers = [*(p for p in objective.parameters() if not p.requires_grad), *objective.buffers()]
        self._parts = config.gradient_accumulation
        self._unproven = {False, True} if config.compile else set()  # kinds of updates not compiled yet
        if config.compile:
            for module, method in self._compiled_methods():
                setattr(module, method, torch.compile(getattr(module, method)))
        self._module = ranks.wrap(objective)
        self._recorded: dict[bool, RecordedUpdate] = {}  # by kind of update, at most one

    def restart(self) -> None:
        """Forget what belongs to the weights and moments of before: others were loaded."""
        self.guard.reset()
        self._recorded = {}

    def update(self, sample: Sample) -> dict[str, Tensor]:
        """One update; returns its losses and metrics, still on the device."""
        kl_share = kl_anneal(sample.step, self.config.kl_anneal_steps)
        pace = Pace(sample.step, self.learning_rate(sample.step), kl_share)
        learn_policy = self.learns_policy(sample.step)
        if not self.config.cuda_graph:
            return self._update(sample, pace, learn_policy)
        if learn_policy not in self._recorded:
            update = partial(self._update, learn_policy=learn_policy)
            self._recorded = {learn_policy: RecordedUpdate(update, self.optimizer, self.ranks.device)}
        results = self._recorded[learn_policy](sample, pace)
        self._set_learning_rate(pace)  # a number again: checkpoints are like others
        return results

    def _update(self, sample: Sample, pace: Pace, learn_policy: bool) -> dict[str, Tensor]:
        self._set_learning_rate(pace)
        results = self._gradients(sample, pace.kl_share, learn_policy)
        norm = torch.nn.utils.clip_grad_norm_(self.trainable, self.config.max_grad_norm)
        self.guard.watch(norm, pace.step)
        self.optimizer.step()
        returns = results.pop("imagined/returns", None)
        if self._follow is not None:
            with torch.no_grad(), self.guard.holding(self._followers):
                self._follow(None if returns is None else self.ranks.gather(returns))
        return results | {"gradient_norm": norm, "learning_rate": torch.zeros_like(norm) + pace.learning_rate}

    def evaluate(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        """Losses and metrics of a batch on the CPU or the device, without gradients."""
        device = self.ranks.device
        # Not compiled: every new batch size would be compiled again.
        with torch.no_grad(), self._autocast(), torch.compiler.set_stance("force_eager"):
            return self.objective(batch.to(device), noise.to(device))

    def total(self, results: Mapping[str, Tensor | float], kl_share: float | Tensor = 1.0) -> Tensor | float:
        """The weighted sum of the losses; ``kl_share`` of the KL's weight. Those without weight get no gradient."""
        weights = {name: getattr(self.config, f"{name}_weight") for name in results if name in LOSSES}
        shares = {"kl": kl_share}
        return sum(shares.get(name, 1.0) * weight * results[name] for name, weight in weights.items() if weight > 0.0)

    def learns_policy(self, step: int) -> bool:
        """Whether update ``step`` learns actor and value in imagination."""
        return self.config.policy_learning and step >= self.config.policy_start_step

    def learning_rate(self, step: int) -> float:
        """Rises linearly for ``warmup_steps`` updates and falls along a cosine to the last update."""
        config = self.config
        warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / self.total_steps)))
        return config.learning_rate * warm * (config.final_learning_rate + (1.0 - config.final_learning_rate) * cosine)

    def not_finite(self, sample: Sample) -> dict[str, list[str]]:
        """Names of the losses and of the parameters whose gradients are not finite in an update of ``sample``."""
        rows = len(sample.batch.reward) // (self.ranks.world_size * self._parts)
        losses: set[str] = set()
        self.optimizer.zero_grad(set_to_none=True)
        for batch, noise in _split(sample, rows):
            with self._autocast():
                results = self.objective(batch, noise, self.learns_policy(sample.step))
            self.total(results, kl_anneal(sample.step, self.config.kl_anneal_steps)).backward()
            losses |= {name for name in LOSSES if name in results and not results[name].isfinite()}
        gradients = [
            name.removeprefix("model.")
            for name, p in self.objective.named_parameters()
            if p.grad is not None and not p.grad.isfinite().all()
        ]
        self.optimizer.zero_grad(set_to_none=True)
        return {"losses": sorted(losses), "gradients": gradients}

    def _set_learning_rate(self, pace: Pace) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = pace.learning_rate

    def _gradients(self, sample: Sample, kl_share: float | Tensor, learn_policy: bool) -> dict[str, Tensor]:
        try:
            results = self._backward(sample, kl_share, learn_policy)
        except Exception as error:  # compilers fail in many ways; any other error occurs again without one
            if learn_policy not in self._unproven:
                raise
            self._unproven.clear()
            for module, method in self._compiled_methods():
                delattr(module, method)
            if self.ranks.main:
                reason = " ".join(str(error).split("\n\n")[0].split())
                print(f"torch.compile does not work here, training continues without it: {reason}", file=sys.stderr)
            results = self._backward(sample, kl_share, learn_policy)
        self._unproven.discard(learn_policy)
        return results

    def _backward(self, sample: Sample, kl_share: float | Tensor, learn_policy: bool) -> dict[str, Tensor]:
        """Gradients of the mean over all parts of the batch; returns the means of losses and metrics."""
        self.optimizer.zero_grad(set_to_none=True)
        collected: dict[str, list[Tensor]] = defaultdict(list)
        for part, (batch, noise) in enumerate(_split(sample, len(sample.batch.reward) // self._parts), start=1):
            with self.ranks.reduction(self._module, wanted=part == self._parts):
                with self._autocast():
                    results = self._module(batch, noise, learn_policy)
                loss = self.total(results, kl_share)
                self.ranks.backward(loss, usable_gradient(loss) / self._parts)
            for name, value in results.items():
                collected[name].append(value.detach())
        return {
            name: torch.cat(values) if name == "imagined/returns" else torch.stack(values).mean(0)
            for name, values in collected.items()
        }

    def _compiled_methods(self) -> Iterator[tuple[nn.Module, str]]:
        for path in COMPILED:
            name, _, method = path.rpartition(".")
            yield self.objective.get_submodule(f"model.{name}"), method

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.ranks.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16")


def _split(sample: Sample, rows: int) -> Iterator[tuple[Batch, Noise]]:
    """Parts of ``rows`` sequences."""
    for first in range(0, len(sample.batch.reward), rows):
        part = slice(first, first + rows)
        yield sample.batch.part(part), sample.noise.part(part)
