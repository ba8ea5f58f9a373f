"""What the launch files read their arguments with."""

import argparse
import shlex
from collections.abc import Sequence

from wm_planner.drive.options import NOT_SET, assignment


def value(context, name, kind=str):
    """A launch argument's value as a `kind`; raises RuntimeError if it is none."""
    from launch.substitutions import LaunchConfiguration  # only launch files have it

    text = LaunchConfiguration(name).perform(context)
    try:
        return kind(text)
    except ValueError:
        raise RuntimeError(f"{name}:={text}: expected a value of type {kind.__name__}") from None


def planner_parameters(
    text: str, argument: str = "parameters", not_set: Sequence[str] = NOT_SET
) -> dict[str, bool | int | float | str]:
    """Parameters of the planner from 'NAME=VALUE NAME=VALUE', none of ``not_set``.

    Raises RuntimeError, naming the launch ``argument``, for one that the planner does not have.
    """
    try:
        return dict(assignment(word, not_set) for word in shlex.split(text))
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise RuntimeError(f"{argument}: {error}") from None
