"""A planner on a fake engine, as tests/wm_planner/conftest.py has it."""

import numpy as np
from wm_planner.planning.planner import Planner
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers.cem import CEM
from wm_planner.planning.solvers.sampling import SamplingSettings
from wm_planner.planning.tuning import Manner, Tuning

HORIZON = 6
IMAGE = np.zeros((3, 8, 8), np.uint8)
SPEED = np.array([4.0], np.float32)


def settings(candidates: int = 32, iterations: int = 3) -> SamplingSettings:
    return SamplingSettings(candidates, HORIZON, iterations, std=(0.2, 0.2), correlation=0.8, trust=3.0, seed=1)


def cem(candidates: int = 32, iterations: int = 3) -> CEM:
    return CEM(settings(candidates, iterations), candidates // 5)


def make_planner(engine, clock, solver=None, normal=None, policy=None, **tuning) -> Planner:
    tuning = Tuning(solver or cem(), normal or Manner(Scorer(1.0, 1.0)), **tuning)
    planner = Planner(engine, tuning, policy=policy, inputs=("speed",), clock=clock)
    planner.stamp_ns = 0
    return planner


def observe(planner) -> None:
    planner.stamp_ns += 80_000_000
    planner.observe(IMAGE, SPEED, planner.stamp_ns)
