"""What the replay monitor is told, checked before anything starts."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from wm_planner.command_line import CommandParser
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import assignment

from wm_tools.common.bag_reading import add_reading_options
from wm_tools.common.errors import EvaluationError, ReplayError
from wm_tools.common.thresholds import Threshold
from wm_tools.replay.agreement import check_bag
from wm_tools.replay.result import check_thresholds


@dataclass(frozen=True)
class MonitorOptions:
    """One replay. Raises ReplayError naming the option and its value where it makes no sense."""

    bag: Path
    bundle: Path
    output: Path
    rate: float = 1.0  # only said in the report; the player keeps it
    role_name: str = "ego_vehicle"
    parameters: tuple[tuple[str, bool | int | float | str], ...] = ()  # of the planner, name and value
    thresholds: tuple[Threshold, ...] = ()
    evaluation: Path | None = None  # folder of an evaluation of this bag; None: it is made
    wait_for_planner: bool = False
    refuse_gaps_s: float = 0.0  # while waiting: refuse a bag in which nothing was recorded for longer; 0: any is taken
    recover: bool = False  # read what is left of a damaged bag

    def __post_init__(self):
        check_thresholds(self.thresholds)
        if self.evaluation is not None and not (self.evaluation / "result.jsonl").is_file():
            raise ReplayError(
                f"--evaluation: expected a folder with the result.jsonl of evaluate_bag, found none in "
                f"'{self.evaluation}'"
            )
        if self.evaluation is not None:
            check_bag(self.evaluation, self.bag)
        for folder in (self.output, *self.output.parents):
            if folder.exists():
                if not folder.is_dir():
                    raise ReplayError(f"--output: expected a folder, found the file {folder}; choose another place")
                break
        try:
            self.config()
        except ConfigError as error:
            raise ReplayError(f"--set: the planner refuses: {error}") from None

    def config(self) -> PlannerConfig:
        """The running planner's parameters. Raises ConfigError."""
        return PlannerConfig.from_values(
            {**dict(self.parameters), "bundle": str(self.bundle), "role_name": self.role_name}
        )


def parse_options(words: list[str]) -> MonitorOptions:
    """Read the command line; ends the process with help or a message (exit code 2), as argparse does."""
    parser = CommandParser(
        "replay_monitor",
        description="Measures the replay of a bag through the running planner; bag_replay.launch.py starts it. Exit "
        "code: 0; 1 when a threshold fails; 2 for wrong usage; 3 for a bag or a replay that cannot be "
        "judged; 4 when the evaluation failed.",
    )
    add = parser.add_argument
    add("bag", type=Path, metavar="BAG")
    add("--bundle", type=Path, required=True, metavar="DIR", help="the running planner's bundle")
    add("--output", type=Path, required=True, metavar="DIR", help="folder for replay.json, replay.jsonl, report.html")
    add("--rate", type=float, default=1.0, help="rate that the bag is played at, for the report")
    add("--role-name", default="ego_vehicle", metavar="NAME", help="the car's name in its topics")
    add(
        "--set",
        dest="parameters",
        type=assignment,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="parameters that the planner was started with",
    )
    add(
        "--threshold",
        dest="thresholds",
        type=_threshold,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME<VALUE",
        help="what must hold, as 'dropped<1'; docs/replay.md has the names",
    )
    add(
        "--evaluation",
        type=Path,
        metavar="DIR",
        help="folder of an evaluation of this bag with this bundle (default: evaluate_bag is run when the bag is over)",
    )
    add(
        "--refuse-gaps",
        dest="refuse_gaps_s",
        type=float,
        default=0.0,
        metavar="S",
        help="with --wait-for-planner: refuse a bag in which nothing was recorded for longer, as a player that waits "
        "for it stands still",
    )
    add(
        "--wait-for-planner",
        action="store_true",
        help="only wait until the planner is active and the monitor listens, and end",
    )
    add_reading_options(parser, ("recover",))
    values = vars(parser.parse_args(words))
    try:
        return MonitorOptions(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except ReplayError as error:
        parser.error(str(error))


def _threshold(text: str) -> Threshold:
    try:
        return Threshold.parse(text)
    except EvaluationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
