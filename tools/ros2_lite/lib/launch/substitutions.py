"""The part of `launch.substitutions` that this project's launch files use."""

from __future__ import annotations

from ros2_lite.errors import CommandError, refuse_unknown_name

from launch import LaunchContext


class LaunchConfiguration:
    """The value of a launch argument, known when the launch runs."""

    def __init__(self, variable_name: str) -> None:
        self._name = variable_name

    def perform(self, context: LaunchContext) -> str:
        """Its value; raises CommandError if the launch file declares no such argument."""
        if self._name not in context.launch_configurations:
            raise CommandError(f"launch configuration {self._name!r} does not exist: the launch file must declare it")
        return context.launch_configurations[self._name]


def __getattr__(name: str):
    refuse_unknown_name(__name__, name)
