"""Frames imagined by a model, to check a bundle without a recording.

Shapes: C channels, V vector inputs, K cameras, F belief features, H horizon.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from wm_bundle import from_command, to_command

_DREAM = 100  # length of an imagined drive
_EXPLORATION = 0.2  # standard deviation of the noise on the actor's actions, which would soon repeat
_PERSISTENCE = 0.9  # correlation of that noise, and of the vector inputs, from frame to frame


@dataclass(frozen=True)
class Observation:
    """One frame. ``image`` (C, height, width) uint8, ``vector`` (V,) in physical units, ``previous_action`` (3,) the
    command applied until it, ``camera_mask`` (K,) or None for all, ``is_first``: a belief begins with it."""

    image: np.ndarray
    vector: np.ndarray
    previous_action: np.ndarray
    camera_mask: np.ndarray | None
    is_first: bool


def imagined(engine: Any, count: int, seed: int) -> list[Observation]:
    """``count`` frames that the model of ``engine``, such as a wm_planner.engine, decodes from its own futures.

    Every picture is decoded from a belief that the actor, with some noise, leads to; observing it gives the next one.
    Vector inputs vary about as widely as in the training data.
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
    # Any belief can be the first; a random one gives every drive another scene.
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
    """The next value of a first-order autoregressive process with that standard deviation."""
    fresh = deviation * (1.0 - _PERSISTENCE**2) ** 0.5
    return _PERSISTENCE * value + fresh * random.standard_normal(len(value))
