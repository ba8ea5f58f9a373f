"""Imagined drives of recorded episodes: observe a context, imagine, decode, observe the decoded pictures, and judge.

Time as drawn in docs/architecture.md. The belief after the context is that of row 0 of the imagined episode, whose
picture is the model's own of the last observed row. Step h leads from row h to row h + 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from wm_bundle.actions import ACTION_NAMES
from wm_bundle.times import NS_PER_S
from wm_data.episodes import Episode, EpisodeError
from wm_data.imagined import drive_hash

from wm_training.api.observations import Observations
from wm_training.api.pretrained import PretrainedWorldModel
from wm_training.augmentation.augment_options import AugmentOptions
from wm_training.augmentation.drivers import driver_of
from wm_training.augmentation.filters import Calibration, Verdict, block_means, calibrate, judge
from wm_training.augmentation.plan import Plan, plan_drives
from wm_training.errors import TrainingError
from wm_training.imagination.recorded import spread_windows

CALIBRATION_ROWS = 6000
WINDOWS_AT_ONCE = 16
NUMBERS_AT_ONCE = 2**25
"""Pixel values decoded and observed per batch, so that several large cameras fit into memory."""
# Keys of an episode's meta that also hold for drives imagined from it.
_KEPT_META = ("action_convention", "cameras", "max_steer_deg", "rate_hz", "reward", "target_speed_mps", "vector")


@dataclass(frozen=True)
class Imagined:
    """One imagined drive and its result."""

    start: int
    """Row of the source where the context begins."""
    disturbance: str | None
    verdict: Verdict
    episode: Episode | None
    """None where it was rejected."""


class Imaginer:
    """Imagines drives with one model and one set of options."""

    def __init__(
        self,
        model: PretrainedWorldModel,
        options: AugmentOptions,
        vector_range: tuple[np.ndarray, np.ndarray],
        calibration: Calibration,
    ):
        """``vector_range``: minimum and maximum (V,) of the recorded vector inputs, to which imagined ones are limited.
        The model can already ``predict_vector``."""
        self.model, self.options, self.calibration = model, options, calibration
        self._vector_range = [torch.from_numpy(np.asarray(v, np.float32)).to(model.device) for v in vector_range]

    @torch.inference_mode()
    def drives(self, episode: Episode, name: str, first_row: int = 0) -> list[Imagined]:
        """All drives from ``episode``, which begins in ``first_row`` of the file ``name``; none if it is too short.

        Raises TrainingError where the model imagines numbers that are not finite.
        """
        plan = plan_drives(episode, self.options)
        if plan is None:
            return []
        source = {"source": name, "source_hash": drive_hash(episode)}
        seen = self._contexts(episode, plan)
        state = self.model.encode(seen)
        imagined = self.model.imagine(state, driver_of(plan, self.model), plan.horizon, seed=plan.seed)
        if not imagined["states"].isfinite().all():
            raise _diverged()
        disturbances = [None] * len(state) if plan.disturbances is None else [one.name for one in plan.disturbances]
        size = (self.options.context + plan.horizon) * self.model.model.channels * self.model.config.image_size**2
        part = max(1, NUMBERS_AT_ONCE // size)
        found = []
        for first in range(0, len(state), part):
            drives = slice(first, first + part)
            pictures, vectors, surprise = self._look_again(seen, imagined, drives)
            for k in range(first, min(first + part, len(state))):
                measured = {"surprise": surprise[k - first]} | {
                    key: imagined[key][k].cpu().double().numpy() for key in ("disagreement", "value_disagreement")
                }
                verdict = judge(self.calibration, measured, imagined["continues"][k].cpu().numpy())
                made = None
                if verdict.rows >= self.options.min_rows:
                    told = {**source, "start_row": first_row + int(plan.starts[k]), "disturbance": disturbances[k]}
                    arrays = {key: value[k] for key, value in imagined.items()}
                    made = self._episode(episode, told, verdict, arrays, pictures[k - first], vectors[k - first])
                found.append(Imagined(first_row + int(plan.starts[k]), disturbances[k], verdict, made))
        return found

    def _contexts(self, episode: Episode, plan: Plan) -> Observations:
        """The rows (K, context, …) that the model observes."""
        rows = plan.starts[:, None] + np.arange(self.options.context)
        before = np.where(rows[..., None] > 0, episode.actions[np.maximum(rows - 1, 0)], 0.0)
        return Observations(
            image=episode.observations[rows],
            vector=episode.vector[rows],
            previous_action=before.astype(np.float32),
            camera_mask=None if episode.camera_mask is None else episode.camera_mask[rows],
        )

    def _look_again(
        self, seen: Observations, imagined: dict[str, Tensor], drives: slice
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Decoded pictures (k, H + 1, C, H, W) and vectors (k, H + 1, V) of some drives, and the surprise (k, H) of a
        model that observed the context and then these instead of the real ones."""
        states, actions = imagined["states"][drives], imagined["actions"][drives]
        pictures = self.model.decode(states)
        vectors = self.model.predict_vector(states).clamp(*self._vector_range)
        context = self.options.context

        def extended(part: np.ndarray | None, more: Tensor) -> Tensor:
            return torch.cat([torch.from_numpy(np.array(part[drives])).to(more), more], 1)

        mask = None
        if seen.camera_mask is not None:
            there = torch.ones(*states.shape[:1], actions.shape[1], seen.camera_mask.shape[-1], device=states.device)
            mask = extended(seen.camera_mask, there)
        again = Observations(
            extended(seen.image, pictures[:, 1:]),
            extended(seen.vector, vectors[:, 1:]),
            extended(seen.previous_action, actions),
            mask,
        )
        surprise = self.model.filter(again).surprise[:, context:].cpu().double().numpy()
        return pictures.cpu().numpy(), vectors.cpu().numpy(), surprise

    def _episode(
        self,
        source: Episode,
        told: dict[str, Any],
        verdict: Verdict,
        imagined: dict[str, Tensor],
        pictures: np.ndarray,
        vectors: np.ndarray,
    ) -> Episode:
        rows, options = verdict.rows, self.options
        dones = np.arange(rows) == rows - 1
        actor = self.model.act(imagined["states"][:rows]).cpu().numpy()
        stamps = None
        if source.stamps_ns is not None:
            period_ns = NS_PER_S / float(source.meta.get("rate_hz") or 1.0)
            first = source.stamps_ns[told["start_row"] + options.context - 1]
            stamps = first + np.round(period_ns * np.arange(rows)).astype(np.int64)
        kept = {key: source.meta[key] for key in _KEPT_META if key in source.meta}
        details = {
            **told,
            "context": options.context,
            "policy": options.policy,
            "labels": options.labels,
            "model": {"file": self.model.path.name, "sha256": self.model.sha256},
            "seed": options.seed,
            "ended_by": verdict.reason,
            "means": {name: round(mean, 6) for name, mean in verdict.means.items()},
        }
        if options.policy == "noisy-actions":
            details["noise"] = options.noise
        return Episode(
            observations=pictures[:rows],
            actions=imagined["actions"][:rows].cpu().numpy(),
            rewards=imagined["rewards"][:rows].float().cpu().numpy(),
            dones=dones,
            terminals=dones & (verdict.reason == "end"),
            vector=vectors[:rows],
            expert_actions=actor if options.labels == "actor" else np.full((rows, 3), np.nan, np.float32),
            stamps_ns=stamps,
            meta={**kept, "driver": f"imagined, {options.policy}", "imagined": True, "imagination": details},
        )


