"""Declaring and reading launch arguments."""

import math
import shlex
from collections.abc import Mapping, Sequence

from wm_planner.errors import PlannerError
from wm_planner.launching.assignments import NOT_SET, assignment
from wm_planner.pilot.continuity import RATE_TOLERANCE
from wm_planner.pilot.preflight import check


def declared(entries: Sequence[tuple[str, object, str]]) -> list:
    """Launch arguments of names, defaults and descriptions; for a bool default only true and false are allowed."""
    from launch.actions import DeclareLaunchArgument  # only needed in launch files

    return [
        DeclareLaunchArgument(name, default_value=str(default).lower(), choices=["true", "false"], description=text)
        if isinstance(default, bool)
        else DeclareLaunchArgument(name, default_value=str(default), description=text)
        for name, default, text in entries
    ]


def value(context, name, kind=str):
    """A launch argument's value as a `kind`. Raises RuntimeError if it is not one."""
    from launch.substitutions import LaunchConfiguration  # only needed in launch files

    text = LaunchConfiguration(name).perform(context)
    try:
        return kind(text)
    except ValueError:
        raise RuntimeError(f"{name}:={text}: expected a value of type {kind.__name__}") from None


def check_planner(parameters: Mapping, period_s: float | None = None) -> None:
    """Raise RuntimeError, before anything starts, for parameters that the planner would refuse, and for a bundle whose
    control period is not the simulator's ``period_s`` [s]."""
    try:
        manifest = check(parameters)
    except PlannerError as error:
        raise RuntimeError(f"the planner would refuse: {error}") from None
    expected_s = manifest.control_period_s
    if period_s is not None and not math.isclose(period_s, expected_s, rel_tol=RATE_TOLERANCE):
        raise RuntimeError(
            f"fixed_delta_seconds:={period_s:g}: expected the control period of bundle "
            f"{manifest.model_id}, {expected_s:g} s"
        )


def assignments(
    text: str, argument: str = "parameters", not_set: Sequence[str] = NOT_SET
) -> dict[str, bool | int | float | str]:
    """Planner parameters from 'NAME=VALUE NAME=VALUE', none of ``not_set``.

    Raises RuntimeError, naming the launch ``argument``, for one that the planner does not have.
    """
    try:
        return dict(assignment(word, not_set) for word in shlex.split(text))
    except ValueError as error:
        raise RuntimeError(f"{argument}: {error}") from None
