"""The live view in launch files: the arguments ``view`` and ``view_port``, and what they start.

A drive does not depend on its viewers: when the view ends, the launch reports it and continues.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory

from wm_planner.launching.arguments import value
from wm_planner.launching.files import parameter_file

CHOICES = ("false", "true", "web", "foxglove", "rviz")
_TOPICS_OF = "ego_vehicle"  # the role_name in the topics of config/planner.rviz
_RVIZ_TOPICS = ("planner/candidates", "planner/future", "rgb_front/image")


def view_arguments() -> list:
    """The launch arguments that ``view`` reads."""
    from launch.actions import DeclareLaunchArgument  # only needed in launch files

    return [
        DeclareLaunchArgument(
            "view",
            default_value="false",
            choices=list(CHOICES),
            description="Live view; true: rviz2 if installed and a display is available, else foxglove_bridge "
            "if installed, else web, a page on this machine.",
        ),
        DeclareLaunchArgument("view_port", default_value="8765", description="Port of the page or of foxglove_bridge."),
    ]


def view(context, role_name: str, **parameters: str) -> list:
    """The actions for the launch argument ``view``, none for ``false``.

    ``parameters`` are further ones of the page's node (camera, image_topic, …). Raises RuntimeError for an invalid
    port, and where the requested viewer is not installed."""
    from launch_ros.actions import Node  # only needed in launch files

    text, asked = value(context, "view_port"), value(context, "view")
    if not text.isdecimal() or int(text) > 65535:
        raise RuntimeError(f"view_port:={text}: expected a number from 0 to 65535")
    kind = _best_kind(os.environ) if asked == "true" else asked
    if kind == "false":
        return []
    if kind == "rviz":
        program = _rviz(role_name)
    elif kind == "foxglove":
        program = _foxglove(int(text))
    else:
        page = parameter_file({"role_name": role_name, "port": int(text), **parameters})
        program = {"package": "wm_tools", "executable": "live_view", "name": "wm_live_view", "parameters": [page]}
    return [Node(**program, output="screen", on_exit=_tell_end)]


def _best_kind(environment: Mapping[str, str]) -> str:
    if _installed("rviz2") and (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return "rviz"
    return "foxglove" if _installed("foxglove_bridge") else "web"


def _installed(package: str) -> bool:
    try:
        get_package_prefix(package)
    except (PackageNotFoundError, LookupError, OSError):
        return False
    return True


def _need(package: str, debian: str) -> None:
    if not _installed(package):
        raise RuntimeError(
            f"the package {package} is not installed: install ros-$ROS_DISTRO-{debian}, or use view:=web"
        )


def _foxglove(port: int) -> dict:
    _need("foxglove_bridge", "foxglove-bridge")
    layout = Path(get_package_share_directory("wm_planner"), "config", "planner.foxglove.json")
    print(f"live view: connect Foxglove to ws://127.0.0.1:{port} and import the layout {layout}", flush=True)
    # Its defaults let everyone on the network watch, and publish commands.
    safe = ("-p", "address:=127.0.0.1", "-p", f"port:={port}", "-p", "capabilities:=[connectionGraph]")
    return {"package": "foxglove_bridge", "executable": "foxglove_bridge", "arguments": ["--ros-args", *safe]}


def _rviz(role_name: str) -> dict:
    _need("rviz2", "rviz2")
    layout = Path(get_package_share_directory("wm_planner"), "config", "planner.rviz")
    renamed = []
    if role_name != _TOPICS_OF:
        for topic in _RVIZ_TOPICS:
            renamed += ["-r", f"/carla/{_TOPICS_OF}/{topic}:=/carla/{role_name}/{topic}"]
    arguments = ["-d", str(layout), *(["--ros-args", *renamed] if renamed else [])]
    return {"package": "rviz2", "executable": "rviz2", "arguments": arguments}


def _tell_end(event, context) -> None:
    if not context.is_shutdown:
        print(f"the live view has ended with exit code {event.returncode}; the drive continues without it", flush=True)
