"""Launch files and their arguments."""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path

from launch.actions import DeclareLaunchArgument

from launch import LaunchDescription
from ros2_lite.errors import CommandError, UnsupportedError
from ros2_lite.packages import nearest


def load(path: Path) -> LaunchDescription:
    """Returns what the file's generate_launch_description() returns; raises CommandError if the file is wrong."""
    if path.suffix != ".py":
        raise UnsupportedError(f"the launch file format of {path.name}")
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        description = module.generate_launch_description()
    except CommandError:
        raise
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("launch", "launch_ros"):
            raise UnsupportedError(error.name) from error
        raise CommandError(f"{path}: {error}") from error
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise CommandError(f"{path}: {type(error).__name__}: {error} ({place.filename}:{place.lineno})") from error
    if not isinstance(description, LaunchDescription):
        raise CommandError(f"{path}: generate_launch_description() must return a LaunchDescription")
    return description


def declared_arguments(description: LaunchDescription) -> list[DeclareLaunchArgument]:
    return [entity for entity in description.entities if isinstance(entity, DeclareLaunchArgument)]


def parse_arguments(given: list[str], description: LaunchDescription) -> dict[str, str]:
    """Turns `name:=value` words into a dictionary; raises CommandError for a malformed or unknown one."""
    known = [argument.name for argument in declared_arguments(description)]
    values = {}
    for word in given:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise CommandError(f"malformed launch argument {word!r}: expected name:=value")
        if name not in known:
            raise CommandError(f"unknown launch argument {name!r}{nearest(name, known)} (--show-args lists them)")
        values[name] = value
    return values


def describe_arguments(description: LaunchDescription) -> str:
    """The text of --show-args."""
    lines = ["Arguments (pass arguments as '<name>:=<value>'):"]
    arguments = declared_arguments(description)
    for argument in arguments:
        lines += ["", f"    '{argument.name}':", f"        {argument.description}"]
        if argument.choices:
            lines[-1] += f" Valid choices are: {argument.choices}"
        if argument.default_value is not None:
            lines.append(f"        (default: '{argument.default_value}')")
    return "\n".join(lines if arguments else [*lines, "", "  No arguments."])
