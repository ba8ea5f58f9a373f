"""`ros2 run wm_sim evaluate_expert`: an expert's score over a range of seeds, without ROS and without drawing."""

import json
import math
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from wm_sim.commands import Command
from wm_sim.simulation import EpisodeResult, Simulation
from wm_sim.ticks import frames_per_tick
from wm_sim.worlds import DEFAULT_WORLD, WORLDS

Z_95 = 1.96  # half-width of a 95 % interval of the mean, in standard errors


@dataclass(frozen=True)
class Arguments:
    """Drive a world's scripted expert with many seeds and print its mean score, its 95 % interval and its worst one."""

    world: Literal[tuple(WORLDS)] = DEFAULT_WORLD
    """What is simulated."""
    seeds: str = "1000:1050"
    """Seeds as FIRST:END, END not included, or a single number."""
    fixed_delta_seconds: float = 0.08
    """[s] length of a control tick: 0.02, 0.04, 0.06 or 0.08."""
    json: Path | None = None
    """File to write every episode's result to."""


def drive_expert(seed: int, fixed_delta_seconds: float, world: str = DEFAULT_WORLD) -> EpisodeResult:
    """One episode of the world's expert with ``seed``."""
    simulation = Simulation(fixed_delta_seconds, seed, world)
    tick = simulation.tick(Command())
    while tick.result is None:
        tick = simulation.tick(tick.expert)
    return tick.result


def summary(results: list[EpisodeResult]) -> dict:
    """Mean score, the half-width of its 95 % interval (NaN for one episode), the worst one's seed and score, and the
    counts of endings and infractions."""
    scores = np.array([result.score for result in results])
    spread = scores.std(ddof=1) if len(scores) > 1 else math.nan
    worst = results[int(scores.argmin())]
    return {
        "mean_score": float(scores.mean()),
        "ci95": float(Z_95 * spread / math.sqrt(len(scores))),
        "worst_seed": worst.seed,
        "worst_score": worst.score,
        "endings": dict(Counter(result.ending for result in results)),
        "infractions": dict(Counter(name for result in results for name in result.infractions)),
        "episodes": len(results),
    }


def counted(counts: dict[str, int]) -> str:
    """Names with their counts, for people."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def parse_seeds(text: str) -> range:
    """``FIRST:END`` or ``N``; raises ValueError for anything else."""
    first, colon, end = text.partition(":")
    try:
        seeds = range(int(first), int(end)) if colon else range(int(first), int(first) + 1)
    except ValueError:
        seeds = range(0)
    if not seeds or seeds[0] < 0:
        raise ValueError(f"--seeds must be FIRST:END with 0 <= FIRST < END, or one number, got {text!r}")
    return seeds


def main() -> int:
    """Exit code 0, or 2 for invalid arguments."""
    arguments = tyro.cli(Arguments, prog="evaluate_expert")
    console = Console(stderr=True)
    try:
        seeds = parse_seeds(arguments.seeds)
        frames_per_tick(arguments.fixed_delta_seconds)
        if arguments.json and not arguments.json.parent.is_dir():
            raise ValueError(f"--json: the folder {arguments.json.parent} does not exist")
        results = [
            drive_expert(seed, arguments.fixed_delta_seconds, arguments.world)
            for seed in track(seeds, "driving", console=console)
        ]
        outcome = summary(results)
        if arguments.json:
            content = {
                "world": arguments.world,
                "fixed_delta_seconds": arguments.fixed_delta_seconds,
                **outcome,
                "results": [asdict(result) for result in results],
            }
            arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(
        f"mean {outcome['mean_score']:.1f} +- {outcome['ci95']:.1f} (95 %), worst {outcome['worst_score']:.1f} on "
        f"seed {outcome['worst_seed']}; of {outcome['episodes']}: "
        f"{counted(outcome['endings'])}; infractions: {counted(outcome['infractions']) or 'none'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
