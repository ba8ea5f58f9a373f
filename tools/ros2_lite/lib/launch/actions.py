"""The part of `launch.actions` that this project's launch files use."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from ros2_lite.errors import CommandError, refuse_unknown_keywords, refuse_unknown_name

from launch import LaunchContext


class DeclareLaunchArgument:
    """An argument of the launch file, with a text for --show-args."""

    def __init__(self, name, *, default_value=None, description="no description given", choices=None, **unknown):
        refuse_unknown_keywords(self, unknown)
        self.name, self.default_value, self.description, self.choices = name, default_value, description, choices

    def execute(self, context: LaunchContext) -> None:
        """Sets its default; raises CommandError for a missing value or one that is not among the choices."""
        if self.default_value is not None:
            context.launch_configurations.setdefault(self.name, str(self.default_value))
        if self.name not in context.launch_configurations:
            raise CommandError(f"required launch argument {self.name!r} ({self.description}) was not given")
        value = context.launch_configurations[self.name]
        if self.choices and value not in self.choices:
            raise CommandError(f"{self.name}:={value}: expected one of {', '.join(self.choices)}")


class OpaqueFunction:
    """Calls function(context) when the launch runs; the function may return further actions."""

    def __init__(self, *, function, **unknown):
        refuse_unknown_keywords(self, unknown)
        self._function = function

    def execute(self, context: LaunchContext):
        return self._function(context)


class Shutdown:
    """Ends the launch and all its processes."""

    def __init__(self, *, reason: str = "reason not given", **unknown):
        refuse_unknown_keywords(self, unknown)
        self.reason = reason


class ExecuteProcess:
    """Starts a program. `on_exit`: actions, or a function(event, context) that returns some."""

    def __init__(self, *, cmd, name=None, output="log", additional_env=None, on_exit=None, **unknown):
        refuse_unknown_keywords(self, unknown)
        self.cmd = [str(word) for word in cmd]
        self.label = name or Path(self.cmd[0]).name
        self.output = output  # everything is shown, so 'log' and 'screen' are the same here
        self.additional_env = dict(additional_env or {})  # variables
        self.on_exit = on_exit

    def on_exit_entities(self, code: int, context: LaunchContext):
        """The actions on its exit with `code` (negative: the signal that ended it)."""
        if callable(self.on_exit):
            return self.on_exit(SimpleNamespace(action=self, returncode=code), context)
        return self.on_exit if isinstance(self.on_exit, (list, tuple)) else [self.on_exit]

    def clean_up(self) -> None:
        """Called once when the process has ended."""


def __getattr__(name: str):
    refuse_unknown_name(__name__, name)
