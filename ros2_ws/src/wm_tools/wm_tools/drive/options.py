"""What the user may ask of `drive`, checked before anything starts."""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from wm_planner import config
from wm_planner.command_line import CommandParser
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import assignment
from wm_sim.worlds import DEFAULT_WORLD

from wm_tools.common.errors import DriveError
from wm_tools.drive.embedded import add_embedded_options, check_embedded_options
from wm_tools.drive.entries import CONTROLLERS, REFERENCES, Entry, check_entries, entry_of

_MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class DriveOptions:
    """One drive. Raises DriveError naming the field and its value where it makes no sense."""

    bundle: Path | None = None  # None: the one that ships with this package
    output: Path = Path("out/drive")
    seeds: tuple[int, ...] = (2000, 2001, 2002)
    controllers: tuple[str, ...] = ("planner", "actor", *REFERENCES)
    parameters: tuple[tuple[str, bool | int | float | str], ...] = ()  # of the planner node, name and value
    real_time_factor: float = 1.0  # simulated seconds per second of wall time; 0: as fast as possible
    max_steps: int | None = None  # control steps in an episode; None: until the simulator ends it
    role_name: str = "ego_vehicle"
    world: str = DEFAULT_WORLD
    objects_definition_file: Path | None = None  # the simulator's spawn file; None: its one built-in camera
    start_timeout: float = 600.0  # longest wait for the planner to be ready [s]

    def __post_init__(self):
        check_entries(self.entries, self.parameters)
        others = [text for text, entry in zip(self.controllers, self.entries, strict=True) if entry.bundle]
        _require(
            not others,
            "--controllers",
            f"some of {_spell(CONTROLLERS)} or NAME=FILE.onnx (benchmark compares bundles)",
            _spell(others),
        )
        factor = self.real_time_factor
        usable = math.isfinite(factor) and 0.0 <= factor <= 100.0
        _require(usable, "--real-time-factor", "0 (as fast as possible) to 100", factor)
        check_options(self)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The controllers, read."""
        return tuple(entry_of(text) for text in self.controllers)


def check_options(options) -> None:
    """Raise DriveError where ``seeds``, ``parameters``, ``max_steps``, ``role_name``, ``output`` or those of the
    built-in simulator make no sense: the options that drive and benchmark share."""
    _require_set("--seeds", options.seeds, f"whole numbers from 0 to {_MAX_SEED}", lambda s: 0 <= s <= _MAX_SEED)
    _require_planner_takes(options.parameters)
    _require(options.max_steps is None or options.max_steps >= 1, "--max-steps", "1 or more", options.max_steps)
    role = options.role_name
    usable = role.isascii() and role.isidentifier() and not role.startswith("_")
    _require(usable, "--role-name", "a ROS name (a letter, then letters, digits and _)", f"'{role}'")
    _require_folder(options.output)
    check_embedded_options(options)


def parse_options(arguments: list[str]) -> DriveOptions:
    """Read the command line; ends the process with help or a message (exit code 2) like every argparse
    program."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    if isinstance(values["seeds"], list):
        values["seeds"] = [seed for part in values["seeds"] for seed in part]
    try:
        return DriveOptions(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except DriveError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    defaults = {field.name: field.default for field in fields(DriveOptions)}
    parser = CommandParser(
        "drive",
        description="Drives controllers through ROS topics in the built-in simulator, one episode for each "
        "seed, and writes summary.json and report.html. Simulator and planner run as processes of their own, "
        "in a ROS domain of their own, reachable from this machine only.",
    )
    parser.set_defaults(**defaults)
    _add_drivers(parser, defaults)
    _add_drive(parser, defaults)
    add_embedded_options(parser, defaults)
    return parser


def _add_drivers(parser: argparse.ArgumentParser, defaults: dict) -> None:
    """Who drives."""
    add = parser.add_argument
    add(
        "--bundle",
        type=Path,
        metavar="DIR",
        help="folder of the model bundle (default: the one that ships with wm_planner)",
    )
    add(
        "--controllers",
        nargs="+",
        metavar="NAME",
        help="planner: the model imagines and plans, with the planner's own solver; shooting, cem, mppi: with "
        "that one; actor: its actor alone; policy: the file of --set proposal_policy=FILE.onnx alone; "
        "NAME=FILE.onnx: that policy file alone; expert: the simulator's script that sees the track; random: smooth "
        "random actions (default: "
        f"{_spell(defaults['controllers'], ' ')})",
    )
    add(
        "--set",
        dest="parameters",
        type=assignment,
        nargs="+",
        metavar="NAME=VALUE",
        help="parameters of the planner node, such as candidates=128 (ros2 run wm_planner planner --help lists "
        "them), for every controller that has one",
    )


def _add_drive(parser: argparse.ArgumentParser, defaults: dict) -> None:
    """What is driven, and where its results go."""
    add = parser.add_argument
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"folder for summary.json, report.html and logs/ (default: {defaults['output']})",
    )
    add(
        "--seeds",
        type=seed_list,
        nargs="+",
        metavar="SEEDS",
        help="tracks to drive, each once with every controller: numbers, or 3000:3009 with both ends (default: "
        f"{_spell(defaults['seeds'], ' ')})",
    )
    add(
        "--real-time-factor",
        type=_number,
        metavar="X",
        help="simulated seconds per second of wall time for planner and actor, 0 for as fast as commands "
        f"come; expert and random always drive as fast as possible (default: {defaults['real_time_factor']})",
    )
    add(
        "--max-steps",
        type=whole_number,
        metavar="N",
        help="end every episode after N control steps (default: when the simulator ends it)",
    )
    add("--role-name", metavar="NAME", help=f"name of the car in topic names (default: {defaults['role_name']})")


def whole_number(text: str) -> int:
    """For argparse."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, found '{text}'") from None


def seed_list(text: str) -> list[int]:
    """For argparse: ``3000:3009`` with both ends, ``1,5,7``, or both mixed."""
    seeds = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        begin = whole_number(first)
        end = whole_number(last) if colon else begin
        if end < begin or end - begin >= 100_000:
            raise argparse.ArgumentTypeError(f"expected FIRST:LAST with LAST not before FIRST, found '{part}'")
        seeds += range(begin, end + 1)
    return seeds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, found '{text}'") from None


def _require(holds, what: str, expected: str, found) -> None:
    if not holds:
        raise DriveError(f"{what}: expected {expected}, found {found}")


def _require_set(what: str, values: tuple, expected: str, usable: Callable[..., bool]) -> None:
    """One value or more, each usable, none twice."""
    _require(values, what, expected, "none")
    for value in values:
        _require(usable(value), what, expected, f"'{value}'")
    _require(len(set(values)) == len(values), what, "every value once", _spell(values))


def _require_planner_takes(parameters: tuple[tuple[str, object], ...]) -> None:
    """The planner's own check of its parameters, before its node starts."""
    names = [name for name, _ in parameters]
    _require(len(set(names)) == len(names), "--set", "every parameter once", _spell(names))
    try:
        config.PlannerConfig.from_values(dict(parameters))
    except ConfigError as error:
        raise DriveError(f"the planner refuses: {error}") from None


def _require_folder(folder: Path) -> None:
    """The output must be a folder, or free to become one."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            return
        if place.exists():
            raise DriveError(f"--output: expected a folder, found the file {place}; choose another place")


def _spell(values, separator: str = ", ") -> str:
    return separator.join(str(value) for value in values)
