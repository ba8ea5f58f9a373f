"""Command-line options of `evaluate_bag`, checked before anything starts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_bundle import lock_step
from wm_data.conversion.convert_options import BagReading
from wm_evaluation.command_line import option, several
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.launching.assignments import Assignment

from wm_tools.common.shared_options import Resample, Thresholds, planner_parameters, require_each_once, require_folder

# Planner parameters set by the evaluation: time stands still while the planner decides, so nothing is ever late.
DECIDED = ("bundle", *lock_step.planner_parameters(lock_step.EMBEDDED_WAIT_S))


@dataclass(frozen=True)
class EvaluateOptions:
    """Reads a recorded drive, observes and plans as the planner node does, but in this process, and measures how well a
    bundle sees, predicts and plans. Writes result.json, result.jsonl (a line for each frame), report.html and
    worst_moments.mp4. See docs/evaluation.md.

    Exit code: 0; 1 when a threshold fails, or, without thresholds, when the bundle braked in more than half of the
    frames; 2 for wrong usage; 3 for a recording, 4 for a bundle, 5 for an output that cannot be used.
    """

    bag: Annotated[Path, tyro.conf.Positional, option("BAG")]
    """A bag (folder, .mcap, .db3, .bag), a folder of bags, or a folder of episodes (*.npz)."""
    bundle: Annotated[Path, option("DIR")]
    """Folder of the model bundle to evaluate."""
    output: Annotated[Path, option("DIR")]
    """Folder for the results."""
    baselines: Annotated[tuple[Path, ...], several(Path, "DIR"), option(name="baseline", default="none")] = ()
    """Other bundles to evaluate on the same frames and compare with."""
    thresholds: Thresholds = ()
    """The bundle passes only if these hold, such as 'action.steer.mae<0.1'; also >, <= and >=; an unknown figure fails.
    --list-metrics prints the names."""
    parameters: Annotated[tuple[Assignment, ...], planner_parameters(DECIDED), option(name="set", default="none")] = ()
    """Parameters of the planner node, such as candidates=128 (ros2 run wm_planner planner --help lists them);
    preprocessed_images=true: the pictures are already at the model's size."""
    reading: BagReading = BagReading()
    resample: Resample = False
    stride: Annotated[int, option("N")] = 5
    """Frames between open-loop predictions."""
    steps: Annotated[int, option("K")] = 25
    """Frames to predict open loop."""
    samples: Annotated[int, option("N")] = 8
    """Sampled futures in addition to the mean one."""
    frames: Annotated[int | None, option("N", default="all")] = None
    """Evaluate only the first N frames."""
    segment_s: Annotated[float, option("S", "segment")] = 10.0
    """Length of the segments that the 95 % intervals resample [s]."""
    resamples: Annotated[int, option("N")] = 1000
    """Number of bootstrap resamples."""
    seed: Annotated[int, option("N")] = 0
    """Seed for sampled futures, shuffled actions and intervals."""
    moments: Annotated[int, option("N")] = 6
    """Number of worst moments to show, at least 2 s apart."""

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
                raise ValueError(f"--{name}: expected {found}, found {value}")
        if not (math.isfinite(self.segment_s) and self.segment_s > 0.0):
            raise ValueError(f"--segment: expected seconds above 0, found {self.segment_s:g}")
        require_each_once(self.parameters)
        folders = [folder.resolve() for folder in self.bundles]
        if len(set(folders)) < len(folders):
            raise ValueError("--baseline: expected bundles other than --bundle, each only once")
        require_folder(self.output)
        try:
            self.config(self.bundle)
        except ConfigError as error:
            raise ValueError(f"--set: the planner refuses: {error}") from None

    @property
    def bundles(self) -> tuple[Path, ...]:
        """The bundle, then the baselines."""
        return (self.bundle, *self.baselines)

    @property
    def preprocessed(self) -> bool:
        """Whether the user says that the recording's pictures are already at the model's size."""
        return dict(self.parameters).get("preprocessed_images", False)

    def config(self, bundle: Path) -> PlannerConfig:
        """The planner's parameters for one bundle, which gets preprocessed pictures.

        Raises ConfigError.
        """
        return replay_config(bundle, self.parameters)


def replay_config(bundle: Path, parameters: Sequence[Assignment]) -> PlannerConfig:
    """The planner's parameters for preprocessed pictures and a clock that stands still while the planner decides.
    Raises ConfigError."""
    values = {
        **dict(parameters),
        "bundle": str(bundle),
        "preprocessed_images": True,
        **lock_step.planner_parameters(lock_step.EMBEDDED_WAIT_S),
    }
    return PlannerConfig.from_values(values)
