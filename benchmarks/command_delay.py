"""`python -m benchmarks.command_delay`: the cost of delayed commands, with and without latency compensation.

Drives the built-in simulator in this process, in lock-step, with every command applied a number of periods late. The
planner is the node's own, without a deadline.
"""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from wm_bundle.files import write_json
from wm_evaluation.command_line import DONE, parse, run
from wm_planner.assembly import Parts, build
from wm_planner.config import PlannerConfig
from wm_planner.errors import PlannerError
from wm_planner.pilot.in_flight import CommandsInFlight

from benchmarks.children import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.in_process import eye_of


@dataclass(frozen=True)
class Options:
    """Drive with delayed commands."""

    bundle: Path = ROOT / "models" / "carracing"
    """Folder of the model bundle."""
    delays: tuple[int, ...] = (0, 1, 2)
    """Delays of the commands [periods]."""
    seeds: tuple[int, ...] = (3000, 3001, 3002)
    """Tracks, each driven once with and once without compensation for every delay."""
    steps: int = 0
    """Longest episode [steps], 0 for the simulator's own limit."""
    output: Path = ROOT / "out" / "bench"
    """Folder for command_delay.json."""

    def __post_init__(self):
        if not self.delays or not self.seeds or min(self.delays) < 0 or min(self.seeds) < 0 or self.steps < 0:
            raise ValueError(
                f"delays {self.delays}, seeds {self.seeds}, steps {self.steps}: expected at least one "
                f"delay and one seed, and no negative number"
            )


def measure(options: Options, say: Callable[[str], None]) -> list[dict]:
    """Scores of every delay, with and without compensation. Raises PlannerError for an unusable bundle."""
    parts = build(PlannerConfig(bundle=str(options.bundle), fit_search=False), log=lambda line: None)
    seen = eye_of(parts.bundle.manifest, options.bundle)
    rows = []
    for delay in options.delays:
        for compensated in (False, True) if delay else (False,):
            episodes = [_drive(parts, seen, seed, delay, compensated, options.steps) for seed in options.seeds]
            row = {
                "delay_periods": delay,
                "compensated": compensated,
                "in_flight": float(np.median([flying for *_, flying in episodes])),
                "scores": [round(score, 1) for score, *_ in episodes],
                "mean_score": round(float(np.mean([score for score, *_ in episodes])), 1),
                "off_road_share": round(float(np.mean([share for _, share, _ in episodes])), 3),
            }
            say(json.dumps(row))
            rows.append(row)
    return rows


def _drive(
    parts: Parts, seen: Callable, seed: int, delay: int, compensated: bool, most_steps: int
) -> tuple[float, float, float]:
    """One episode; returns its score, the share of wheels off the road, and the median of the commands in flight."""
    from wm_sim.commands import Command
    from wm_sim.simulation import Simulation

    manifest, planner = parts.bundle.manifest, parts.planner
    in_flight = CommandsInFlight(manifest.control_period_s, manifest.horizon)
    simulation = Simulation(manifest.control_period_s, seed)
    planner.reset()
    tick = simulation.tick(Command())
    on_the_way = [Command()] * delay
    score, off_road, steps, flying = 0.0, 0, 0, []
    while not (tick.outcome.terminated or tick.outcome.truncated or steps == most_steps > 0):
        applied = np.array([tick.applied.steer, tick.applied.throttle, tick.applied.brake], np.float32)
        if steps:
            in_flight.applied(tick.stamp_ns, applied)
        planner.note_command(applied)
        planner.observe(*seen(simulation, tick), tick.stamp_ns)
        plan = planner.plan(math.inf, in_flight=in_flight.before(tick.stamp_ns) if compensated else ())
        flying.append(plan.in_flight)
        in_flight.sent(tick.stamp_ns, plan.action)
        on_the_way.append(Command(*(float(number) for number in plan.action)))
        tick = simulation.tick(on_the_way.pop(0))
        score, off_road, steps = score + tick.outcome.reward, off_road + tick.state.wheels_off_road, steps + 1
    return score, off_road / (4 * steps), float(np.median(flying))


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "command_delay", arguments)
    return run("command_delay", lambda: _main(options), (BenchmarkError, PlannerError, OSError))


def _main(options: Options) -> int:
    rows = measure(options, lambda line: print(f"command_delay: {line}", file=sys.stderr, flush=True))
    write_json(options.output / "command_delay.json", rows)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
