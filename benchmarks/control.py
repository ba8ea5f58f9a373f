"""Latency of control: from a camera picture in memory to the command, in this process, while it drives.

Preprocessing, observe and plan of the bundle, with frames of the built-in simulator that the commands themselves lead
to. What ROS adds, messages and scheduling, is in ``make drive``'s figures.
"""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from wm_planner.assembly import build
from wm_planner.config import PlannerConfig
from wm_planner.continuity import StatusSample
from wm_planner.pilot import Frame

from benchmarks.errors import BenchmarkError
from benchmarks.timing import latency_ms

_TRACK = 2000
_WARM_UP = 5


def measure(bundle: Path, quick: bool) -> dict:
    """Latency of every command of some steps of one drive. Raises PlannerError for a bundle that cannot be used."""
    try:
        from wm_sim.commands import Command
        from wm_sim.simulation import Simulation
    except ImportError as error:
        raise BenchmarkError(f"the built-in simulator cannot be imported ({error}): run `make setup`") from None
    config = replace(PlannerConfig(), bundle=str(bundle))
    parts = build(config, log=lambda line: None)
    simulation = Simulation(parts.bundle.manifest.control_period_s, seed=_TRACK)
    command, seconds, iterations = Command(), [], []
    for _ in range(_WARM_UP + (10 if quick else 190)):
        tick = simulation.tick(command)
        picture = np.ascontiguousarray(simulation.image())
        applied = (tick.applied.steer, tick.applied.throttle, tick.applied.brake)
        parts.pilot.take_status(StatusSample(tick.stamp_ns, tick.state.speed, applied))
        received = time.monotonic()
        height, width = picture.shape[:2]
        frame = Frame(tick.stamp_ns, height, width, "rgb8", 3 * width, picture.data, received)
        decision = parts.pilot.decide(frame)
        seconds.append(time.monotonic() - received)
        if decision.plan is None:
            raise BenchmarkError(f"the planner braked instead of driving: {decision.reason}")
        iterations.append(decision.plan.iterations)
        command = Command(*(float(number) for number in decision.command))
    measured = seconds[_WARM_UP:]
    return {
        "latency_ms": latency_ms(measured),
        "commands": len(measured),
        "candidates": config.candidates,
        "iterations_mean": round(float(np.mean(iterations[_WARM_UP:])), 2),
        "deadline_ms": config.deadline_ms,
        "frames": "built-in simulator, closed loop, in process, without ROS",
    }
