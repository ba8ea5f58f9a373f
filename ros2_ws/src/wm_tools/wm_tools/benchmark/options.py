"""What the user may ask of `benchmark`, checked before anything starts."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from wm_planner.command_line import CommandParser
from wm_planner.config import PlannerConfig
from wm_planner.launching.assignments import assignment
from wm_sim.worlds import DEFAULT_WORLD

from wm_tools.benchmark.disturbance import KINDS, Disturbance
from wm_tools.common.errors import DriveError, EvaluationError
from wm_tools.common.thresholds import Threshold
from wm_tools.drive.embedded import add_embedded_options
from wm_tools.drive.entries import CONTROLLERS, REFERENCES, Entry, check_entries, entry_of
from wm_tools.drive.options import check_options, seed_list, whole_number

LOCK_STEP, REAL_TIME = "lock-step", "real-time"
MODES = (LOCK_STEP, REAL_TIME)
AS_FOUND = "as-found"  # the mode of a simulator that was running before
EMBEDDED, EXTERNAL = "embedded", "external"
SIMULATORS = (EMBEDDED, EXTERNAL)


@dataclass(frozen=True)
class BenchmarkOptions:
    """One benchmark. Raises DriveError naming the option and its value where it makes no sense."""

    output: Path = Path("out/benchmark")
    bundle: Path | None = None  # None: the one that ships with this package
    controllers: tuple[Entry, ...] = tuple(Entry(name, name) for name in ("planner", "actor", *REFERENCES))
    seeds: tuple[int, ...] = tuple(range(3000, 3010))
    episodes: int | None = None  # None: one for each seed
    modes: tuple[str, ...] = MODES
    parameters: tuple[tuple[str, bool | int | float | str], ...] = ()
    max_steps: int | None = None
    simulator: str = EMBEDDED
    role_name: str = "ego_vehicle"
    world: str = DEFAULT_WORLD
    objects_definition_file: Path | None = None  # the built-in simulator's spawn file; None: its one built-in camera
    start_timeout: float = 600.0  # longest wait for the planner to be ready [s]
    sweep: tuple[Disturbance, ...] = ()
    resume: bool = False
    thresholds: tuple[Threshold, ...] = ()
    list_metrics: bool = False
    write_scores: bool = False

    def __post_init__(self):
        check_options(self)
        _require(
            self.simulator == EMBEDDED or (self.world == DEFAULT_WORLD and self.objects_definition_file is None),
            "--simulator external",
            "neither --world nor --objects-definition-file, which are the built-in one's",
            "one of them",
        )
        check_entries(self.controllers, self.parameters)
        names = [entry.name for entry in self.controllers]
        _require(self.modes and len(set(self.modes)) == len(self.modes), "--modes", "each mode once", self.modes)
        count, most = self.episodes, len(self.seeds)
        _require(count is None or 1 <= count <= most, "--episodes", f"1 to the number of seeds, {most}", count)
        _require(
            not self.sweep or any(entry.has_model for entry in self.controllers),
            "--sweep",
            "a controller with a model: expert and random neither see pictures nor wait for them",
            names,
        )
        transport = dict(self.parameters).get("image_transport", "raw")
        _require(not self.sweep or transport == "raw", "--sweep", "--set image_transport=raw", transport)

    @property
    def tracks(self) -> tuple[int, ...]:
        """The seeds that are driven."""
        return self.seeds[: self.episodes]

    def modes_of(self, entry: Entry) -> tuple[str, ...]:
        """How a controller drives: expert and random have no latency, so they drive in lock-step alone."""
        if self.simulator == EXTERNAL:
            return (AS_FOUND,)
        return self.modes if entry.has_model else (LOCK_STEP,)


def parse_options(arguments: list[str]) -> BenchmarkOptions:
    """Read the command line; ends the process with help or a message (exit code 2) like every argparse program."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    try:
        values["sweep"] = tuple(disturbance for part in values["sweep"] for disturbance in _sweep(part))
        return BenchmarkOptions(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except DriveError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    defaults = {field.name: field.default for field in fields(BenchmarkOptions)}
    parser = CommandParser(
        "benchmark",
        description="Drives controllers over the same tracks through ROS topics, every episode in processes of its "
        "own, and compares them: benchmark.json, report.html and episodes.jsonl. A controller or simulator that "
        "crashes makes its episode a failure, which counts with what was driven until then.",
    )
    parser.set_defaults(**defaults)
    add = parser.add_argument
    add(
        "--controllers",
        type=_list_of(_entry),
        metavar="LIST",
        help=f"separated by commas: {', '.join(CONTROLLERS)}, as in drive, NAME=BUNDLE_DIR for the planner with "
        "another bundle, or NAME=FILE.onnx for a policy file alone (default: planner,actor,expert,random)",
    )
    add(
        "--seeds",
        type=seed_list,
        metavar="SEEDS",
        help="tracks: 3000:3009 (both ends are driven), 1,5,7 or both mixed (default: 3000:3009)",
    )
    add("--episodes", type=whole_number, metavar="N", help="drive the first N seeds only")
    add(
        "--modes",
        type=_list_of(_mode),
        metavar="LIST",
        help="lock-step: simulated time waits for every command; real-time: it does not. expert and random drive in "
        "lock-step only (default: lock-step,real-time)",
    )
    add("--bundle", type=Path, metavar="DIR", help="folder of the model bundle (default: the one that ships)")
    add("--output", type=Path, metavar="DIR", help=f"folder for the results (default: {defaults['output']})")
    add("--resume", action="store_true", help="go on with the benchmark in --output; finished episodes stay")
    add(
        "--set",
        dest="parameters",
        type=assignment,
        nargs="+",
        metavar="NAME=VALUE",
        help="parameters of the planner node, as in drive",
    )
    add("--max-steps", type=whole_number, metavar="N", help="end every episode after N control steps")
    add(
        "--simulator",
        choices=SIMULATORS,
        help="embedded: the built-in one is started for every episode; external: one that runs already in this "
        "ROS domain, such as CARLA with its bridge (default: embedded)",
    )
    add("--role-name", metavar="NAME", help=f"name of the car in topic names (default: {defaults['role_name']})")
    add_embedded_options(parser, defaults)
    add(
        "--threshold",
        dest="thresholds",
        type=_threshold,
        nargs="+",
        metavar="NAME<VALUE",
        help="exit with 1 unless a mean is so, as planner.real_time.score>800 (also <, <=, >=), for use in CI",
    )
    add(
        "--write-scores",
        action="store_true",
        help="write the scores into the bundle's folder as scores.json, which belongs to it and which drive shows",
    )
    add("--list-metrics", action="store_true", help="print the names that --threshold knows, and end")
    add(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME[=SIZE,SIZE…]",
        help="also drive the controllers with a model under this disturbance, several times for several; all: every "
        f"one with its usual sizes. {'; '.join(_spell_kind(name) for name in KINDS)}",
    )
    return parser


def _spell_kind(name: str) -> str:
    kind = KINDS[name]
    return f"{name} [{kind.unit}] {','.join(f'{size:g}' for size in kind.sizes)}"


def _list_of(read: Callable) -> Callable[[str], list]:
    def parse(text: str) -> list:
        return [read(part) for part in text.split(",")]

    return parse


def _entry(text: str) -> Entry:
    try:
        return entry_of(text)
    except DriveError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("--controllers: ")) from None


