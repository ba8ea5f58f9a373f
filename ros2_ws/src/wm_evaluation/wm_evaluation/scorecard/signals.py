"""Errors of imagined vector inputs (speed, yaw rate and others), beside those of holding the last one seen."""

from collections.abc import Sequence

import numpy as np

GUESSES = ("imagined", "copy_last")
"""What is compared, in the order of the errors' second axis."""


def signal_errors(
    inputs: Sequence[tuple[str, str]], imagined: np.ndarray, real: np.ndarray, last: np.ndarray
) -> dict[str, np.ndarray]:
    """Absolute errors (M, 2, K) of each vector input by its name, in its unit: ``imagined``, and ``copy_last``, the
    last one seen held. NaN where it, or the last one seen, is unknown, so that both are of the same moments.

    ``inputs`` are names and units; imagined and real (M, K, V), last (M, V). Angles [rad] differ by half a turn at
    most."""
    found = {}
    for column, (name, unit) in enumerate(inputs):
        held = np.broadcast_to(last[:, None, column], real.shape[:2])
        off = np.stack([imagined[..., column] - real[..., column], held - real[..., column]], axis=1)
        if unit == "rad":
            off = np.remainder(off + np.pi, 2.0 * np.pi) - np.pi
        found[name] = np.where(np.isnan(off).any(axis=1, keepdims=True), np.nan, np.abs(off))
    return found
