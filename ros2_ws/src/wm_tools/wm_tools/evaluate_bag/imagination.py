"""Futures of any length, and their pictures, from a bundle whose imagination reaches only H steps.

Shapes: B futures, K steps, H the bundle's horizon, F belief features, S stochastic size, C picture channels.
"""

from typing import NamedTuple

import numpy as np
from wm_planner.engine.engine import Engine

_DECODED = 25  # pictures decoded at once


class Futures(NamedTuple):
    """B futures of K steps; step k describes the state that action k led to."""

    reward: np.ndarray
    """(B, K)."""
    continues: np.ndarray
    """(B, K): probability that the episode continues after the step."""
    value: np.ndarray
    """(B, K)."""
    disagreement: np.ndarray | None
    """(B, K): standard deviation of the reward over the ensemble, None without one."""
    beliefs: np.ndarray
    """(B, K, F)."""
    vector: np.ndarray | None = None
    """(B, K, V): the vector inputs, in their units; None from a bundle that imagines none."""


def imagine(engine: Engine, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> Futures:
    """Futures along ``actions`` (B, K, 3) from one ``belief`` (F,), with ``noise`` (B, K, S); zeros give the mean
    future.

    After every H steps each future continues separately from its own belief: the bundle imagines futures of one belief.
    Raises EngineError.
    """
    horizon, steps = engine.manifest.horizon, actions.shape[1]
    parts = [_chunk(engine, belief[None], actions[:, :horizon], noise[:, :horizon])]
    for first in range(horizon, steps, horizon):
        part = slice(first, first + horizon)
        starts = parts[-1].beliefs[:, -1:]
        each = [
            _chunk(engine, start, actions[i : i + 1, part], noise[i : i + 1, part]) for i, start in enumerate(starts)
        ]
        parts.append(_joined(each, axis=0))
    return _joined(parts, axis=1)


def pictures_of(engine: Engine, beliefs: np.ndarray) -> np.ndarray:
    """Decoded pictures uint8 (n, C, H, W) of beliefs (n, F), which the caller may keep. Raises EngineError."""
    image = engine.manifest.image
    pictures = np.empty((len(beliefs), image.channels, image.height, image.width), np.uint8)
    for first in range(0, len(beliefs), _DECODED):
        pictures[first : first + _DECODED] = engine.decode(np.ascontiguousarray(beliefs[first : first + _DECODED]))
    return pictures


def _chunk(engine: Engine, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> Futures:
    """At most H steps; what the bundle imagines beyond the actions is dropped."""
    missing = ((0, 0), (0, engine.manifest.horizon - actions.shape[1]), (0, 0))
    steps = actions.shape[1]
    scores, beliefs = engine.imagine_whole(
        np.ascontiguousarray(belief), np.pad(actions, missing), np.pad(noise, missing)
    )
    disagreement = None if scores.disagreement is None else scores.disagreement[:, :steps].copy()
    vector = None if scores.vector is None else scores.vector[:, :steps].copy()
    return Futures(
        scores.reward[:, :steps].copy(),
        scores.continues[:, :steps].copy(),
        scores.value[:, :steps].copy(),
        disagreement,
        beliefs[:, :steps].copy(),
        vector,
    )


def _joined(parts: list[Futures], axis: int) -> Futures:
    return Futures(*(None if of[0] is None else np.concatenate(of, axis) for of in zip(*parts, strict=True)))
