"""Where a search begins while objectives ask for another speed than the actor's.

The box around the actor's plan is narrow, and the actor knows nothing of objectives: a plan that keeps a fifth of its
speed is far outside. So the search begins at the best of a few plans with any throttle or brake, and keeps its narrow
box, around that one. They all steer as the actor would if it were driven like the last plan.

Shapes: K plans, H horizon. Plans are search actions (steer, longitudinal), each in [-1, 1].
"""

from collections.abc import Callable

import numpy as np
from wm_bundle import from_command, to_command

_LEVELS = np.linspace(-1.0, 1.0, 9, dtype=np.float32)  # between full brake and full throttle
_CHANGES = np.array([0.04, -0.04, 0.12, -0.12, 0.4, -0.4], np.float32)  # of the last plan
STEPS_STEERED = 3  # by one answer of the actor: it cannot know how its pedals will be changed


def openings(last: np.ndarray, actor: np.ndarray, reach: float, hurries: bool = True) -> np.ndarray:
    """Longitudinal plans (K, H), all within ``reach`` of ``actor`` (H,), and not above it unless an objective
    ``hurries``: at speeds that nobody drove a model knows nothing. The most useful ones first: the ``last`` plan
    (H,) as it is and changed, the actor's, constant ones, and ones that hold a level for a third of the horizon only
    and then go on like the last plan."""
    steps = len(actor)
    constant = np.repeat(_LEVELS[:, None], steps, axis=1)
    short = np.where(np.arange(steps) < max(1, steps // 3), constant, last)
    changed = last + _CHANGES[:, None]
    plans = np.concatenate([last[None], changed[:4], constant, actor[None], changed[4:], short])
    return np.clip(plans, np.maximum(actor - reach, -1.0), np.minimum(actor + reach * hurries, 1.0))


def steered(
    actor: Callable[[np.ndarray], np.ndarray],
    advance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    belief: np.ndarray,
    longitudinal: np.ndarray,
    limit: Callable[[np.ndarray], None],
) -> np.ndarray:
    """The plan (H, 2) of an actor that steers while its pedals are replaced by ``longitudinal`` (H,).

    ``actor``: commands (H, 3) from a belief, and ``advance``: the belief after commands, as the engine has them.
    ``belief`` is the one that the plan begins at; ``limit`` brings plans (1, H, 2) within their limits, in place."""
    plan = np.stack([np.zeros_like(longitudinal), longitudinal], axis=-1)
    for begin in range(0, len(plan), STEPS_STEERED):
        if begin:
            belief = advance(belief, to_command(plan[begin - STEPS_STEERED : begin]))
        steer = from_command(actor(belief))[:, 0]
        plan[begin:, 0] = steer[: len(plan) - begin]
        limit(plan[None])
    return plan
