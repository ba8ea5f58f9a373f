"""The result of imagining. Without onnxruntime: parameters are also checked where it is not installed."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Imagined:
    """imagine.onnx's output for N candidates: each (N, H) float32; entry h is the state reached by action h.

    ``disagreement`` and ``value_disagreement`` are the standard deviation of reward and value over the members of
    the model's ensemble, None for a model without one. ``vector`` (N, H, V): the vector inputs expected there, in their
    units, in the bundle's order; ``reward_terms`` (N, H, R): the terms of the reward; None for a model without them.
    """

    reward: np.ndarray
    continues: np.ndarray
    value: np.ndarray
    disagreement: np.ndarray | None = None
    value_disagreement: np.ndarray | None = None
    vector: np.ndarray | None = None
    reward_terms: np.ndarray | None = None
