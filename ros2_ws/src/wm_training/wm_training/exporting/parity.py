"""Does the exported model say what the trained one says, and how good is it? Measured on validation frames."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from wm_training.data.dataset import SequenceDataset
from wm_training.exporting.graphs import ImagineGraph, ObserveGraph
from wm_training.model.world_model import Batch, WorldModel
from wm_training.training.validation import episode_batches

_CANDIDATES = 8


def validation_windows(data: SequenceDataset, frames: int) -> list[Batch]:
    """Windows (1, T, …) spread over the validation episodes, about ``frames`` rows or all there are."""
    batches = (batch for _, batch in episode_batches(data, frames))
    return [batch.part(slice(i, i + 1)) for batch in batches for i in range(len(batch.reward))]


def difference(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest absolute difference, relative where the expected number is above 1; NaN if anything is not finite."""
    if not (np.isfinite(expected).all() and np.isfinite(found).all()):
        return float("nan")
    return float((np.abs(expected - found) / np.maximum(1.0, np.abs(expected))).max())


def _session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # single frames: more threads only wait for each other
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def compare(
    model: WorldModel, files: dict[str, Path], data: SequenceDataset, frames: int, seed: int = 0
) -> dict[str, float]:
    """Largest difference between torch and onnxruntime in belief, reward and value, each filtering by itself."""
    observe, imagine = (_session(files[name]) for name in ("observe.onnx", "imagine.onnx"))
    observe_torch, imagine_torch = ObserveGraph(model).eval(), ImagineGraph(model).eval()
    random = np.random.default_rng(seed)
    worst = {"belief": 0.0, "reward": 0.0, "value": 0.0}
    horizon, config = model.config.imagination_horizon, model.config

    def note(name: str, expected: torch.Tensor, found: np.ndarray) -> None:
        worst[name] = float(np.maximum(worst[name], difference(expected.numpy(), found)))  # keeps a NaN

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
            note("belief", expected, found)
        actions = random.uniform(-1, 1, (_CANDIDATES, horizon, 3)).astype(np.float32)
        noise = random.normal(size=(_CANDIDATES, horizon, config.stochastic_size)).astype(np.float32)
        with torch.no_grad():
            reward, _, value, *_ = imagine_torch(expected, torch.from_numpy(actions), torch.from_numpy(noise))
        outputs = imagine.run(["reward", "value"], {"belief": found, "actions": actions, "noise": noise})
        note("reward", reward, outputs[0])
        note("value", value, outputs[1])
    return worst


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
