"""How large a search this machine can afford, from the time that a small and a complete one take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from wm_bundle import BundleManifest
from wm_bundle.processes.parameters import NodeParameters

from wm_planner.planning.planner import Planner
from wm_planner.planning.solvers.sampling import FEWEST_CANDIDATES
from wm_planner.planning.tuning import Tuning

_FEWEST = 2 * FEWEST_CANDIDATES  # enough for two futures of each plan when degraded
_SHARE = 0.7  # of the deadline for a typical frame: 1 in 100 takes up to 1.4 times as long
_FRAMES = 6  # of each size; the first one, which allocates, does not count


@dataclass(frozen=True)
class Pace:
    """What one iteration of a search takes, with its share of the rest of a frame: ``iteration_s`` [s], and ``plan_s``
    for every candidate [s]."""

    iteration_s: float
    plan_s: float

    def frame_s(self, config: NodeParameters) -> float:
        """From a picture at the model's size to a completely searched plan [s]."""
        return config.iterations * (self.iteration_s + self.plan_s * config.candidates)

    def afforded(self, config: NodeParameters) -> NodeParameters:
        """``config`` with the largest search that is in time: first fewer candidates, then fewer iterations."""
        budget_s = budget_ms(config) / 1000.0
        if not config.searches or self.frame_s(config) <= budget_s:
            return config
        fewest = min(_FEWEST, config.candidates)
        most = int(budget_s / (self.iteration_s + self.plan_s * fewest))
        iterations = min(config.iterations, max(1, most))
        fitting = int((budget_s / iterations - self.iteration_s) / max(self.plan_s, 1e-9))
        return replace(config, candidates=min(config.candidates, max(fewest, fitting)), iterations=iterations)


def budget_ms(config: NodeParameters) -> float:
    """The part of the deadline that a typical frame may take [ms]."""
    return _SHARE * config.deadline_ms


def measure(
    planner: Planner,
    manifest: BundleManifest,
    config: NodeParameters,
    tune: Callable[[NodeParameters], Tuning],
    clock: Callable[[], float] = time.monotonic,
) -> Pace:
    """Plan from black pictures, with few candidates and with all of ``config``; ``tune`` makes the settings from
    parameters. Leaves the planner reset, with all. Raises EngineError and PlanError."""
    image = np.zeros((manifest.image.channels, manifest.image.height, manifest.image.width), np.uint8)
    vector = np.array([entry.mean for entry in manifest.vector], np.float32)
    counts, taken_s = (min(_FEWEST, config.candidates), config.candidates), []
    for candidates in counts:
        planner.retune(tune(replace(config, candidates=candidates)))
        frames_s = []
        for stamp_ns in range(1, _FRAMES + 1):
            begin_s = clock()
            planner.observe(image, vector, stamp_ns)
            planner.plan(math.inf)
            frames_s.append(clock() - begin_s)
        planner.reset()
        taken_s.append(median(frames_s[1:]) / config.iterations)
    plan_s = max(0.0, taken_s[1] - taken_s[0]) / max(1, counts[1] - counts[0])
    return Pace(taken_s[1] - plan_s * counts[1], plan_s)
