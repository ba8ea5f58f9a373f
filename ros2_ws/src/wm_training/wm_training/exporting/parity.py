"""Parity of the exported model with the trained one, and its quality, measured on validation frames."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from wm_bundle.parity import (
    CANDIDATES,
    PLAN_EVERY,
    discounted_returns,
    relative_difference,
    scattered_plans,
    weighted_action,
)
from wm_evaluation.imagined_frames import Observation

from wm_training.data.dataset import SequenceDataset
from wm_training.exporting.file_model import open_file
from wm_training.exporting.graphs import ActorGraph, ImagineGraph, ObserveGraph, imagined_outputs
from wm_training.model.batch import Batch
from wm_training.model.heads import search_to_command
from wm_training.model.world_model import WorldModel
from wm_training.training.validation import episode_batches


def validation_windows(data: SequenceDataset, frames: int) -> list[Batch]:
    """Windows (1, T, …) spread over the validation episodes, about ``frames`` rows or all."""
    batches = (batch for _, batch in episode_batches(data, frames))
    return [batch.part(slice(i, i + 1)) for batch in batches for i in range(len(batch.reward))]


def recorded_frames(data: SequenceDataset, frames: int) -> list[Observation]:
    """About ``frames`` validation frames one by one, as if all cameras were present."""
    found = []
    for batch in validation_windows(data, frames):
        rows = (batch.image, batch.vector, batch.previous_action, batch.is_first)
        for image, vector, action, first in zip(*(part[0].numpy() for part in rows), strict=True):
            found.append(Observation(image, vector, action, None, bool(first)))
    return found


def compare(
    model: WorldModel, files: dict[str, Path], data: SequenceDataset, frames: int, seed: int = 0
) -> dict[str, float]:
    """Differences of the files from torch's float32, each filtering separately, over about ``frames`` frames.

    ``belief``: the largest difference anywhere. The others: of plans made in every fifth frame, see ``_Plans``.
    """
    observe = open_file(files["observe.onnx"])
    observe_torch = ObserveGraph(model).eval()
    plans, config, belief_difference = _Plans(model, files["imagine.onnx"], seed), model.config, 0.0
    for batch in validation_windows(data, frames):
        expected, found = torch.zeros(1, config.belief_size), np.zeros((1, config.belief_size), np.float32)
        for t in range(batch.image.shape[1]):
            row = {
                "image": batch.image[:, t],
                "vector": batch.vector[:, t],
                "previous_action": batch.previous_action[:, t],
                "is_first": batch.is_first[:, t],
            }
            if model.cameras > 1:
                row["camera_mask"] = batch.camera_mask[:, t]
            with torch.no_grad():
                expected, _ = observe_torch(belief=expected, **row)
            found = observe.run(["next_belief"], {"belief": found, **{name: x.numpy() for name, x in row.items()}})[0]
            difference = relative_difference(expected.numpy(), found).max()
            belief_difference = np.maximum(belief_difference, difference)  # keeps NaN
            if t % PLAN_EVERY == 0:
                plans.compare(expected, found)
    return {"belief": float(belief_difference), **plans.differences()}


class _Plans:
    """Plans from the same frames and candidates by torch and by onnxruntime, and their differences.

    The candidates scatter around the actor's plan; the command chosen is their mean, weighted by their returns (see
    wm_bundle.parity).
    """

    def __init__(self, model: WorldModel, imagine: Path, seed: int):
        self._model = model
        self._imagine, self._imagine_torch = open_file(imagine), ImagineGraph(model).eval()
        self._actor = ActorGraph(model).eval()
        self._random = np.random.default_rng(seed)
        self._noted: dict[str, list] = defaultdict(list)

    def compare(self, expected_belief: torch.Tensor, found_belief: np.ndarray) -> None:
        """Plan once, from the belief (1, F) of each of the two."""
        config = self._model.config
        with torch.no_grad():
            commands = self._actor(expected_belief)[0][0].numpy()
        plans = scattered_plans(np.stack([commands[:, 0], commands[:, 1] - commands[:, 2]], axis=1), self._random)
        actions = search_to_command(torch.from_numpy(plans))
        noise = torch.zeros(CANDIDATES, config.imagination_horizon, config.stochastic_size)
        with torch.no_grad():
            names = imagined_outputs(self._model)
            said = dict(zip(names, self._imagine_torch(expected_belief, actions, noise), strict=True))
        feeds = {"belief": found_belief, "actions": actions.numpy(), "noise": noise.numpy()}
        scores = ("reward", "continue", "value")
        expected, found = [said[name].numpy() for name in scores], self._imagine.run(scores, feeds)
        for name, std in (("vector", "vector_std"), ("reward_terms", "terms_std")):
            if name in said:
                off = said[name].numpy() - self._imagine.run([name], feeds)[0]
                self._noted[name].append(np.abs(off) / getattr(self._model, std).numpy())
        self._noted["reward"].append(relative_difference(expected[0], found[0]))
        self._noted["value"].append(relative_difference(expected[2], found[2]))
        returns = [discounted_returns(*outputs, config.discount) for outputs in (expected, found)]
        chosen = [weighted_action(plans[:, 0], scores) for scores in returns]
        self._noted["return"].append(np.abs(returns[0] - returns[1]))
        self._noted["size"].append(np.abs(returns[0]))
        self._noted["action"].append(np.abs(chosen[0] - chosen[1]).max())
        self._noted["same_best"].append(returns[0].argmax() == returns[1].argmax())

    def differences(self) -> dict[str, float]:
        """Results over all plans; NaN where anything was not finite.

        ``reward``, ``value``: the 99.9th percentile, relative above 1; the few beyond are sums of large bins that
        cancel; ``vector`` and ``reward_terms``, if imagined: the same in standard deviations. ``return``: the 99th
        percentile over the mean size of a return (at least 1). ``action``, the larger of steer and longitudinal: the
        99th percentile. ``same_best``: the share of plans with the same best candidate.
        """
        noted = self._noted
        return {
            "reward": float(np.percentile(noted["reward"], 99.9)),
            "value": float(np.percentile(noted["value"], 99.9)),
            "return": float(np.percentile(noted["return"], 99) / max(1.0, np.mean(noted["size"]))),
            "action": float(np.percentile(noted["action"], 99)),
            "same_best": float(np.mean(noted["same_best"])),
            **{name: float(np.percentile(noted[name], 99.9)) for name in ("vector", "reward_terms") if name in noted},
        }


def score(model: WorldModel, data: SequenceDataset, frames: int) -> tuple[dict[str, float], float]:
    """One-step errors on validation frames, and the surprise's 99.9th percentile [nats].

    pixel_mse of the reconstruction in [0, 1]², reward_mae in reward units, actor_mae in (steer, longitudinal).
    """
    observe = ObserveGraph(model).eval()
    pixel, reward, actor, surprises = [], [], [], []
    for batch in validation_windows(data, frames):
        belief = torch.zeros(1, model.config.belief_size)
        beliefs = []
        with torch.no_grad():
            for t in range(batch.image.shape[1]):
                belief, surprise = observe(
                    batch.image[:, t],
                    batch.vector[:, t],
                    batch.previous_action[:, t],
                    belief,
                    batch.is_first[:, t],
                    batch.camera_mask[:, t],
                )
                beliefs.append(belief)
                if t > 0:  # the first frame of a belief is always a surprise
                    surprises.append(float(surprise))
            stacked = torch.cat(beliefs)
            pixel.append(float((model.decode(stacked) - batch.image[0].float() / 255.0).square().mean()))
            reward.append(float((model.reward.mean(model.reward(stacked[1:])) - batch.reward[0, :-1]).abs().mean()))
            known = batch.expert_weight[0] > 0
            if known.any():
                actor.append(float((model.actor(stacked).mode - batch.expert[0])[known].abs().mean()))
    scores = {"pixel_mse": float(np.mean(pixel)), "reward_mae": float(np.mean(reward))}
    if actor:
        scores["actor_mae"] = float(np.mean(actor))
    return scores, float(np.percentile(surprises, 99.9))
