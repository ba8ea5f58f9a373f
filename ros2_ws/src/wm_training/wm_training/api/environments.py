"""Imagined drives as gymnasium environments, for any reinforcement learning library."""

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from wm_training.api.drives import ImaginedDrives, make_drives
from wm_training.api.pretrained import PretrainedWorldModel, load_world_model

ENVIRONMENT_ID = "WorldModelDriving-v0"
Model = PretrainedWorldModel | str | os.PathLike
_FRAMES_PER_SECOND = 10.0  # of rendered drives from episodes without a rate


def _loaded(model: Model, device: str) -> PretrainedWorldModel:
    return model if isinstance(model, PretrainedWorldModel) else load_world_model(model, device)


def _metadata(model: PretrainedWorldModel, **more: Any) -> dict[str, Any]:
    rate = model.meta.get("rate_hz") or _FRAMES_PER_SECOND
    return {"render_modes": ["rgb_array"], "render_fps": round(rate), **more}


def _start_of(options: dict[str, Any] | None) -> Any:
    """The start state of a reset, None for any. Raises ValueError for unknown options."""
    unknown = set(options or {}) - {"state"}
    if unknown:
        raise ValueError(f"unknown reset option {sorted(unknown)[0]!r}, expected 'state': a state (F,) to begin in")
    return (options or {}).get("state")


class ImaginedDriving(gymnasium.Env):
    """One imagined drive.

    It begins at a random moment of a recorded drive, or in one of the given states. The reward is the model's expected
    reward of the state reached; a drive is terminated by the model's continue probability and truncated at the horizon.
    ``info`` has ``continue``, ``value``, ``disagreement``, the ``command`` and ``is_success`` (true at the end of a
    drive that was not terminated). ``reset(options={"state": s})`` begins in a given state."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": _FRAMES_PER_SECOND}

    def __init__(
        self,
        model: Model,
        data_path: str | None = None,
        states: Any = None,
        device: str = "auto",
        render_mode: str | None = None,
        **settings: Any,
    ):
        """``model``: a loaded one or its checkpoint; ``data_path``: folder of episodes to begin from (without it those
        of the training), or ``states`` (M, F); ``settings``: fields of DrivingSettings.

        Raises ValueError, TrainingError and EpisodeError for unsuitable arguments.
        """
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}, expected 'rgb_array' or None")
        loaded = _loaded(model, device)
        self.drives = make_drives(loaded, 1, data_path, states, settings)
        self.metadata = _metadata(loaded)
        self.render_mode = render_mode
        self.observation_space = self.drives.observation_space
        self.action_space = self.drives.action_space
        # Attributes that LeRobot expects of environments.
        self.task = self.task_description = self.drives.settings.task
        self._max_episode_steps = self.drives.settings.horizon
        self._going = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin a drive; ``info`` has the start: ``episode`` and ``row``, or ``start``, the number of the given
        state."""
        super().reset(seed=seed)
        (place,) = self.drives.begin([0], [self.np_random], _start_of(options))
        self._going = True
        return self.drives.observations([0])[0], place

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step; see the class. Raises ValueError for an invalid action, ResetNeeded before the first reset."""
        if not self._going:
            raise gymnasium.error.ResetNeeded("call reset() first: no drive has begun, or the last one has ended")
        action = np.asarray(action, np.float32)
        rewards, terminated, truncated, infos = self.drives.advance([0], action[None], [self.np_random])
        self._going = not (terminated[0] or truncated[0])
        observation = self.drives.observations([0])[0]
        return observation, float(rewards[0]), bool(terminated[0]), bool(truncated[0]), infos[0]

    def render(self) -> np.ndarray | None:
        """The decoded picture (H, K·W, 3) uint8 of the drive's present state, None without a render_mode."""
        return self.drives.pictures()[0] if self.render_mode else None


class ImaginedDrivingVector(VectorEnv):
    """N imagined drives in one batch: much faster than N environments. A drive that has ended restarts in the next step
    (gymnasium's NEXT_STEP), whose action is not used and whose reward is 0."""

    metadata = {"render_modes": ["rgb_array"], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(
        self,
        model: Model,
        num_envs: int = 1,
        data_path: str | None = None,
        states: Any = None,
        device: str = "auto",
        render_mode: str | None = None,
        **settings: Any,
    ):
        """As ImaginedDriving, ``num_envs`` times."""
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}, expected 'rgb_array' or None")
        loaded = _loaded(model, device)
        self.num_envs = num_envs
        self.drives: ImaginedDrives = make_drives(loaded, num_envs, data_path, states, settings)
        self.metadata = _metadata(loaded, autoreset_mode=AutoresetMode.NEXT_STEP)
        self.render_mode = render_mode
        self.single_observation_space = self.drives.observation_space
        self.single_action_space = self.drives.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._randoms: list[np.random.Generator] = []
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin all drives. Drive i of ``seed`` s equals ImaginedDriving with seed s + i; a list gives one seed per
        drive."""
        seeds = seed
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds are given, expected {self.num_envs}")
        if not self._randoms:
            self._randoms = [np.random.default_rng() for _ in seeds]
        for i, one in enumerate(seeds):
            if one is not None:
                self._randoms[i] = gymnasium.utils.seeding.np_random(one)[0]
        everything = range(self.num_envs)
        places = self.drives.begin(everything, self._randoms, _start_of(options))
        self._ended[:] = False
        return self._observations(), self._infos(everything, places)

    def step(self, actions: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One step of all drives. Raises ValueError for invalid actions."""
        if not self._randoms:
            raise gymnasium.error.ResetNeeded("call reset() first: no drive has begun")
        actions = np.asarray(actions, np.float32)
        if actions.shape[:1] != (self.num_envs,):
            raise ValueError(f"actions have shape {actions.shape}, expected {self.action_space.shape}")
        anew, on = np.flatnonzero(self._ended), np.flatnonzero(~self._ended)
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros(self.num_envs, bool), np.zeros(self.num_envs, bool)
        infos: dict[str, Any] = {}
        if len(on):
            found = self.drives.advance(on, actions[on], [self._randoms[i] for i in on])
            rewards[on], terminated[on], truncated[on], said = found
            infos = self._infos(on, said)
        if len(anew):
            places = self.drives.begin(anew, [self._randoms[i] for i in anew])
            infos = self._infos(anew, places, infos)
        self._ended = terminated | truncated
        return self._observations(), rewards, terminated, truncated, infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """The decoded pictures of all drives, None without a render_mode."""
        return tuple(self.drives.pictures()) if self.render_mode else None

    def _observations(self) -> Any:
        space, found = self.single_observation_space, self.drives.observations(range(self.num_envs))
        return concatenate(space, found, create_empty_array(space, self.num_envs))

    def _infos(self, which: Any, each: list[dict[str, Any]], infos: dict[str, Any] | None = None) -> dict[str, Any]:
        infos = {} if infos is None else infos
        for i, info in zip(which, each, strict=True):
            infos = self._add_info(infos, info, int(i))
        return infos
