"""N parallel imagined drives: the core of the gymnasium environments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from gymnasium import spaces
from wm_bundle import ACTION_HIGH, ACTION_LOW, ACTION_NAMES

from wm_training.api.policies import commands
from wm_training.api.pretrained import PretrainedWorldModel
from wm_training.api.starts import GivenStarts, RecordedStarts, Starts
from wm_training.imagination.recorded import open_split
from wm_training.model.open_loop import camera_sheet

VECTOR_DEVIATIONS = 10.0  # half-width of the vector's space, in standard deviations of the training data


@dataclass(frozen=True)
class DrivingSettings:
    """Settings of imagined drives. Raises ValueError for bad ones, with the field and the value."""

    obs_type: Literal["pixels_agent_pos", "pixels", "state"] = "pixels_agent_pos"
    """Observations, in LeRobot's terms: ``{"pixels": {camera: (H, W, 3) uint8}, "agent_pos": (V,) float32}``,
    the pictures alone, or the belief (F,) float32, which needs no decoding."""
    action_type: Literal["steer_longitudinal", "command"] = "steer_longitudinal"
    """Actions: two numbers in [-1, 1], or steer in [-1, 1], throttle and brake in [0, 1]."""
    horizon: int = 50
    """Steps after which a drive is cut off (truncated)."""
    termination: Literal["sample", "threshold"] = "sample"
    """A drive ends (terminated) at random, with the model's probability, or when its continue probability falls below
    ``continue_threshold``."""
    continue_threshold: float = 0.5
    sample_latents: bool = True
    """Sample each step; False uses the mean, and the same actions give the same drive."""
    context: int = 5
    """Rows of a recorded drive observed before imagination begins."""
    split: Literal["train", "val"] = "train"
    """Recorded drives to start from."""
    task: str = "drive"
    """The vehicle's task as text, for policies that read it."""

    def __post_init__(self):
        for name in ("obs_type", "action_type", "termination", "split"):
            choices = get_args(type(self).__annotations__[name])
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected {' or '.join(map(repr, choices))}")
        for name in ("horizon", "context"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}, expected a whole number of at least 1")
        if not 0.0 <= self.continue_threshold <= 1.0:
            raise ValueError(f"continue_threshold is {self.continue_threshold!r}, expected a number from 0 to 1")


