"""The two forms of an action, and conversion between them.

A *command* is what the vehicle accepts: ``[steer, throttle, brake]`` in CARLA's signs and ranges. A *search action* is
what solvers and the actor use: ``[steer, longitudinal]``, both in [-1, 1], where negative longitudinal is braking. So
throttle and brake can never act together, and a search has two dimensions instead of three.
"""

import numpy as np

ACTION_NAMES = ("steer", "throttle", "brake")
ACTION_LOW = (-1.0, 0.0, 0.0)
ACTION_HIGH = (1.0, 1.0, 1.0)


def to_command(search: np.ndarray) -> np.ndarray:
    """Turn search actions (..., 2) into commands (..., 3) float32, clipped to the limits."""
    clipped = np.clip(np.asarray(search, dtype=np.float32), -1.0, 1.0)
    longitudinal = clipped[..., 1]
    return np.stack([clipped[..., 0], np.maximum(longitudinal, 0.0), np.maximum(-longitudinal, 0.0)], axis=-1)


def from_command(command: np.ndarray) -> np.ndarray:
    """Turn commands (..., 3) into search actions (..., 2) float32; throttle minus brake where both are pressed."""
    values = np.asarray(command, dtype=np.float32)
    return np.clip(np.stack([values[..., 0], values[..., 1] - values[..., 2]], axis=-1), -1.0, 1.0)
