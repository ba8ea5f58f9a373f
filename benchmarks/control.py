"""Latency of control: from a camera picture in memory to the serialised command, in this process.

First a closed-loop drive in the built-in simulator. Then a table over candidates, horizon, iterations and precision,
with untrained models of the bundle's sizes and noise pictures. The messages and scheduling of the ROS graph are not
included, but are in the figures of ``make drive``.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from wm_bundle import CameraSpec
from wm_bundle.pictures.frames import Frame, RawImage
from wm_bundle.times import NS_PER_S
from wm_bundle.vehicle_commands.writing import CommandWriter
from wm_planner.assembly import Parts, build
from wm_planner.config import PlannerConfig
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.pilot import Decision

from benchmarks import untrained
from benchmarks.errors import BenchmarkError
from benchmarks.timing import Budget, latency_ms

_TRACK = 2000
_WARM_UP = 5
_LEAST = _WARM_UP + 5  # frames of every setting, however slow
# Candidates, horizon [steps] and iterations of the search.
_SEARCHES = ((64, 12, 2), (100, 15, 1), (100, 15, 2), (128, 16, 2), (256, 16, 1))
_QUICK_SEARCHES = ((8, 2, 2),)
_NO_DEADLINE_MS = 10_000.0


class Stages:
    """Measures where the time of a command goes, by wrapping the planner's parts.

    ``preprocess`` is everything outside the planner and publishing: pictures, and the pilot's checks of them. ``solve``
    is the planning time outside the model: sampling, scoring, the actor's proposal.
    """

    def __init__(self, parts: Parts):
        self._pilot = parts.pilot
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._spent: dict[str, float] = defaultdict(float)
        for owner, name in ((parts.engine, "imagine"), (parts.planner, "observe"), (parts.planner, "plan")):
            setattr(owner, name, self._timed(name, getattr(owner, name)))

    def decide(self, frame: Frame) -> Decision:
        """Run a frame through the pilot, and serialise its command."""
        self._spent.clear()
        started = time.perf_counter()
        decision = self._pilot.decide(frame)
        decided = time.perf_counter()
        _published(decision, frame.stamp_ns, self._pilot.writer)
        published = time.perf_counter()
        if decision.plan is None:
            raise BenchmarkError(f"the planner braked instead of driving: {decision.reason}")
        spent = self._spent
        parts = {
            "preprocess": decided - started - spent["observe"] - spent["plan"],
            "observe": spent["observe"],
            "imagine": spent["imagine"],
            "solve": spent["plan"] - spent["imagine"],
            "publish": published - decided,
        }
        for name, seconds in parts.items():
            self.seconds[name].append(seconds)
        self.seconds["whole"].append(published - started)
        return decision

    def summary(self) -> dict:
        """Latency [ms] and its shares by stage, without the first frames."""
        measured = {name: values[_WARM_UP:] for name, values in self.seconds.items()}
        whole = measured.pop("whole")
        shares = {name: round(sum(values) / sum(whole), 4) for name, values in measured.items()}
        return {"latency_ms": latency_ms(whole), "shares": shares, "commands": len(whole)}

    def _timed(self, name: str, function: Callable) -> Callable:
        def timed(*arguments, **options):
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self._spent[name] += time.perf_counter() - started

        return timed


def measure(bundle: Path, quick: bool, say: Callable[[str], None], budget: Budget) -> dict:
    """Latency of every command of one drive, and of the table's searches, by candidates x horizon x iterations. Raises
    PlannerError for an unusable bundle, BenchmarkError if the planner brakes."""
    say("control, a drive")
    result = _drive(bundle, 10 if quick else 190, budget.share(0.2))
    table, bundles, sizes = {}, {}, untrained.sizes_of(bundle)
    with tempfile.TemporaryDirectory() as folder:
        searches = _QUICK_SEARCHES if quick else _SEARCHES
        settings = 2 * len(searches)
        for candidates, horizon, iterations in searches:
            if horizon not in bundles:
                full = untrained.write_untrained(Path(folder) / f"float32_{horizon}", sizes, horizon)
                reduced = untrained.write_reduced(Path(folder) / f"int8_{horizon}", full)
                bundles[horizon] = {"float32": full.path, "int8": reduced.path}
            for precision, path in bundles[horizon].items():
                say(f"control, {candidates} x {horizon} x {iterations} in {precision}")
                share = budget.share(1 / (settings - len(table)))
                found = _search(path, candidates, iterations, 5 if quick else 60, share)
                table[f"{candidates} x {horizon} x {iterations} {precision}"] = found
    return result | {"table": table}


def _drive(bundle: Path, steps: int, budget: Budget) -> dict:
    try:
        from wm_sim.commands import Command
        from wm_sim.simulation import Simulation
    except ImportError as error:
        raise BenchmarkError(f"the built-in simulator cannot be imported ({error}): run `make setup`") from None
    # Late frames on a busy machine are part of the measurement and must not end the drive.
    config = replace(PlannerConfig(), bundle=str(bundle), deadline_frames=0, fit_search=False)
    parts = build(config, log=lambda line: None)
    stages, iterations = Stages(parts), []
    simulation = Simulation(parts.bundle.manifest.control_period_s, seed=_TRACK)
    command = Command()
    for _ in budget.turns(_WARM_UP + steps, _LEAST):
        tick = simulation.tick(command)
        applied = (tick.applied.steer, tick.applied.throttle, tick.applied.brake)
        parts.pilot.take("speed", Sample(tick.stamp_ns, tick.state.speed, applied))
        decision = stages.decide(_frame(tick.stamp_ns, np.ascontiguousarray(simulation.world.image())))
        iterations.append(decision.plan.iterations)
        command = Command(*(float(number) for number in decision.command))
    return stages.summary() | {
        "candidates": config.candidates,
        "horizon": parts.bundle.manifest.horizon,
        "iterations_mean": round(float(np.mean(iterations[_WARM_UP:])), 2),
        "deadline_ms": config.deadline_ms,
        "frames": "built-in simulator, closed loop, in process, without ROS",
    }


def _search(bundle: Path, candidates: int, iterations: int, steps: int, budget: Budget) -> dict:
    # No search here is a cautious one, which would refuse few candidates.
    config = replace(
        PlannerConfig(),
        bundle=str(bundle),
        candidates=candidates,
        iterations=iterations,
        deadline_ms=_NO_DEADLINE_MS,
        deadline_frames=0,
        cautious_risk=0.0,
        fit_search=False,
    )
    parts = build(config, log=lambda line: None)
    stages, manifest = Stages(parts), parts.bundle.manifest
    camera, random = manifest.image.cameras[0], np.random.default_rng(0)
    for number in budget.turns(_WARM_UP + steps, _LEAST):
        stamp_ns = round((number + 1) * manifest.control_period_s * NS_PER_S)
        parts.pilot.take("speed", Sample(stamp_ns, 5.0, (0.0, 0.3, 0.0)))
        stages.decide(_frame(stamp_ns, _noise(camera, random)))
    return stages.summary()


def _frame(stamp_ns: int, picture: np.ndarray) -> Frame:
    height, width = picture.shape[:2]
    raw = RawImage(stamp_ns, height, width, "rgb8", 3 * width, picture.data)
    return Frame(stamp_ns, (raw,), time.monotonic())


def _noise(camera: CameraSpec, random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 256, (camera.source_height, camera.source_width, 3), dtype=np.uint8)


def _published(decision: Decision, stamp_ns: int, write: CommandWriter) -> bytes:
    from rclpy.serialization import serialize_message
    from wm_planner.node.messages import time_message

    return serialize_message(write(decision.command, time_message(stamp_ns)))
