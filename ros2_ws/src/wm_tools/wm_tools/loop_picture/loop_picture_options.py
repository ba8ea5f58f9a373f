"""Command-line options of `loop_picture`, checked before anything starts."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_data.conversion.convert_options import BagReading
from wm_evaluation.command_line import option
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import Assignment

from wm_tools.common.shared_options import Resample, planner_parameters
from wm_tools.evaluate_bag.evaluate_bag_options import DECIDED, replay_config

SUFFIX = ".webp"
_MOST_SECONDS = 60.0  # all frames stay in memory until written, about 1.1 MB each
_NOT_SET = (*DECIDED, "solver")


@dataclass(frozen=True)
class LoopOptions:
    """Makes a looping animation: on the left the camera of a recorded drive, on the right what the model sees and,
    while the camera is hidden from it, what it imagines from the recorded commands alone. See docs/visualize.md.

    Exit code: 0; 2 for wrong usage; 3 for a recording, 4 for a bundle, 5 for an output that cannot be used.
    """

    recording: Annotated[Path, tyro.conf.Positional, option("RECORDING")]
    """One recorded drive: a bag (folder, .mcap, .db3, .bag) or an episode (.npz)."""
    bundle: Annotated[Path, option("DIR")]
    """Folder of the model bundle."""
    output: Annotated[Path, option(f"FILE{SUFFIX}")]
    """Animated WebP to write."""
    start_s: Annotated[float | None, option("S", "start", default="where steering is strongest")] = None
    """Start of the clip after the recording's first picture [s]."""
    seconds: Annotated[float, option("S")] = 6.0
    """Length of the drive to show [s], rounded down to complete turns of looking and imagining."""
    horizon: Annotated[int | None, option("N", default="the bundle's horizon")] = None
    """Pictures to imagine in each turn."""
    look: Annotated[int, option("N")] = 6
    """Pictures that the model sees before each turn of imagining."""
    camera: Annotated[str | None, option("NAME", default="its first")] = None
    """Which of the bundle's cameras to show."""
    parameters: Annotated[tuple[Assignment, ...], planner_parameters(_NOT_SET), option(name="set", default="none")] = ()
    """Parameters of the planner node, as in evaluate_bag; preprocessed_images=true: the pictures are already at the
    model's size."""
    reading: BagReading = BagReading()
    resample: Resample = False

    def __post_init__(self):
        if self.output.suffix != SUFFIX:
            raise ValueError(f"--output: expected a file that ends with {SUFFIX}, found '{self.output}'")
        if self.output.is_dir():
            raise ValueError(f"--output: expected a file, found the folder {self.output}")
        if not 0.0 < self.seconds <= _MOST_SECONDS:
            raise ValueError(f"--seconds: expected above 0 to {_MOST_SECONDS:g}, found {self.seconds:g}")
        if self.start_s is not None and not (math.isfinite(self.start_s) and self.start_s >= 0.0):
            raise ValueError(f"--start: expected 0 s or more, found {self.start_s:g}")
        for name, value in (("horizon", self.horizon), ("look", self.look)):
            if value is not None and not 1 <= value <= 1000:
                raise ValueError(f"--{name}: expected 1 to 1000 pictures, found {value}")
        try:
            self.config()
        except ConfigError as error:
            raise ValueError(f"--set: the planner refuses: {error}") from None

    @property
    def preprocessed(self) -> bool:
        """Whether the user says that the recording's pictures are already at the model's size."""
        return dict(self.parameters).get("preprocessed_images", False)

    def config(self) -> PlannerConfig:
        """The planner's parameters. It need not search: the clip follows the recorded commands.

        Raises ConfigError.
        """
        return replay_config(self.bundle, (*self.parameters, ("solver", "actor")))
