"""Options shared by several commands, and checks of options."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from wm_evaluation.command_line import option, several
from wm_planner.launching.assignments import NOT_SET, Assignment, assignment

from wm_tools.common.thresholds import Threshold


def planner_parameters(not_set: Sequence[str] = NOT_SET) -> object:
    """For ``Annotated``: parameters of the planner, except those in ``not_set``, which the command decides."""
    return several(partial(assignment, not_set=not_set), "NAME=VALUE", lambda pair: f"{pair[0]}={pair[1]}")


PlannerParameters = Annotated[tuple[Assignment, ...], planner_parameters(), option(name="set", default="none")]
Thresholds = Annotated[
    tuple[Threshold, ...], several(Threshold.parse, "NAME<VALUE"), option(name="threshold", default="none")
]
Resample = Annotated[bool, option(meaning="Downsample a bag with a higher rate to the bundle's period.")]


def require_each_once(parameters: Sequence[Assignment]) -> None:
    """Raise ValueError for a parameter that --set gives several times."""
    names = [name for name, _ in parameters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"--set: expected every parameter once, found {', '.join(twice)} several times")


def require_folder(output: Path | None) -> None:
    """Raise ValueError if --output exists and is not a folder."""
    for folder in () if output is None else (output, *output.parents):
        if folder.is_dir():
            return
        if folder.exists():
            raise ValueError(f"--output: expected a folder, found the file {folder}; choose another path")
