"""What the user may ask of `loop_picture`, checked before anything starts."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from wm_planner.command_line import CommandParser
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import assignment

from wm_tools.common.bag_reading import add_reading_options, check_reading, taken_out
from wm_tools.common.errors import EvaluationError
from wm_tools.evaluate_bag.options import DECIDED, replay_config

SUFFIX = ".webp"
_MOST_SECONDS = 60.0  # all frames are in memory until they are written, some 1.1 MB each
_NOT_SET = (*DECIDED, "solver")


@dataclass(frozen=True)
class LoopOptions:
    """One picture. Raises EvaluationError naming the option and its value where it makes no sense."""

    recording: Path
    bundle: Path
    output: Path
    start_s: float | None = None  # since the recording's first picture; None: where most is steered
    seconds: float = 6.0
    horizon: int | None = None  # pictures; None: the bundle's
    look: int = 6  # pictures
    camera: str | None = None  # None: the bundle's first
    parameters: tuple[tuple[str, bool | int | float | str], ...] = ()  # of the planner, name and value
    reading: Mapping[str, Any] = field(default_factory=dict)  # options of `convert` that were given, by name
    resample: bool = False

    def __post_init__(self):
        if self.output.suffix != SUFFIX:
            raise EvaluationError(f"--output: expected a file that ends with {SUFFIX}, found '{self.output}'")
        if self.output.is_dir():
            raise EvaluationError(f"--output: expected a file, found the folder {self.output}")
        if not 0.0 < self.seconds <= _MOST_SECONDS:
            raise EvaluationError(f"--seconds: expected above 0 to {_MOST_SECONDS:g}, found {self.seconds:g}")
        if self.start_s is not None and not (math.isfinite(self.start_s) and self.start_s >= 0.0):
            raise EvaluationError(f"--start: expected 0 s or more, found {self.start_s:g}")
        for name, value in (("horizon", self.horizon), ("look", self.look)):
            if value is not None and not 1 <= value <= 1000:
                raise EvaluationError(f"--{name}: expected 1 to 1000 pictures, found {value}")
        try:
            check_reading(self.recording, self.reading)
        except ValueError as error:
            raise EvaluationError(str(error)) from None
        try:
            self.config()
        except ConfigError as error:
            raise EvaluationError(f"--set: the planner refuses: {error}") from None

    @property
    def preprocessed(self) -> bool:
        """Whether the recording's pictures are said to be at the model's size already."""
        return dict(self.parameters).get("preprocessed_images", False)

    def config(self) -> PlannerConfig:
        """The planner's parameters. It need not search: what is shown follows the recorded commands.

        Raises ConfigError.
        """
        return replay_config(self.bundle, (*self.parameters, ("solver", "actor")))


def parse_options(arguments: list[str]) -> LoopOptions:
    """Read the command line; ends the process with help or a message (exit code 2) like every argparse program."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    values["reading"] = taken_out(values)
    try:
        return LoopOptions(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except EvaluationError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    defaults = {entry.name: entry.default for entry in fields(LoopOptions)}
    parser = CommandParser(
        "loop_picture",
        description="Makes an animated picture that loops: on the left the camera of a recorded drive, on the right "
        "what the model sees of it and, while the camera is hidden from it, what it imagines from the recorded "
        "commands alone. Exit code: 0; 2 for wrong usage; 3 for a recording, 4 for a bundle, 5 for an output that "
        "cannot be used.",
        epilog="See docs/visualize.md.",
    )
    add = parser.add_argument
    add(
        "recording",
        type=Path,
        metavar="RECORDING",
        help="one recorded drive: a bag (folder, .mcap, .db3, .bag) or an episode (.npz)",
    )
    add("--bundle", type=Path, required=True, metavar="DIR", help="folder of the model bundle")
    add("--output", type=Path, required=True, metavar=f"FILE{SUFFIX}", help="animated WebP to write")
    add(
        "--start",
        dest="start_s",
        type=float,
        metavar="S",
        help="begin so long after the recording's first picture [s] (default: where most is steered)",
    )
    add(
        "--seconds",
        type=float,
        default=defaults["seconds"],
        metavar="S",
        help="of the drive to show, as many whole "
        f"turns of looking and imagining as fit [s] (default: {defaults['seconds']:g})",
    )
    add("--horizon", type=int, metavar="N", help="pictures to imagine in each turn (default: the bundle's horizon)")
    add(
        "--look",
        type=int,
        default=defaults["look"],
        metavar="N",
        help=f"pictures that the model sees before each (default: {defaults['look']})",
    )
    add("--camera", metavar="NAME", help="which of the bundle's cameras to show (default: its first)")
    add(
        "--set",
        dest="parameters",
        type=partial(assignment, not_set=_NOT_SET),
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="parameters of the planner node, as of evaluate_bag; preprocessed_images=true: the "
        "pictures are at the model's size already",
    )
    add_reading_options(parser)
    add(
        "--resample",
        action="store_true",
        help="take the pictures nearest to the bundle's period from a bag that has more",
    )
    return parser
