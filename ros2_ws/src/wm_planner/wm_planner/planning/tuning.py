"""Planner settings that may change between two frames."""

import math
from dataclasses import dataclass

from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers.base import Solver


@dataclass(frozen=True)
class Manner:
    """How plans are scored and limited; the planner has one for driving and a cautious one."""

    scorer: Scorer
    limits: ActionLimits = ActionLimits()
    no_throttle_above_mps: float = math.inf


@dataclass(frozen=True)
class Tuning:
    """How to plan.

    ``cautious`` None: the same as ``normal``. ``model_noise`` scales the noise of imagined futures (0: the mean
    prediction); a scorer that needs several futures of a plan then gets noise of scale 1. ``retries``: new searches
    when a plan fails its checks. ``objective_reach``: how far from the actor's throttle or brake a search may begin
    while there are objectives."""

    solver: Solver
    normal: Manner
    cautious: Manner | None = None
    model_noise: float = 0.0
    retries: int = 1
    objective_reach: float = 2.0