def _mode(text: str) -> str:
    if text not in MODES:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(MODES)}, found '{text}'")
    return text


def _threshold(text: str) -> Threshold:
    try:
        return Threshold.parse(text)
    except EvaluationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _sweep(text: str) -> list[Disturbance]:
    """``NAME``, ``NAME=SIZE,SIZE`` or ``all``; without the size that disturbs nothing: every sweep has it anyway."""
    if text == "all":
        return [disturbance for name in KINDS for disturbance in _sweep(name)]
    name, equals, sizes = text.partition("=")
    if name not in KINDS:
        raise DriveError(f"--sweep: expected all or one of {', '.join(KINDS)}, found '{name}'")
    try:
        wanted = [float(size) for size in sizes.split(",")] if equals else list(KINDS[name].sizes)
    except ValueError:
        raise DriveError(f"--sweep {name}: expected sizes separated by commas, found '{sizes}'") from None
    return [Disturbance(name, size) for size in dict.fromkeys(wanted) if size != KINDS[name].none]


def _require(holds, what: str, expected: str, found) -> None:
    if not holds:
        spelled = ", ".join(map(str, found)) if isinstance(found, list | tuple) else found
        raise DriveError(f"{what}: expected {expected}, found {spelled}")


def planner_config(options: BenchmarkOptions) -> PlannerConfig:
    """The planner's parameters that the user gave, checked; for the topics."""
    return PlannerConfig.from_values({"role_name": options.role_name, **dict(options.parameters)})
