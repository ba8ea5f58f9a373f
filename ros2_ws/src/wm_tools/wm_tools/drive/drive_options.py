"""Command-line options of `drive`, some shared with `benchmark`, checked before anything starts."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from wm_evaluation.command_line import option, parse, several, words
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError

from wm_tools.common.errors import DriveError
from wm_tools.common.shared_options import PlannerParameters, require_each_once, require_folder
from wm_tools.drive.controllers import CONTROLLERS, REFERENCES, Controller, check_controllers, controller_of
from wm_tools.drive.embedded import EmbeddedOptions

_MAX_SEED = 2**31 - 1


def _read_seeds(given: list[str]) -> tuple[int, ...]:
    """``3000:3009`` (inclusive), ``1,5,7``, or a mix of both."""
    seeds: list[int] = []
    for part in ",".join(given).split(","):
        first, colon, last = part.partition(":")
        begin = _whole_number(first)
        end = _whole_number(last) if colon else begin
        if end < begin or end - begin >= 100_000:
            raise ValueError(f"expected FIRST:LAST with LAST not before FIRST, found '{part}'")
        seeds += range(begin, end + 1)
    return tuple(seeds)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, found '{text}'") from None


def _spell_seeds(seeds: tuple[int, ...]) -> list[str]:
    return [f"{seeds[0]}:{seeds[-1]}"] if seeds == tuple(range(seeds[0], seeds[-1] + 1)) else list(map(str, seeds))


def _controller(text: str) -> str:
    controller_of(text)  # raises ValueError for an invalid one
    return text


Seeds = Annotated[tuple[int, ...], words(_read_seeds, "SEED|FIRST:LAST [...]", _spell_seeds)]


@dataclass(frozen=True, kw_only=True)
class DrivingOptions(EmbeddedOptions):
    """Options shared by `drive` and `benchmark`. Each adds ``seeds`` and ``output`` with its own defaults."""

    bundle: Annotated[Path | None, option("DIR", default="the bundle shipped with wm_planner")] = None
    """Folder of the model bundle."""
    parameters: PlannerParameters = ()
    """Parameters of the planner node, such as candidates=128 (ros2 run wm_planner planner --help lists them), for every
    controller that uses it."""
    max_steps: Annotated[int | None, option("N", default="when the simulator ends it")] = None
    """End every episode after N control steps."""

    def __post_init__(self):
        super().__post_init__()
        usable = all(0 <= seed <= _MAX_SEED for seed in self.seeds)
        require(self.seeds and usable, "--seeds", f"whole numbers from 0 to {_MAX_SEED}", self.seeds or "none")
        require(len(set(self.seeds)) == len(self.seeds), "--seeds", "every value once", self.seeds)
        require_each_once(self.parameters)
        try:
            PlannerConfig.from_values(dict(self.parameters))
        except ConfigError as error:
            raise ValueError(f"the planner refuses: {error}") from None
        require(self.max_steps is None or self.max_steps >= 1, "--max-steps", "1 or more", self.max_steps)
        require_folder(self.output)


@dataclass(frozen=True, kw_only=True)
class DriveOptions(DrivingOptions):
    """Drives controllers through ROS topics in the built-in simulator, one episode for each seed, and writes
    summary.json and report.html. Simulator and planner run as separate processes in a private ROS domain, reachable
    from this machine only.

    Exit code: 0; 1 when it cannot continue; 2 for wrong usage; 128 + the signal's number when stopped by one.
    """

    output: Annotated[Path, option("DIR")] = Path("out/drive")
    """Folder for summary.json, report.html and logs/."""
    seeds: Seeds = (2000, 2001, 2002)
    """Tracks to drive, each once with every controller: numbers, or 3000:3009 (inclusive)."""
    controllers: Annotated[tuple[str, ...], several(_controller, "NAME")] = ("planner", "actor", *REFERENCES)
    """planner: the model imagines and plans, with the planner's default solver; shooting, cem, mppi: with that solver;
    actor: only the model's actor; policy: only the file of --set proposal_policy=FILE.onnx; NAME=FILE.onnx: only that
    policy file; expert: the simulator's script, which sees the track; random: smooth random actions."""
    real_time_factor: Annotated[float, option("X")] = 1.0
    """Simulated seconds per second of wall time for planner and actor, 0 for as fast as commands arrive; expert and
    random always drive as fast as possible."""

    def __post_init__(self):
        check_controllers(self.entries, self.parameters)
        others = [text for text, entry in zip(self.controllers, self.entries, strict=True) if entry.bundle]
        known = f"some of {', '.join(CONTROLLERS)} or NAME=FILE.onnx (benchmark compares bundles)"
        require(not others, "--controllers", known, others)
        factor = self.real_time_factor
        usable = math.isfinite(factor) and 0.0 <= factor <= 100.0
        require(usable, "--real-time-factor", "0 (as fast as possible) to 100", factor)
        super().__post_init__()

    @property
    def entries(self) -> tuple[Controller, ...]:
        """The controllers, parsed."""
        return tuple(controller_of(text) for text in self.controllers)


def require(holds, what: str, expected: str, found) -> None:
    """Unless it ``holds``, raise ValueError for an option with what was ``expected`` and ``found``."""
    if not holds:
        spelled = ", ".join(map(str, found)) if isinstance(found, list | tuple) else found
        raise ValueError(f"{what}: expected {expected}, found {spelled}")


def parse_options(words: list[str]) -> DriveOptions:
    """Parse the command line without the ROS arguments."""
    return parse(DriveOptions, "ros2 run wm_tools drive", words, refused=DriveError)
