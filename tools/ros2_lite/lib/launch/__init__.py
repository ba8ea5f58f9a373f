"""The part of ROS 2's `launch` that this project's launch files use; for ros2_lite only."""

from __future__ import annotations

from ros2_lite.errors import refuse_unknown_name


class LaunchContext:
    """The state of the run for actions: `launch_configurations` (name to value), and whether it `is_shutdown`."""

    def __init__(self, arguments: dict[str, str]) -> None:
        self.launch_configurations = dict(arguments)
        self.is_shutdown = False


class LaunchDescription:
    """A list of actions, executed in order."""

    def __init__(self, initial_entities=()) -> None:
        self.entities = list(initial_entities)


def __getattr__(name: str):
    refuse_unknown_name(__name__, name)