class ImaginedDrives:
    """The states of N drives, and one step of some or all of them."""

    def __init__(self, model: PretrainedWorldModel, settings: DrivingSettings, starts: Starts, count: int):
        self.model, self.settings, self.starts = model, settings, starts
        self.states = torch.zeros(count, model.config.belief_size, device=model.device)
        self.steps = np.zeros(count, np.int64)

    def begin(
        self, which: Sequence[int], randoms: Sequence[np.random.Generator], state: Any = None
    ) -> list[dict[str, Any]]:
        """Restart the drives ``which``, in ``state`` (F,) if given. Returns the start of each."""
        if state is None:
            found, places = self.starts.draw(randoms)
        else:
            found = self.model.checked_state(torch.as_tensor(state), batch=False)
            if found.ndim != 1:
                size = self.model.config.belief_size
                raise ValueError(f"state: found shape {tuple(found.shape)}, expected ({size},)")
            places = [{} for _ in which]
        self.states[list(which)] = found
        self.steps[list(which)] = 0
        return places

    def advance(
        self, which: Sequence[int], actions: np.ndarray, randoms: Sequence[np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """One step of the drives ``which`` by actions (n, ·). Returns rewards, terminated, truncated, each (n,), and
        infos. Raises ValueError for invalid actions."""
        index = list(which)
        command = commands(np.asarray(actions, np.float32), "action", (len(index),), self.model.device)
        noise = None
        if self.settings.sample_latents:
            size = self.model.config.stochastic_size
            drawn = np.stack([random.standard_normal(size, np.float32) for random in randoms])
            noise = torch.from_numpy(drawn).to(self.model.device)
        with torch.no_grad():
            model = self.model.model
            reached = model.imagine_step(model.rssm.split(self.states[index]), command, noise).belief
        self.states[index] = reached
        self.steps[index] += 1
        said = {name: value.double().cpu().numpy() for name, value in self.model.predict(reached).items()}
        if self.settings.termination == "sample":
            terminated = np.array([random.random() for random in randoms]) >= said["continues"]
        else:
            terminated = said["continues"] < self.settings.continue_threshold
        truncated = ~terminated & (self.steps[index] >= self.settings.horizon)
        chosen = command.cpu().numpy()
        infos = [
            {
                "continue": said["continues"][i],
                "value": said["values"][i],
                "disagreement": said["disagreement"][i],
                "command": chosen[i],
                "is_success": bool(truncated[i]),
            }
            for i in range(len(index))
        ]
        return said["rewards"], terminated, truncated, infos

    def observations(self, which: Sequence[int]) -> list[Any]:
        """Observations of the drives ``which``, each as one element of ``observation_space``."""
        states = self.states[list(which)]
        if self.settings.obs_type == "state":
            return list(states.cpu().numpy().copy())
        images = self.model.decode(states).cpu().numpy()
        pictures = images.reshape(len(images), -1, 3, *images.shape[2:]).transpose(0, 1, 3, 4, 2)
        found = [dict(zip(self.model.camera_names, drive.copy(), strict=True)) for drive in pictures]
        if self.settings.obs_type == "pixels":
            return [{"pixels": cameras} for cameras in found]
        space = self.observation_space["agent_pos"]
        vectors = np.clip(self.model.predict_vector(states).cpu().numpy(), space.low, space.high)
        return [{"pixels": cameras, "agent_pos": v} for cameras, v in zip(found, vectors, strict=True)]

    def pictures(self) -> list[np.ndarray]:
        """The picture of each drive, uint8 (H, K·W, 3), the cameras side by side."""
        return [camera_sheet(image, columns=self.model.model.cameras) for image in self.model.decode(self.states).cpu()]

    @property
    def observation_space(self) -> spaces.Space:
        """Of one drive."""
        model, kind = self.model, self.settings.obs_type
        if kind == "state":
            return spaces.Box(-np.inf, np.inf, (model.config.belief_size,), np.float32)
        size = model.config.image_size
        picture = spaces.Box(0, 255, (size, size, 3), np.uint8)
        parts: dict[str, spaces.Space] = {"pixels": spaces.Dict(dict.fromkeys(model.camera_names, picture))}
        if kind == "pixels_agent_pos":
            mean, std = (part.cpu().numpy() for part in (model.model.vector_mean, model.model.vector_std))
            parts["agent_pos"] = spaces.Box(mean - VECTOR_DEVIATIONS * std, mean + VECTOR_DEVIATIONS * std)
        return spaces.Dict(parts)

    @property
    def action_space(self) -> spaces.Box:
        """Of one drive."""
        if self.settings.action_type == "command":
            return spaces.Box(np.array(ACTION_LOW, np.float32), np.array(ACTION_HIGH, np.float32))
        return spaces.Box(-1.0, 1.0, (len(ACTION_NAMES) - 1,), np.float32)


def make_drives(
    model: PretrainedWorldModel, count: int, data_path: str | None, states: Any, settings: dict[str, Any]
) -> ImaginedDrives:
    """Drives from given ``states`` or from episodes; reads the vector inputs from states where needed.

    Raises ValueError for unsuitable settings, EpisodeError for unusable episodes.
    """
    if count < 1:
        raise ValueError(f"num_envs is {count}, expected at least 1")
    try:
        chosen = DrivingSettings(**settings)
    except TypeError as error:
        raise ValueError(f"{str(error).split(' ', 1)[-1]}; see wm_training.api.DrivingSettings") from None
    if chosen.obs_type == "pixels_agent_pos":
        if not model.vector_size:
            raise ValueError("obs_type is 'pixels_agent_pos' and the model has no vector inputs: take 'pixels'")
        if not model.tells_vector:
            model.fit_vector(data_path)
    if states is not None:
        return ImaginedDrives(model, chosen, GivenStarts(model, states), count)
    data = open_split(data_path or model.config.data_path, model.model, chosen.split)
    return ImaginedDrives(model, chosen, RecordedStarts(model, data, chosen.context), count)
