"""What the user may ask of `evaluate_bag`, checked before anything starts."""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from wm_bundle import lock_step
from wm_planner.command_line import CommandParser
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import assignment

from wm_tools.common.bag_reading import add_reading_options, check_reading, taken_out
from wm_tools.common.errors import EvaluationError
from wm_tools.common.thresholds import Threshold

# Planner parameters that an evaluation decides: time stands still while the planner decides, so nothing is ever late.
DECIDED = ("bundle", *lock_step.planner_parameters(lock_step.EMBEDDED_WAIT_S))


@dataclass(frozen=True)
class EvaluateOptions:
    """One evaluation. Raises EvaluationError naming the field and its value where it makes no sense."""

    bag: Path
    bundle: Path
    output: Path
    baselines: tuple[Path, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    parameters: tuple[tuple[str, bool | int | float | str], ...] = ()  # of the planner, name and value
    reading: Mapping[str, Any] = field(default_factory=dict)  # options of `convert` that were given, by name
    resample: bool = False
    stride: int = 5  # frames from one open-loop window to the next
    steps: int = 25  # K
    samples: int = 8  # N sampled futures
    frames: int | None = None  # evaluated at most, of the recording's beginning
    segment_s: float = 10.0
    resamples: int = 1000
    seed: int = 0
    moments: int = 6

    def __post_init__(self):
        for name, least, most in (
            ("stride", 1, 10_000),
            ("steps", 1, 1000),
            ("samples", 2, 256),
            ("frames", 1, None),
            ("resamples", 1, 1_000_000),
            ("seed", 0, 2**31 - 1),
            ("moments", 0, 100),
        ):
            value = getattr(self, name)
            if value is not None and not (least <= value and (most is None or value <= most)):
                found = f"{least} or more" if most is None else f"{least} to {most}"
                raise EvaluationError(f"--{name}: expected {found}, found {value}")
        if not (math.isfinite(self.segment_s) and self.segment_s > 0.0):
            raise EvaluationError(f"--segment: expected seconds above 0, found {self.segment_s:g}")
        names = [name for name, _ in self.parameters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise EvaluationError(f"--set: expected every parameter once, found {', '.join(twice)} several times")
        folders = [folder.resolve() for folder in self.bundles]
        if len(set(folders)) < len(folders):
            raise EvaluationError("--baseline: expected other bundles than --bundle, each once")
        for folder in (self.output, *self.output.parents):
            if folder.is_dir():
                break
            if folder.exists():
                raise EvaluationError(f"--output: expected a folder, found the file {folder}; choose another place")
        try:
            check_reading(self.bag, self.reading)
        except ValueError as error:
            raise EvaluationError(str(error)) from None
        try:
            self.config(self.bundle)
        except ConfigError as error:
            raise EvaluationError(f"--set: the planner refuses: {error}") from None

    @property
    def bundles(self) -> tuple[Path, ...]:
        """The bundle, then the baselines."""
        return (self.bundle, *self.baselines)

    @property
    def preprocessed(self) -> bool:
        """Whether the recording's pictures are said to be at the model's size already."""
        return dict(self.parameters).get("preprocessed_images", False)

    def config(self, bundle: Path) -> PlannerConfig:
        """The planner's parameters for one bundle; its pictures are preprocessed when they reach it.

        Raises ConfigError.
        """
        return replay_config(bundle, self.parameters)


def replay_config(bundle: Path, parameters: Sequence[tuple[str, bool | int | float | str]]) -> PlannerConfig:
    """The planner's parameters for a recording whose pictures are preprocessed when they reach it, and whose time
    stands still while the planner decides. Raises ConfigError."""
    values = {
        **dict(parameters),
        "bundle": str(bundle),
        "preprocessed_images": True,
        **lock_step.planner_parameters(lock_step.EMBEDDED_WAIT_S),
    }
    return PlannerConfig.from_values(values)


def parse_options(arguments: list[str]) -> EvaluateOptions:
    """Read the command line; ends the process with help or a message (exit code 2) like every argparse program."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    values["reading"] = taken_out(values)
    try:
        return EvaluateOptions(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except EvaluationError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    defaults = {entry.name: entry.default for entry in fields(EvaluateOptions)}
    parser = CommandParser(
        "evaluate_bag",
        description="Reads a recorded drive in this process, observes and plans as the planner node does, and measures "
        "how a bundle sees, predicts and plans. Writes result.json, result.jsonl (a line for each frame), report.html "
        "and worst_moments.mp4. Exit code: 0; 1 when a threshold fails, or without one when the bundle braked in more "
        "than half of the frames; 2 for wrong usage; 3 for a recording, 4 for a "
        "bundle that cannot be used.",
        epilog="--list-metrics prints the names that --threshold knows. See docs/evaluation.md.",
    )
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    parser.set_defaults(**{name: value for name, value in given.items() if name not in ("bag", "bundle", "output")})
    add = parser.add_argument
    add(
        "bag",
        type=Path,
        metavar="BAG",
        help="a bag (folder, .mcap, .db3, .bag), a folder of bags, or a folder of episodes (*.npz)",
    )
    add("--bundle", type=Path, required=True, metavar="DIR", help="folder of the model bundle to evaluate")
    add("--output", type=Path, required=True, metavar="DIR", help="folder for what is written")
    add(
        "--baseline",
        dest="baselines",
        type=Path,
        action="append",
        metavar="DIR",
        help="another bundle, evaluated on the same frames and compared; may be given several times",
    )
    add(
        "--threshold",
        dest="thresholds",
        type=_threshold,
        nargs="+",
        action="extend",
        metavar="NAME<VALUE",
        help="the bundle passes only if this holds, as 'action.steer.mae<0.1'; also >, <= and >=; a figure that "
        "cannot be told fails",
    )
    add(
        "--set",
        dest="parameters",
        type=partial(assignment, not_set=DECIDED),
        nargs="+",
        action="extend",
        metavar="NAME=VALUE",
        help="parameters of the planner node, such as candidates=128 (ros2 run wm_planner "
        "planner --help lists them); preprocessed_images=true: the pictures are at the model's size already",
    )
    add_reading_options(parser)
    add(
        "--resample",
        action="store_true",
        help="take the pictures nearest to the bundle's period from a bag that has more",
    )
    add(
        "--stride",
        type=int,
        metavar="N",
        help=f"frames from one open-loop prediction to the next (default: {defaults['stride']})",
    )
    add("--steps", type=int, metavar="K", help=f"frames to predict open loop (default: {defaults['steps']})")
    add(
        "--samples", type=int, metavar="N", help=f"sampled futures beside the mean one (default: {defaults['samples']})"
    )
    add("--frames", type=int, metavar="N", help="evaluate only the first N frames (default: all)")
    add(
        "--segment",
        dest="segment_s",
        type=float,
        metavar="S",
        help=f"length of the segments that the 95 %% intervals are made of [s] (default: {defaults['segment_s']:g})",
    )
    add("--resamples", type=int, metavar="N", help=f"resamples of the segments (default: {defaults['resamples']})")
    add(
        "--seed",
        type=int,
        metavar="N",
        help=f"seed of sampled futures, exchanged actions and intervals (default: {defaults['seed']})",
    )
    add(
        "--moments",
        type=int,
        metavar="N",
        help=f"moments worth watching, at least 2 s apart (default: {defaults['moments']})",
    )
    add(
        "--list-metrics",
        action=_ListMetrics,
        nargs=0,
        dest=argparse.SUPPRESS,
        help="print the names of all figures and what they mean",
    )
    return parser


class _ListMetrics(argparse.Action):
    """Prints the figures' names and ends the process."""

    def __call__(self, parser, *_):
        from wm_tools.evaluate_bag.figures import FIGURES

        for name, meaning in FIGURES.items():
            print(f"{name:<44} {meaning}")
        parser.exit()


def _threshold(text: str) -> Threshold:
    try:
        return Threshold.parse(text)
    except EvaluationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
