"""Command-line options of `benchmark`, checked before anything starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from wm_evaluation.command_line import option, parse, words
from wm_planner.config import PlannerConfig
from wm_sim.worlds import DEFAULT_WORLD

from wm_tools.benchmark.disturbance import KINDS, Disturbance
from wm_tools.common.errors import DriveError
from wm_tools.common.machine import usable_cores
from wm_tools.common.shared_options import Thresholds
from wm_tools.drive.controllers import CONTROLLERS, REFERENCES, Controller, check_controllers, controller_of
from wm_tools.drive.domain import DOMAIN_IDS
from wm_tools.drive.drive_options import DrivingOptions, Seeds, require

LOCK_STEP, REAL_TIME = "lock-step", "real-time"
MODES = (LOCK_STEP, REAL_TIME)
AS_FOUND = "as-found"  # the mode of a simulator that is already running
EMBEDDED, EXTERNAL = "embedded", "external"
LOCAL, RAY = "local", "ray"


def _read_entries(given: list[str]) -> tuple[Controller, ...]:
    return tuple(controller_of(part) for part in ",".join(given).split(","))


def _read_modes(given: list[str]) -> tuple[str, ...]:
    modes = tuple(",".join(given).split(","))
    for mode in modes:
        if mode not in MODES:
            raise ValueError(f"expected one of {', '.join(MODES)}, found '{mode}'")
    return modes


def _read_sweep(given: list[str]) -> tuple[Disturbance, ...]:
    return tuple(disturbance for text in given for disturbance in _disturbances(text))


def _disturbances(text: str) -> list[Disturbance]:
    """``NAME``, ``NAME=SIZE,SIZE`` or ``all``. The size that disturbs nothing is dropped: every sweep includes it."""
    if text == "all":
        return [disturbance for name in KINDS for disturbance in _disturbances(name)]
    name, equals, sizes = text.partition("=")
    if name not in KINDS:
        raise ValueError(f"expected all or one of {', '.join(KINDS)}, found '{name}'")
    try:
        wanted = [float(size) for size in sizes.split(",")] if equals else list(KINDS[name].sizes)
    except ValueError:
        raise ValueError(f"{name}: expected sizes separated by commas, found '{sizes}'") from None
    return [Disturbance(name, size) for size in dict.fromkeys(wanted) if size != KINDS[name].none]


_CONTROLLERS_HELP = (
    f"Comma-separated: {', '.join(CONTROLLERS)}, as in drive, NAME=BUNDLE_DIR for the planner with another bundle, "
    "or NAME=FILE.onnx for a policy file without the planner."
)
_KINDS = "; ".join(
    f"{name} [{kind.unit}] {','.join(f'{size:g}' for size in kind.sizes)}" for name, kind in KINDS.items()
)
_SWEEP_HELP = (
    "Also drive the controllers with a model under these disturbances; all: every kind at its default sizes. " + _KINDS
)


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions(DrivingOptions):
    """Drives controllers on the same tracks through ROS topics, each episode in separate processes, and compares them
    in benchmark.json, report.html and episodes.jsonl. If a controller or simulator crashes, its episode fails and
    counts with what was driven until then.

    Exit code: 0; 1 when a threshold fails; 2 for wrong usage; 3 when the benchmark cannot continue; 128 + the signal's
    number when stopped by one.
    """

    output: Annotated[Path, option("DIR")] = Path("out/benchmark")
    """Folder for the results."""
    controllers: Annotated[
        tuple[Controller, ...],
        words(_read_entries, "NAME,NAME…", lambda entries: [",".join(entry.name for entry in entries)]),
        option(meaning=_CONTROLLERS_HELP),
    ] = tuple(Controller(name, name) for name in ("planner", "actor", *REFERENCES))
    seeds: Seeds = tuple(range(3000, 3010))
    """Tracks: 3000:3009 (inclusive), 1,5,7 or a mix of both."""
    episodes: Annotated[int | None, option("N", default="all")] = None
    """Drive the first N seeds only."""
    modes: Annotated[tuple[str, ...], words(_read_modes, "MODE,MODE", lambda modes: [",".join(modes)])] = MODES
    """lock-step: simulated time waits for every command; real-time: it does not. expert and random drive in lock-step
    only."""
    simulator: Literal[EMBEDDED, EXTERNAL] = EMBEDDED
    """embedded: the built-in simulator, started for every episode; external: one that is already running in this ROS
    domain, such as CARLA with its bridge."""
    sweep: Annotated[
        tuple[Disturbance, ...],
        words(_read_sweep, "NAME[=SIZE,SIZE…]", lambda sweep: list(map(str, sweep))),
        option(default="none", meaning=_SWEEP_HELP),
    ] = ()
    workers: Annotated[int | None, option("N", default="one per core; with --executor ray, of the cluster")] = None
    """How many episodes in lock-step are driven at once; the results are the same for any number. In real time it is
    always one."""
    executor: Literal[LOCAL, RAY] = LOCAL
    """Where they are driven: on this machine, or on the Ray cluster at RAY_ADDRESS (without it: a local one)."""
    resume: bool = False
    """Continue the benchmark in --output; finished episodes are kept."""
    thresholds: Thresholds = ()
    """Exit with 1 unless these means hold, such as planner.real_time.score>800 (also <, <=, >=), for use in CI."""
    list_metrics: bool = False
    """Print the names that --threshold accepts, and exit."""
    write_scores: bool = False
    """Write the scores to scores.json in the bundle's folder; drive shows them."""

    def __post_init__(self):
        super().__post_init__()
        require(
            self.simulator == EMBEDDED
            or (self.world, self.weather, self.light, self.objects_definition_file)
            == (DEFAULT_WORLD, "noon", 1.0, None),
            "--simulator external",
            "no --world, --weather, --light or --objects-definition-file, which are for the built-in simulator",
            "one of them",
        )
        check_controllers(self.controllers, self.parameters)
        names = [entry.name for entry in self.controllers]
        require(self.modes and len(set(self.modes)) == len(self.modes), "--modes", "each mode only once", self.modes)
        count, most = self.episodes, len(self.seeds)
        require(count is None or 1 <= count <= most, "--episodes", f"1 to the number of seeds, {most}", count)
        require(
            not self.sweep or any(entry.has_model for entry in self.controllers),
            "--sweep",
            "a controller with a model: expert and random do not use images",
            names,
        )
        self._check_workers()
        transport = dict(self.parameters).get("image_transport", "raw")
        require(not self.sweep or transport == "raw", "--sweep", "--set image_transport=raw", transport)

    def _check_workers(self) -> None:
        workers, most = self.workers, len(DOMAIN_IDS)
        local = self.executor == LOCAL
        if workers is not None:
            span = f"1 to {most}, one for each ROS domain" if local else "1 or more"
            require(1 <= workers <= (most if local else workers), "--workers", span, workers)
        if self.simulator == EXTERNAL:
            single = "1 with --simulator external, which drives one car"
            require(workers in (None, 1), "--workers", single, workers)
        if LOCK_STEP not in self.modes:
            shared = "1 in real time, because episodes that share the cores are late"
            require(workers in (None, 1), "--workers", shared, workers)
        if not local:
            require(self.simulator == EMBEDDED, "--executor ray", "--simulator embedded", self.simulator)
            alone = "--modes lock-step: other work on the machines would make commands late"
            require(self.modes == (LOCK_STEP,), "--executor ray", alone, ",".join(self.modes))

    def workers_for(self, trials: int) -> int:
        """How many of so many trials in lock-step are driven at once on this machine."""
        return max(1, min(self.workers or min(usable_cores(), len(DOMAIN_IDS)), trials))

    @property
    def tracks(self) -> tuple[int, ...]:
        """The seeds to drive."""
        return self.seeds[: self.episodes]

    def modes_of(self, entry: Controller) -> tuple[str, ...]:
        """The modes of a controller: expert and random have no latency, so they drive in lock-step only."""
        if self.simulator == EXTERNAL:
            return (AS_FOUND,)
        return self.modes if entry.has_model else (LOCK_STEP,)


def parse_options(words: list[str]) -> BenchmarkOptions:
    """Parse the command line without the ROS arguments."""
    return parse(BenchmarkOptions, "ros2 run wm_tools benchmark", words, refused=DriveError)


def planner_config(options: BenchmarkOptions) -> PlannerConfig:
    """The planner parameters given by the user, checked; they name the topics."""
    return PlannerConfig.from_values({"role_name": options.role_name, **dict(options.parameters)})
