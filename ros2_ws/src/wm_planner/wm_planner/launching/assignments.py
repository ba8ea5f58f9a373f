"""``NAME=VALUE``, the form of planner parameters in commands and launch files."""

from collections.abc import Sequence
from dataclasses import fields

from wm_bundle.processes.suggestions import did_you_mean

from wm_planner.config import PlannerConfig

NOT_SET = ("bundle", "role_name", "solver", "command_output", "autostart")  # planner parameters set by other options
Assignment = tuple[str, bool | int | float | str]


def assignment(text: str, not_set: Sequence[str] = NOT_SET) -> Assignment:
    """``NAME=VALUE`` as a planner parameter, none of ``not_set``, with its declared type. Raises ValueError."""
    name, equals, value = text.partition("=")
    kinds = {field.name: type(field.default) for field in fields(PlannerConfig) if field.name not in not_set}
    if not equals or name not in kinds:
        near = "" if name in not_set else did_you_mean(name, kinds)
        names = "the name of a planner parameter" if near else f"NAME one of {', '.join(kinds)}"
        raise ValueError(f"expected NAME=VALUE with {names}, found '{text}'{near}")
    kind = kinds[name]
    try:
        return name, {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
    except (KeyError, ValueError):
        raise ValueError(f"{name}: expected a value of type {kind.__name__}, found '{value}'") from None
