"""The built-in simulator in launch files: the arguments ``world`` and ``objects_definition_file``, and what they
mean."""

import importlib
from pathlib import Path

from wm_bundle.spawn_file import SpawnFileError

from wm_planner.launching.arguments import value
from wm_planner.launching.spawned_cameras import cameras_of_bundle, require_embedded_cameras


def embedded_arguments() -> list:
    """The launch arguments that ``embedded_parameters`` reads."""
    from launch.actions import DeclareLaunchArgument  # only needed in launch files

    try:
        worlds = importlib.import_module("wm_sim.worlds")
    except ModuleNotFoundError:  # as on a vehicle
        world = {"default_value": "", "description": "Embedded: the package wm_sim is not installed here."}
    else:
        names = list(worlds.WORLDS)
        world = {"default_value": names[0], "choices": names, "description": f"Embedded: {worlds.worlds_described()}."}
    return [
        DeclareLaunchArgument("world", **world),
        DeclareLaunchArgument(
            "objects_definition_file",
            default_value="",
            description="Embedded: spawn file (JSON) of the car's cameras and other sensors, in CARLA's format; "
            "empty: one camera, rgb_front.",
        ),
    ]


def embedded_parameters(context, role_name: str, bundle: str = "") -> dict[str, str]:
    """The simulator's parameters from these arguments.

    Raises RuntimeError for an unusable spawn file, and where the car ``role_name`` lacks a camera of the ``bundle`` (a
    folder; empty: no planner).
    """
    file = value(context, "objects_definition_file")
    path = str(Path(file).expanduser().absolute()) if file else ""
    expected = cameras_of_bundle(bundle) if bundle else {}
    try:
        require_embedded_cameras(expected, path, role_name, bundle, "objects_definition_file:=")
    except SpawnFileError as error:
        raise RuntimeError(str(error)) from None
    return {"objects_definition_file": path, "world": value(context, "world")}
