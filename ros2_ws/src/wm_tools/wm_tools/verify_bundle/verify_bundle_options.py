"""Command-line options of `verify_bundle`, checked before anything starts."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from wm_data.conversion.convert_options import BagReading
from wm_evaluation.command_line import option
from wm_planner.config import PROVIDERS, PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import Assignment

from wm_tools.common.shared_options import Resample, planner_parameters, require_each_once, require_folder

# Planner parameters that a verification sets, or has separate options for.
DECIDED = ("bundle", "provider", "fp16", "candidates", "threads", "seed", "proposal_policy", "fit_search")
EXACT = 1e-4  # export's tolerance for float32
_TOLERANCE = (
    f"{EXACT:g}; with --fp16, or an int8 bundle against another reference, none: the returns and commands are judged"
)


@dataclass(frozen=True)
class VerifyOptions:
    """Runs a bundle on a provider of this machine and on the CPU with one thread; shows how much their outputs differ,
    how long every call takes, and whether a complete frame fits the bundle's control period. Builds TensorRT engines,
    which later starts of the planner reuse. See docs/gpu.md.

    Exit code: 0 when parity and deadline hold; 1 when one does not; 2 for wrong usage, a bundle or recording that
    cannot be used; 3 for a provider that is not available.
    """

    bundle: Annotated[Path, option("DIR")]
    """Folder of the model bundle to verify."""
    provider: Literal[PROVIDERS] = "auto"
    """What to run it on; auto: the first of tensorrt, cuda, cpu that works here."""
    fp16: bool = False
    """Let TensorRT compute in half precision."""
    reference: Annotated[Path | None, option("DIR", default="the same")] = None
    """Bundle to run on the CPU, such as the float32 export of an int8 one."""
    data: Annotated[Path | None, option("PATH", default="frames that the model imagines")] = None
    """Recorded frames: a bag, a folder of bags, an episode (.npz) or a folder of episodes."""
    reading: BagReading = BagReading()
    resample: Resample = False
    frames: Annotated[int, option("N")] = 500
    """Frames to compare."""
    candidates: Annotated[int, option("N")] = PlannerConfig.candidates
    """Plans imagined at once, like the planner's parameter."""
    threads: Annotated[int, option("T")] = PlannerConfig.threads
    """Threads of the provider; the reference uses one."""
    calls: Annotated[int, option("N")] = 300
    """Frames to time, after a warm-up."""
    parameters: Annotated[tuple[Assignment, ...], planner_parameters(DECIDED), option(name="set", default="none")] = ()
    """Other parameters of the planner node, such as iterations=1 or engine_cache=off."""
    tolerance: Annotated[float | None, option("X", default=_TOLERANCE)] = None
    """Largest difference of belief, surprise, reward, continue, value, and the actor's plan; relative for values above
    1."""
    return_tolerance: Annotated[float, option("X")] = 0.1
    """Largest difference of an imagined return, relative to the typical return."""
    action_tolerance: Annotated[float, option("X")] = 0.05
    """Largest difference of the command chosen, in steer or longitudinal [of -1..1]."""
    seed: Annotated[int, option("N")] = 0
    """Seed for plans, search and imagined frames."""
    row: bool = False
    """Only measure the latency of this machine, a picture in every control period, and print it as a row for the table
    in docs/latency.md."""
    seconds: Annotated[float, option("S")] = 60.0
    """How long --row measures [s]."""
    output: Annotated[Path | None, option("PATH", default="none")] = None
    """Folder to write result.json to; with --row the file that the row is appended to."""

    def __post_init__(self):
        for name in ("frames", "calls"):
            if not 1 <= getattr(self, name) <= 1_000_000:
                raise ValueError(f"--{name}: expected 1 to 1000000, found {getattr(self, name)}")
        for name in ("tolerance", "return_tolerance", "action_tolerance"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"--{name.replace('_', '-')}: expected a number above 0, found {value:g}")
        if self.fp16 and self.provider not in ("auto", "tensorrt"):
            raise ValueError(f"--fp16 is TensorRT's: expected --provider tensorrt or auto, found {self.provider}")
        given = [f"--{name.replace('_', '-')}" for name in (*self.reading.given(), *["resample"] * self.resample)]
        if self.data is None and given:
            raise ValueError(f"{', '.join(given)}: options for reading a recording: expected --data as well")
        require_each_once(self.parameters)
        if not 1.0 <= self.seconds <= 86_400.0:
            raise ValueError(f"--seconds: expected 1 to 86400, found {self.seconds:g}")
        if not self.row:
            require_folder(self.output)
        elif self.output is not None and self.output.is_dir():
            raise ValueError(f"--output: with --row expected a file, found the folder {self.output}")
        try:
            self.config()
        except ConfigError as error:
            raise ValueError(f"the planner refuses: {error}") from None

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
                "fit_search": self.row,
            }
        )

    def reference_config(self) -> PlannerConfig:
        """The same for the reference on the processor."""
        return replace(self.config(), bundle=str(self.reference or self.bundle), provider="cpu", fp16=False, threads=1)
