"""Other actions than the recorded or the actor's: with noise, or with one disturbance each.

Everything works on search actions, (steer, longitudinal) in [-1, 1]. The disturbances are those that recorded drives
hardly hold and a policy must know how to come back from.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NOISE_LASTS_S = 0.4
"""Correlation time of the noise of ``with_noise`` [s]."""
STEER, LONGITUDINAL = 0, 1


@dataclass(frozen=True)
class Disturbance:
    """What is done instead of the H actions that a driver chooses: scale_h · chosen_{h - delay_h} + offset_h in step h.

    Those that last for a moment begin in the first half of the drive, so that there is time to come back.
    """

    name: str
    scale: np.ndarray
    """float32 (H, 2)."""
    offset: np.ndarray
    """float32 (H, 2)."""
    delay: np.ndarray
    """int64 (H,), at most h in step h [steps]."""


def with_noise(actions: np.ndarray, period_s: float, strength: float, random: np.random.Generator) -> np.ndarray:
    """Actions (H, 2) plus an Ornstein-Uhlenbeck process of standard deviation ``strength``, clipped.

    White noise would cancel out before the car has moved.
    """
    keep = float(np.exp(-period_s / NOISE_LASTS_S))
    noise = random.normal(0.0, strength, actions.shape)
    for h in range(1, len(noise)):
        noise[h] = keep * noise[h - 1] + np.sqrt(1.0 - keep**2) * noise[h]
    return np.clip(actions + noise, -1.0, 1.0).astype(np.float32)


def draw_disturbance(rows: int, period_s: float, random: np.random.Generator) -> Disturbance:
    """One of ``DISTURBANCES`` for ``rows`` H steps, its place and strength drawn too."""
    name = list(DISTURBANCES)[int(random.integers(len(DISTURBANCES)))]
    scale, offset = np.ones((rows, 2), np.float32), np.zeros((rows, 2), np.float32)
    delay = np.zeros(rows, np.int64)
    DISTURBANCES[name](scale, offset, delay, period_s, random)
    return Disturbance(name, scale, offset, np.minimum(delay, np.arange(rows)))


def _stretch(rows: int, shortest_s: float, longest_s: float, period_s: float, random: np.random.Generator) -> slice:
    start = int(random.integers(0, max(1, rows // 2)))
    return slice(start, start + max(1, round(random.uniform(shortest_s, longest_s) / period_s)))


def _swerve(scale, offset, delay, period_s, random) -> None:
    rows = _stretch(len(scale), 0.3, 1.0, period_s, random)
    offset[rows, STEER] = random.choice([-1.0, 1.0]) * random.uniform(0.2, 0.8)


def _weave(scale, offset, delay, period_s, random) -> None:
    turns = period_s * np.arange(len(scale)) / random.uniform(1.0, 3.0) + random.uniform()
    offset[:, STEER] = random.uniform(0.1, 0.4) * np.sin(2.0 * np.pi * turns)


def _brake(scale, offset, delay, period_s, random) -> None:
    rows = _stretch(len(scale), 0.5, 1.5, period_s, random)
    scale[rows, LONGITUDINAL], offset[rows, LONGITUDINAL] = 0.0, -random.uniform(0.3, 1.0)


def _accelerate(scale, offset, delay, period_s, random) -> None:
    rows = _stretch(len(scale), 0.5, 2.0, period_s, random)
    scale[rows, LONGITUDINAL], offset[rows, LONGITUDINAL] = 0.0, random.uniform(0.5, 1.0)


def _coast(scale, offset, delay, period_s, random) -> None:
    scale[_stretch(len(scale), 0.5, 2.0, period_s, random), LONGITUDINAL] = 0.0


def _late(scale, offset, delay, period_s, random) -> None:
    delay[:] = max(1, round(random.uniform(0.1, 0.4) / period_s))


def _hold(scale, offset, delay, period_s, random) -> None:
    rows = _stretch(len(scale), 0.3, 1.0, period_s, random)
    delay[rows] = np.arange(len(delay[rows]))


def _scaled_steering(scale, offset, delay, period_s, random) -> None:
    scale[:, STEER] = random.uniform(0.5, 1.5)


DISTURBANCES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, float, np.random.Generator], None]] = {
    "swerve": _swerve,
    "weave": _weave,
    "brake": _brake,
    "accelerate": _accelerate,
    "coast": _coast,
    "late": _late,
    "hold": _hold,
    "scaled steering": _scaled_steering,
}
"""Each writes into scale, offset and delay of a Disturbance that changes nothing yet."""
