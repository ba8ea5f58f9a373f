"""Speed of imagination: the bundle's imagine.onnx through the planner's engine, as the planner calls it."""

import time
from pathlib import Path

import numpy as np
from wm_bundle import load_bundle, to_command
from wm_planner.config import PlannerConfig
from wm_planner.engine import Engine, EngineSettings

from benchmarks.machine import cores
from benchmarks.timing import median


def measure(bundle: Path, quick: bool) -> dict:
    """Imagined steps per second at the planner's number of candidates, on its one thread and on all cores.

    Raises BundleError and EngineError for a bundle that cannot be run.
    """
    planner = PlannerConfig()
    default = _times(bundle, planner.candidates, planner.threads, quick)
    return default | {"all_cores": _times(bundle, planner.candidates, cores(), quick)}


def _times(bundle: Path, candidates: int, threads: int, quick: bool) -> dict:
    loaded = load_bundle(bundle)
    engine = Engine(loaded, EngineSettings(threads=threads), log=lambda line: None)
    horizon, random = loaded.manifest.horizon, np.random.default_rng(0)
    actions = to_command(random.uniform(-1.0, 1.0, (candidates, horizon, 2)))
    belief, noise = engine.initial_belief(), engine.zero_noise(candidates)
    seconds = []
    for _ in range(5 if quick else 200):
        started = time.perf_counter()
        engine.imagine(belief, actions, noise)
        seconds.append(time.perf_counter() - started)
    typical = median(seconds)
    return {
        "steps_per_s": round(candidates * horizon / typical, 1),
        "candidates": candidates,
        "horizon": horizon,
        "ms": round(1000.0 * typical, 3),
        "threads": threads,
        "provider": engine.provider,
    }
