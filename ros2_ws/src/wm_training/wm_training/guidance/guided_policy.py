"""Choosing among a policy's proposals by imagining each of them: from Python, without ROS.

Shapes: N proposals, H horizon, F belief.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from wm_bundle import from_command

from wm_training.api import Observations, PretrainedWorldModel
from wm_training.api.observations import rows_of
from wm_training.api.policies import commands
from wm_training.guidance.onnx_policy import OnnxPolicy
from wm_training.guidance.proposals import proposals_of
from wm_training.guidance.returns import Driver, behaviour_density, check_actor, imagined_returns


@dataclass(frozen=True)
class Choice:
    """A decision and its basis."""

    action: np.ndarray
    """(3,) steer, throttle, brake: the proposal with the best score."""
    index: int
    """Which of the proposals it is."""
    proposals: np.ndarray
    """(N, 3)."""
    returns: np.ndarray
    """(N,) imagined return of each, in the reward's unit, with the value after the horizon."""
    scores: np.ndarray
    """(N,) the scores that decide: the returns, and ``behaviour_weight`` times the log density of each under the
    actor."""
    state: Tensor
    """(1, F): the belief that they were imagined from."""

    @property
    def gain(self) -> float:
        """Imagined return of the choice minus that of the policy's first proposal."""
        return float(self.returns[self.index] - self.returns[0])


class WorldModelGuidedPolicy:
    """A policy whose proposals are imagined before one of them is executed.

    It keeps the world model's belief between calls: call ``plan_action`` (or ``observe``) once for every picture, at
    the world model's rate, and ``reset`` before another drive."""

    def __init__(
        self,
        policy: Callable[[Any], Any] | str | Path,
        world_model: PretrainedWorldModel,
        num_samples: int = 16,
        horizon: int = 10,
        hold: int = 3,
        continue_with: Literal["actor", "policy"] | Callable[[Observations], Any] = "actor",
        behaviour_weight: float = 1.0,
        seed: int = 0,
    ):
        """``policy`` is a policy file (*.onnx), or a function from an observation to a distribution, samples, or an
        action with its standard deviation, see ``proposals_of``.

        Each of ``num_samples`` proposals is held for ``hold`` steps, because one step alone changes a return by less
        than the model's error; then ``continue_with`` drives up to ``horizon`` steps: the world model's actor, the
        policy itself (which must then answer a batch of M moments with M actions), or another function from
        ``Observations`` of M moments to actions (M, ·). The last two use decoded pictures, which takes a decoder and
        the policy's own time in every step, and with vector inputs they need ``world_model.fit_vector()`` once.
        ``behaviour_weight`` [reward per nat] keeps the choice among plausible behaviours of the recorded drivers, see
        ``behaviour_density``; 0 trusts the imagined returns everywhere. Raises ValueError for invalid settings,
        TrainingError for an unusable policy file or world model."""
        for name, value, least in (("num_samples", num_samples, 1), ("hold", hold, 1), ("horizon", horizon, hold)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} is {value!r}, expected a whole number of at least {least}")
        if not 0.0 <= behaviour_weight < math.inf:
            raise ValueError(f"behaviour_weight is {behaviour_weight!r}, expected 0 or more")
        if behaviour_weight > 0.0 or continue_with == "actor":
            check_actor(world_model)
        if isinstance(policy, str | Path):
            policy = OnnxPolicy(policy)
        if isinstance(policy, OnnxPolicy):
            policy.check_fits(world_model)
        if not callable(policy):
            raise ValueError(f"policy is of type {type(policy).__name__}, expected a function or a policy file")
        self.policy, self.world_model = policy, world_model
        self.num_samples, self.horizon, self.hold = num_samples, horizon, hold
        self.behaviour_weight = behaviour_weight
        self._driver = self._driver_of(continue_with)
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Forget the drive: the next picture begins another one. The random numbers restart as well."""
        self.state: Tensor | None = None
        self._last = np.zeros(3, np.float32)
        self._random = np.random.default_rng(self._seed)

    def observe(
        self, observation: Observations | Mapping[str, Any] | np.ndarray, previous_action: np.ndarray | None = None
    ) -> Observations:
        """Update the belief with one picture, without a decision: for moments when another driver drives.

        ``observation`` is one moment, in the API's form; ``previous_action`` (3,) the action really executed since the
        previous picture, by default that in the observation, else the last choice. Returns the observation with it.
        Raises ValueError for unsuitable ones."""
        rows_of(self.world_model.model, observation, moment=True)  # raises for unsuitable ones
        if isinstance(observation, Mapping):
            observation = Observations(**observation)
        elif not isinstance(observation, Observations):
            observation = Observations(observation)
        if observation.image.ndim != 3:
            raise ValueError(f"image has shape {tuple(observation.image.shape)}, expected one picture with three axes")
        if previous_action is None:
            previous_action = self._last if observation.previous_action is None else observation.previous_action
        seen = replace(observation, previous_action=np.asarray(previous_action, np.float32))
        if self.state is None:
            self.state = self.world_model.encode(seen)
        else:
            self.state = self.world_model.observe(self.state, seen, seen.previous_action)
        self._last = seen.previous_action
        return seen

    def plan_action(
        self,
        observation: Observations | Mapping[str, Any] | np.ndarray,
        previous_action: np.ndarray | None = None,
        policy_observation: Any = None,
    ) -> Choice:
        """Update the belief, query the policy, imagine its proposals, and return the best.

        Arguments as in ``observe``; the policy gets ``policy_observation`` instead of the observation if given, for
        policies with other pictures or text. Raises ValueError for an unusable answer."""
        seen = self.observe(observation, previous_action)
        answer = self.policy(seen if policy_observation is None else policy_observation)
        proposals = proposals_of(answer, self.num_samples, self._random)
        first = torch.from_numpy(proposals).to(self.world_model.device)
        states = self.state.expand(len(first), -1)
        returns = imagined_returns(self.world_model, states, first, self.hold, self._driver, self.horizon)
        scores = returns
        if self.behaviour_weight > 0.0:
            actions = torch.from_numpy(from_command(proposals)).to(self.world_model.device)
            scores = returns + self.behaviour_weight * behaviour_density(self.world_model, states, actions)
        index = int(scores.argmax())
        self._last = proposals[index].copy()
        return Choice(
            self._last.copy(), index, proposals, returns.cpu().numpy(), scores.detach().cpu().numpy(), self.state
        )

    def _driver_of(self, continue_with: Any) -> Driver:
        world = self.world_model
        if continue_with == "actor":
            return lambda states, last: world.act(states)
        chooser = self.policy if continue_with == "policy" else continue_with
        if not callable(chooser):
            raise ValueError(f"continue_with is {continue_with!r}, expected 'actor', 'policy' or a function")

        def drive(states: Tensor, last: Tensor) -> Tensor:
            answer = chooser(world.observations(states, last))
            actions = answer[0] if isinstance(answer, tuple) else answer
            return commands(actions, "the actions that go on", (len(states),), states.device)

        return drive
