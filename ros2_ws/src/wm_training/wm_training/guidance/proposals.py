"""Answers of external policies as proposals: commands (N, 3) of steer, throttle and brake."""

from typing import Any

import numpy as np
import torch
from wm_bundle import from_command, to_command

ANSWERS = (
    "expected an object with .sample(n), an array of samples (n, 3) of steer, throttle and brake or (n, 2) of steer "
    "and longitudinal, or a pair of one such action and the standard deviation (2,) of (steer, longitudinal)"
)


def proposals_of(answer: Any, count: int, random: np.random.Generator) -> np.ndarray:
    """Proposals (N, 3) float32 within their limits, of a policy's answer to one observation.

    A distribution (an object with ``sample``) gives ``count`` samples; samples are used as they are, of any number; for
    a pair (action, standard deviation) the first proposal is the action, and the others are drawn around it. Raises
    ValueError for other answers and for numbers that are not finite."""
    if isinstance(answer, tuple):
        if len(answer) != 2 or answer[1] is None:
            raise ValueError(f"the policy answered a tuple of {len(answer)}, {ANSWERS}")
        centre = from_command(_commands(answer[0], single=True))
        width = _array(answer[1]).reshape(-1)
        if width.shape != (2,) or not np.isfinite(width).all() or (width < 0).any():
            raise ValueError(f"the policy answered the standard deviation {width}, {ANSWERS}")
        noise = random.standard_normal((count, 2)) * width
        noise[0] = 0.0
        return to_command(centre + noise)
    if isinstance(answer, torch.distributions.Distribution):
        answer = answer.sample((count,))
    elif hasattr(answer, "sample"):
        answer = answer.sample(count)
    return _commands(answer)


def _commands(value: Any, single: bool = False) -> np.ndarray:
    """(n, 3) commands, n = 1 where a ``single`` one is expected."""
    actions = _array(value)
    if single and actions.ndim == 1:
        actions = actions[None]
    if actions.ndim != 2 or actions.shape[1] not in (2, 3) or not len(actions) or (single and len(actions) != 1):
        raise ValueError(f"the policy answered an array of shape {actions.shape}, {ANSWERS}")
    if not np.isfinite(actions).all():
        raise ValueError(f"the policy answered numbers that are not finite: {actions.tolist()}")
    if actions.shape[1] == 2:
        return to_command(actions)
    return np.clip(actions, np.float32([-1, 0, 0]), np.float32([1, 1, 1]))


def _array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    try:
        return np.asarray(value, np.float32)
    except (TypeError, ValueError):
        raise ValueError(f"the policy answered {type(value).__name__}, {ANSWERS}") from None
