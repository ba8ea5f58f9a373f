"""A trained world model for external use: observe, imagine, decode.

Shapes follow the legend of docs/architecture.md. A *state* is a belief: one float32 tensor (…, F), the deterministic
part first. It can be sliced, stacked and stored like any tensor. Commands are (steer, throttle, brake); everywhere
(steer, longitudinal) is accepted as well, and both are clipped to their limits.
"""

import json
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from wm_bundle.files import sha256_of

from wm_training.api.filtering import Filtered, filter_rows, normal, previous_actions, single_action
from wm_training.api.observations import Array, Observations, Rows, at_model_size, finite, rows_of
from wm_training.api.policies import ACTORS, Policy, actor_policy, checked_policy, given_actions
from wm_training.api.readout import VectorReadout, fit_readout
from wm_training.errors import TrainingError
from wm_training.imagination.recorded import open_split, spread_windows
from wm_training.model.open_loop import decode_pictures
from wm_training.model.world_model import WorldModel
from wm_training.training.checkpoints import read_world_model
from wm_training.training.distributed import choose_device


def load_world_model(
    checkpoint: str | os.PathLike, device: str | torch.device = "auto", gradients: bool = False
) -> "PretrainedWorldModel":
    """The world model of a checkpoint, ready to use.

    ``device``: auto (a GPU if available), cpu, cuda, cuda:1 …; ``gradients``: let gradients flow to actions and states
    (never to the model's weights). Raises TrainingError for an unusable checkpoint or device.
    """
    path = Path(checkpoint).expanduser()
    model, payload = read_world_model(path, choose_device(str(device)))
    return PretrainedWorldModel(model, json.loads(payload["meta"]), path, int(payload["step"]), gradients)


FITTED_AT_ONCE = 8
"""Batch size of ``fit_vector`` [windows]."""


