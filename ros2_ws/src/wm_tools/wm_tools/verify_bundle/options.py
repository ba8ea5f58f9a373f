"""What the user may ask of `verify_bundle`, checked before anything starts."""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from wm_planner.command_line import CommandParser
from wm_planner.config import PROVIDERS, PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import assignment

from wm_tools.common.bag_reading import add_reading_options, check_reading, taken_out
from wm_tools.common.errors import VerificationError

# Planner parameters that a verification decides, or has an option of its own for.
DECIDED = ("bundle", "provider", "fp16", "candidates", "threads", "seed", "proposal_policy")
EXACT = 1e-4  # export's tolerance of float32


@dataclass(frozen=True)
class VerifyOptions:
    """One verification. Raises VerificationError naming the option and its value where it makes no sense."""

    bundle: Path
    provider: str = "auto"
    fp16: bool = False
    reference: Path | None = None
    data: Path | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)  # options of `convert` that were given, by name
    resample: bool = False
    frames: int = 500
    candidates: int = PlannerConfig.candidates
    threads: int = PlannerConfig.threads
    calls: int = 300
    parameters: tuple[tuple[str, bool | int | float | str], ...] = ()  # of the planner, name and value
    tolerance: float | None = None
    return_tolerance: float = 0.1
    action_tolerance: float = 0.05
    seed: int = 0
    output: Path | None = None

    def __post_init__(self):
        for name in ("frames", "calls"):
            if not 1 <= getattr(self, name) <= 1_000_000:
                raise VerificationError(f"--{name}: expected 1 to 1000000, found {getattr(self, name)}")
        for name in ("tolerance", "return_tolerance", "action_tolerance"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0.0):
                option = name.replace("_", "-")
                raise VerificationError(f"--{option}: expected a number above 0, found {value:g}")
        if self.fp16 and self.provider not in ("auto", "tensorrt"):
            raise VerificationError(
                f"--fp16 is TensorRT's: expected --provider tensorrt or auto, found {self.provider}"
            )
        if self.data is None and (self.reading or self.resample):
            given = [f"--{name.replace('_', '-')}" for name in (*self.reading, *["resample"] * self.resample)]
            raise VerificationError(f"{', '.join(given)}: how to read a recording: expected --data as well")
        try:
            check_reading(self.data or Path(), self.reading)
        except ValueError as error:
            raise VerificationError(str(error)) from None
        names = [name for name, _ in self.parameters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise VerificationError(f"--set: expected every parameter once, found {', '.join(twice)} several times")
        for folder in () if self.output is None else (self.output, *self.output.parents):
            if folder.exists() and not folder.is_dir():
                raise VerificationError(f"--output: expected a folder, found the file {folder}; choose another place")
        try:
            self.config()
        except ConfigError as error:
            raise VerificationError(f"the planner refuses: {error}") from None

    def config(self) -> PlannerConfig:
        """The planner's parameters for the bundle on its provider. Raises ConfigError."""
        return PlannerConfig.from_values(
            {
                **dict(self.parameters),
                "bundle": str(self.bundle),
                "provider": self.provider,
                "fp16": self.fp16,
                "candidates": self.candidates,
                "threads": self.threads,
                "seed": self.seed,
            }
        )

    def reference_config(self) -> PlannerConfig:
        """The same for the reference on the processor."""
        return replace(self.config(), bundle=str(self.reference or self.bundle), provider="cpu", fp16=False, threads=1)


def parse_options(arguments: Sequence[str]) -> VerifyOptions:
    """Read the command line; ends the process with help or a message (exit code 2) like every argparse program."""
    parser = _parser()
    values = vars(parser.parse_args(arguments))
    values["reading"] = taken_out(values)
    try:
        return VerifyOptions(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    except VerificationError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    defaults = {entry.name: entry.default for entry in fields(VerifyOptions) if entry.name != "reading"}
    parser = CommandParser(
        "verify_bundle",
        description="Runs a bundle on a provider of this machine and, beside it, on the processor with one thread; "
        "shows how far their outputs are apart, how long every call takes, and whether a whole frame fits the bundle's "
        "control period. Builds TensorRT's engines on the way, which later starts of the planner find. Exit code: 0 "
        "when parity and deadline hold; 1 when one does not; 2 for wrong usage, a bundle or recording that cannot be "
        "used; 3 for a provider that is not available.",
        epilog="See docs/gpu.md.",
    )
    parser.set_defaults(
        **{
            name: list(value) if isinstance(value, tuple) else value
            for name, value in defaults.items()
            if name != "bundle"
        }
    )
    _add_what(parser)
    _add_how(parser, defaults)
    return parser


def _add_what(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--bundle", type=Path, required=True, metavar="DIR", help="folder of the model bundle to verify")
    add(
        "--provider",
        choices=PROVIDERS,
        help="what to run it on; auto: the first of tensorrt, cuda, cpu that works here (default: auto)",
    )
    add("--fp16", action="store_true", help="let TensorRT compute in half precision")
    add(
        "--reference",
        type=Path,
        metavar="DIR",
        help="bundle that the processor runs, such as the float32 export of an int8 one (default: the same)",
    )
    add(
        "--data",
        type=Path,
        metavar="PATH",
        help="recorded frames: a bag, a folder of bags, an episode (.npz) or a "
        "folder of episodes (default: frames that the model imagines)",
    )
    add_reading_options(parser)
    add(
        "--resample",
        action="store_true",
        help="take the pictures nearest to the bundle's period from a bag that has more",
    )
    add("--output", type=Path, metavar="DIR", help="folder to write result.json to (default: none)")


def _add_how(parser: argparse.ArgumentParser, defaults: dict) -> None:
    add = parser.add_argument
    add("--frames", type=int, metavar="N", help=f"frames to compare (default: {defaults['frames']})")
    add(
        "--candidates",
        type=int,
        metavar="N",
        help=f"plans imagined at once, as the planner's parameter (default: {defaults['candidates']})",
    )
    add(
        "--threads",
        type=int,
        metavar="T",
        help=f"threads of the provider; the reference has one (default: {defaults['threads']})",
    )
    add("--calls", type=int, metavar="N", help=f"frames to time, after a warm-up (default: {defaults['calls']})")
    add(
        "--set",
        dest="parameters",
        type=partial(assignment, not_set=DECIDED),
        nargs="+",
        action="extend",
        metavar="NAME=VALUE",
        help="other parameters of the planner node, such as iterations=1 or engine_cache=off",
    )
    add(
        "--tolerance",
        type=float,
        metavar="X",
        help="largest difference of belief, surprise, reward, continue, value, "
        f"and the actor's plan, relative above 1 (default: {EXACT:g}; with --fp16, or an int8 bundle against another "
        "reference, none: the returns and commands are judged)",
    )
    add(
        "--return-tolerance",
        type=float,
        metavar="X",
        help="largest difference of an imagined return, over the "
        f"typical return (default: {defaults['return_tolerance']:g})",
    )
    add(
        "--action-tolerance",
        type=float,
        metavar="X",
        help="largest difference of the command chosen, in steer or "
        f"longitudinal [of -1..1] (default: {defaults['action_tolerance']:g})",
    )
    add(
        "--seed", type=int, metavar="N", help=f"seed of plans, search and imagined frames (default: {defaults['seed']})"
    )
