"""Nodes that several launch files start, and what happens when one ends."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from wm_planner.launching.files import parameter_file

PLANNER = "wm_planner"  # the name of its node


def unexpected_end(part: str, event, context) -> None:
    """Raise RuntimeError, which ends the launch with an error, unless the launch is ending anyway.

    ``part`` names the process in the message; ``event`` and ``context`` are those of launch's ``on_exit``.
    """
    if not context.is_shutdown:
        raise RuntimeError(f"the {part} ended with exit code {event.returncode}; its last lines say why")


def planner(parameters: Mapping[str, bool | int | float | str]):
    """The launch action for a planner that configures and activates itself."""
    from launch_ros.actions import LifecycleNode  # only needed in launch files

    return LifecycleNode(
        package="wm_planner",
        executable="planner",
        name=PLANNER,
        namespace="",
        output="screen",
        parameters=[parameter_file({**parameters, "use_sim_time": False, "autostart": True})],
        on_exit=partial(unexpected_end, "planner"),
    )


def goal_relay(topic: str, role_name: str):
    """The launch action that passes goals from a topic on to whoever plans routes for ``role_name``."""
    from launch_ros.actions import Node

    return Node(
        package="wm_tools",
        executable="goal_relay",
        name="wm_goal_relay",
        output="screen",
        parameters=[parameter_file({"role_name": role_name, "from_topic": topic})],
        on_exit=partial(unexpected_end, "relay of goals"),
    )


def recorder(file: str, role_name: str):
    """The launch action to record a drive of ``role_name`` to ``file`` (.mcap).

    It ends with the simulator or with the launch. An incomplete recording fails the launch, also at its end.
    """
    from launch_ros.actions import Node

    return Node(
        package="wm_tools",
        executable="record",
        name="wm_recorder",
        output="screen",
        arguments=["--output", str(Path(file).expanduser().absolute()), "--role-name", role_name],
        on_exit=_after_recorder,
    )


def _after_recorder(event, context) -> None:
    if event.returncode != 0:
        raise RuntimeError(f"the recorder ended with exit code {event.returncode}: the recording is incomplete")