@torch.inference_mode()
def calibration_of(
    model: PretrainedWorldModel, episodes: Sequence[Episode], context: int, quantile: float, split: str
) -> tuple[Calibration, dict[str, float] | None]:
    """Limits from recorded ``episodes``, and the mean absolute error of the actor there against the labels.

    The error has the keys steer, throttle and brake; it is None where no row has a label. Raises EpisodeError when the
    episodes are too short, TrainingError when the model's numbers are not finite.
    """
    windows = spread_windows(episodes, CALIBRATION_ROWS)
    blocks: dict[str, list[np.ndarray]] = {}
    errors = []
    for first in range(0, len(windows), WINDOWS_AT_ONCE):
        part = windows[first : first + WINDOWS_AT_ONCE]
        filtered = model.filter(Observations.stack([Observations.of_episode(*place) for place in part]))
        measured = {"surprise": filtered.surprise}
        if model.config.ensemble_size > 1:
            predicted = model.predict(filtered.states)
            measured |= {key: predicted[key] for key in ("disagreement", "value_disagreement")}
        labels = np.stack([episode.expert_actions[rows] for episode, rows in part])
        actor = model.act(filtered.states.flatten(0, 1)).cpu().numpy().reshape(labels.shape)
        errors.append(np.abs(actor - labels)[np.isfinite(labels).all(-1)])
        for key, values in measured.items():
            judged = values[:, context:].cpu().double().numpy()
            if judged.shape[1]:
                blocks.setdefault(key, []).extend(block_means(window) for window in judged)
    if not blocks:
        raise EpisodeError(
            f"no recorded episode has more than {context} rows, the context: there is nothing to calibrate the filters"
        )
    calibration = calibrate({key: np.concatenate(part) for key, part in blocks.items()}, quantile, split)
    if not all(np.isfinite(limit) for limit in calibration.limits.values()):
        raise _diverged()
    error = np.concatenate(errors)
    if not len(error):
        return calibration, None
    return calibration, dict(zip(ACTION_NAMES, (round(float(e), 4) for e in error.mean(0)), strict=True))


def _diverged() -> TrainingError:
    return TrainingError("the model says numbers that are not finite: its training diverged, take another checkpoint")
