"""Frames that a model imagines itself, for checks of a bundle where there is no recording.

Shapes: C channels, V vector inputs, K cameras, F belief features, H horizon.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from wm_bundle import from_command, to_command

_DREAM = 100  # frames that one imagined drive has
_EXPLORATION = 0.2  # deviation of what is added to the actor's actions, which soon repeats itself
_PERSISTENCE = 0.9  # of that, and of the vector inputs, from frame to frame


@dataclass(frozen=True)
class Observation:
    """One frame. ``image`` (C, height, width) uint8, ``vector`` (V,) in physical units, ``previous_action`` (3,) the
    command that acted until it, ``camera_mask`` (K,) or None for all, ``is_first``: a belief begins with it."""

    image: np.ndarray
    vector: np.ndarray
    previous_action: np.ndarray
    camera_mask: np.ndarray | None
    is_first: bool


def imagined(engine: Any, count: int, seed: int) -> list[Observation]:
    """``count`` frames that the model of ``engine``, a wm_planner.engine or alike, decodes from its own futures.

    Every picture is that of a belief drawn from where the actor, with some noise, leads to; observing it begins the
    next one. Vector inputs wander about as widely as in the training data.
    """
    random = np.random.default_rng(seed)
    frames: list[Observation] = []
    while len(frames) < count:
        frames += _drive(engine, min(_DREAM, count - len(frames)), random)
    return frames


def _drive(engine: Any, count: int, random: np.random.Generator) -> Iterator[Observation]:
    manifest = engine.manifest
    mean, deviation = (np.array([getattr(entry, name) for entry in manifest.vector]) for name in ("mean", "std"))
    wandering, exploration = random.standard_normal(len(mean)), np.zeros(2)
    # Any belief will do to begin with; a random one shows another scene in every drive.
    drawn = random.standard_normal((1, manifest.latent.belief)).astype(np.float32)
    belief, action = engine.initial_belief(), np.zeros(3, np.float32)
    for number in range(count):
        image = engine.decode(drawn)[0].copy()
        vector = (mean + deviation * wandering).astype(np.float32)
        yield Observation(image, vector, action, None, number == 0)
        belief, _ = engine.observe(image, vector, action, belief, number == 0)
        plan = engine.actor(belief)[0].copy()
        exploration = _step(exploration, _EXPLORATION, random)
        wandering = _step(wandering, 1.0, random)
        action = to_command(np.clip(from_command(plan[0]) + exploration, -1.0, 1.0).astype(np.float32))
        plan[0] = action
        noise = random.standard_normal((1, manifest.horizon, manifest.latent.stochastic), dtype=np.float32)
        drawn = engine.imagine_beliefs(belief, plan[None], noise)[:, 0].copy()


def _step(value: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """The next value of a first-order autoregressive process of that deviation."""
    fresh = deviation * (1.0 - _PERSISTENCE**2) ** 0.5
    return _PERSISTENCE * value + fresh * random.standard_normal(len(value))