class PretrainedWorldModel:
    """A world model with frozen weights; see ``load_world_model``."""

    def __init__(
        self,
        model: WorldModel,
        meta: Mapping[str, Any] | None = None,
        path: Path | None = None,
        step: int = 0,
        gradients: bool = False,
    ):
        """``model`` on its device; ``meta`` of the episodes it was trained on; ``path`` and update ``step`` of its
        checkpoint."""
        self.model = model.eval().requires_grad_(False)
        self.meta = dict(meta or {})
        self.path = path
        self.step = step
        self.gradients = gradients
        self.readout: VectorReadout | None = None
        """Used by ``predict_vector``, made by ``fit_vector``."""

    @property
    def config(self):
        """The WorldModelTrainConfig it was trained with."""
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Device of all returned tensors."""
        return self.model.vector_mean.device

    @property
    def vector_size(self) -> int:
        """V."""
        return len(self.model.vector_mean)

    @property
    def tells_vector(self) -> bool:
        """Whether ``predict_vector`` works: the model has a head for it, or ``fit_vector`` was called."""
        return not self.vector_size or self.model.vector is not None or self.readout is not None

    @property
    def camera_names(self) -> tuple[str, ...]:
        """Names of the K cameras, in stacking order."""
        cameras = self.meta.get("cameras") or []
        told = tuple(str(camera["name"]) for camera in cameras)
        return told if len(told) == self.model.cameras else tuple(f"camera_{k}" for k in range(self.model.cameras))

    @cached_property
    def sha256(self) -> str:
        """Hash of the checkpoint file. Raises TrainingError for a model without one."""
        if self.path is None:
            raise TrainingError("the model was not loaded from a checkpoint, so there is no hash of one")
        return sha256_of(self.path)

    def prepare(self, *pictures: np.ndarray) -> np.ndarray:
        """The cameras' pictures, (rows, columns, 3) uint8 RGB each, as the model's picture (C, H, W).

        Raises ValueError for pictures that do not match the cameras of the training's episodes.
        """
        return at_model_size(self.meta, self.config.image_size, pictures)

    def encode(
        self,
        observations: Observations | Mapping[str, Any] | Array,
        actions: Array | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """The states (B, F) after observing all rows of ``observations``; arguments as in ``filter``."""
        return self.filter(observations, actions, seed=seed).states[:, -1]

    def filter(
        self,
        observations: Observations | Mapping[str, Any] | Array,
        actions: Array | None = None,
        state: Tensor | None = None,
        seed: int | None = None,
    ) -> Filtered:
        """Follow drives row by row, by the posterior: its mean, or with a ``seed`` samples of it.

        ``observations``: ``Observations``, a dictionary with its fields, or the pictures alone, of one moment, (T, …)
        or (B, T, …). Between rows the model needs the actions: ``actions`` (…, T or T - 1, 3), row t the command a_t
        from o_t to o_{t+1} (the last is not used); without them the observations' ``previous_action``. ``state`` (B, F)
        continues an earlier belief, and then ``previous_action`` is needed for the first row too; without it a new
        belief begins. Raises ValueError for unsuitable arguments."""
        rows = rows_of(self.model, observations)
        return self._filter(rows, previous_actions(rows, actions, begins=state is None), state, seed)

    def observe(
        self,
        state: Tensor,
        observation: Observations | Mapping[str, Any] | Array,
        previous_action: Array,
        seed: int | None = None,
    ) -> Tensor:
        """The states (B, F) one moment after ``state`` (B, F): one picture of each drive, (B, …), and the commands
        (B, 3) that led to it. Raises ValueError for unsuitable arguments."""
        rows = rows_of(self.model, observation, moment=True)
        previous = single_action(previous_action, "previous_action", len(rows.image), self.device)
        return self._filter(rows, previous[:, None], state, seed).states[:, -1]

    def imagine(
        self,
        state: Tensor,
        policy: Policy | Array | Literal["actor", "actor_samples"] = "actor",
        horizon: int | None = None,
        num_samples: int = 1,
        seed: int | None = None,
        policy_sees: Literal["states", "observations"] = "states",
        previous_action: Array | None = None,
    ) -> dict[str, Tensor]:
        """Imagine a drive from ``state`` (B, F), for ``horizon`` H steps (by default the training's).

        ``policy`` is one of

        - ``"actor"``, the model's own policy, or ``"actor_samples"``, its actions sampled;
        - actions: (H, ·) for all, (B, H, ·), or (B·N, H, ·);
        - a function from states (M, F) to actions (M, ·), or with ``policy_sees="observations"`` from
          ``Observations`` of M imagined moments: decoded ``image``, ``vector`` (after ``fit_vector``) and
          ``previous_action``, at first ``previous_action`` (B, 3), zeros without it.

        With a ``seed`` futures are sampled, ``num_samples`` N of every state; without one the mean future is imagined,
        and N is 1. The same seed and shapes give the same future on every device. M = B·N; row b·N + n of everything
        returned is sample n from state b:

        - ``states`` (M, H + 1, F), the first the given one, ``actions`` (M, H, 3);
        - ``rewards``, ``continues`` (probability that the drive continues) and ``values``, each (M, H): entry h is of
          the state that action h led to;
        - ``disagreement`` and ``value_disagreement`` (M, H): standard deviation over the members of an ensemble, of
          rewards and values; zeros without one.

        Raises ValueError for unsuitable arguments.
        """
        state = self.checked_state(state)
        horizon = self.config.imagination_horizon if horizon is None else horizon
        self._check_request(horizon, num_samples, seed)
        with torch.set_grad_enabled(self.gradients):
            rows = len(state) * num_samples
            starts = state.repeat_interleave(num_samples, 0)
            latent, action_noise = self._noise(rows, horizon, seed)
            if isinstance(policy, str):
                chooser = self._actor(policy, action_noise, seed)
            elif callable(policy):
                chooser = self._wrapped(policy, policy_sees, previous_action, num_samples, len(state))
            else:
                chooser = given_actions(policy, len(state), num_samples, horizon, self.device)
            imagined = self.model.imagine(self.model.rssm.split(starts), chooser, latent)
        imagined["states"] = imagined.pop("beliefs")
        return imagined

    def predict(self, states: Tensor) -> dict[str, Tensor]:
        """``rewards``, ``continues``, ``values`` and disagreements (…,) of states (…, F), as ``imagine`` returns."""
        with torch.set_grad_enabled(self.gradients):
            return self.model.predict(self.checked_state(states, batch=False))

    def decode(self, states: Tensor) -> Tensor:
        """Pictures uint8 (…, C, H, W) of states (…, F)."""
        states = self.checked_state(states, batch=False)
        with torch.no_grad():
            return decode_pictures(self.model, states if states.ndim > 1 else states[None]).reshape(
                *states.shape[:-1], self.model.channels, self.config.image_size, self.config.image_size
            )

    def act(self, state: Tensor, seed: int | None = None) -> Tensor:
        """The model's own policy: its most likely commands (B, 3) in ``state`` (B, F), or with a ``seed`` a sample."""
        state = self.checked_state(state)
        with torch.set_grad_enabled(self.gradients):
            noise = None if seed is None else normal(seed, (len(state), 1, 2), self.device)
            return actor_policy(self.model, noise)(state)

    def fit_vector(self, data_path: str | os.PathLike | None = None, rows: int = 3000) -> VectorReadout:
        """Fit a readout of the vector inputs from states, on about ``rows`` rows of recorded drives, in seconds.

        For models without a head for them (``vector_weight`` 0), see ``tells_vector``.
        ``data_path``: folder of episodes, by default that of the training. Returns the readout with its ``r2`` on
        held-out drives. Raises EpisodeError for unusable episodes."""
        episodes = open_split(data_path or self.config.data_path, self.model, "train").episodes
        windows = spread_windows(episodes, rows)
        states, vectors = [], []
        for first in range(0, len(windows), FITTED_AT_ONCE):
            seen = Observations.stack([Observations.of_episode(*w) for w in windows[first : first + FITTED_AT_ONCE]])
            states.append(self.filter(seen).states.detach())
            vectors.append(torch.from_numpy(seen.vector).to(self.device))
        self.readout = fit_readout(torch.cat(states), torch.cat(vectors))
        return self.readout

    def predict_vector(self, states: Tensor) -> Tensor:
        """Vectors (…, V) of states (…, F) in physical units. Raises TrainingError unless ``tells_vector``."""
        states = self.checked_state(states, batch=False)
        if not self.vector_size:
            return states.new_zeros(*states.shape[:-1], 0)
        if not self.tells_vector:
            raise TrainingError("the vector inputs cannot be read out of states yet: call fit_vector() first")
        return self.predict(states)["vector"] if self.readout is None else self.readout(states)

    def observations(self, states: Tensor, previous_action: Tensor | None = None) -> Observations:
        """Imagined states (…, F) as observations: decoded pictures, and vectors (see ``fit_vector``)."""
        return Observations(self.decode(states), self.predict_vector(states), previous_action)

    def checked_state(self, state: Tensor, batch: bool = True) -> Tensor:
        """States on the device. Raises ValueError unless they are finite (…, F), with ``batch`` (B, F)."""
        size = self.config.belief_size
        expected = f"(B, {size})" if batch else f"(…, {size})"
        if not isinstance(state, Tensor):
            raise ValueError(f"state is of type {type(state).__name__}, expected a tensor {expected}: see encode()")
        if state.shape[-1:] != (size,) or (batch and state.ndim != 2) or not state.numel():
            raise ValueError(f"state: found shape {tuple(state.shape)}, expected {expected}")
        return finite(state.to(self.device), "state", tuple(state.shape))

    def _filter(self, rows: Rows, previous: Tensor, state: Tensor | None, seed: int | None) -> Filtered:
        start = None
        if state is not None:
            start = self.model.rssm.split(self.checked_state(state))
            if len(state) != len(rows.image):
                raise ValueError(f"state has {len(state)} rows, the observations are of {len(rows.image)} drive(s)")
        with torch.set_grad_enabled(self.gradients):
            return filter_rows(self.model, rows, previous, start, seed)

    def _check_request(self, horizon: int, num_samples: int, seed: int | None) -> None:
        for name, value in (("horizon", horizon), ("num_samples", num_samples)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}, expected a whole number of at least 1")
        if num_samples > 1 and seed is None:
            raise ValueError(f"num_samples is {num_samples} and there is no seed: all would be the same mean future")

    def _noise(self, rows: int, horizon: int, seed: int | None) -> tuple[Tensor, Tensor]:
        size = self.config.stochastic_size
        if seed is None:
            return torch.zeros(rows, horizon, size, device=self.device), torch.empty(0)
        return normal(seed, (rows, horizon, size + 2), self.device).split([size, 2], -1)

    def _actor(self, name: str, noise: Tensor, seed: int | None) -> Callable[[Tensor], Tensor]:
        if name not in ACTORS:
            raise ValueError(f"policy is {name!r}, expected {' or '.join(map(repr, ACTORS))}, actions or a function")
        if name == "actor":
            return actor_policy(self.model, None)
        if seed is None:
            raise ValueError("policy is 'actor_samples' and there is no seed: give one, or take 'actor'")
        return actor_policy(self.model, noise)

    def _wrapped(
        self, policy: Policy, sees: str, previous_action: Array | None, samples: int, batch: int
    ) -> Callable[[Tensor], Tensor]:
        if sees not in ("states", "observations"):
            raise ValueError(f"policy_sees is {sees!r}, expected 'states' or 'observations'")
        if previous_action is None:
            before = torch.zeros(batch * samples, 3, device=self.device)
        else:
            given = single_action(previous_action, "previous_action", batch, self.device)
            before = given.repeat_interleave(samples, 0)
        see = self.observations if sees == "observations" else (lambda states, last: states)
        return checked_policy(policy, see, before)
