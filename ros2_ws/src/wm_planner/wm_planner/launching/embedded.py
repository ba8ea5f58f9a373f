"""The built-in simulator in launch files: the arguments ``world``, ``weather``, ``light`` and
``objects_definition_file``, and what they mean."""

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
        world = weather = {"default_value": "", "description": "Embedded: the package wm_sim is not installed here."}
    else:
        names, weathers = list(worlds.WORLDS), list(importlib.import_module("wm_sim.weather").WEATHERS)
        world = {"default_value": names[0], "choices": names, "description": f"Embedded: {worlds.worlds_described()}."}
        said = "Embedded: light and weather in the pictures; random: drawn anew for each episode by its seed."
        weather = {"default_value": weathers[0], "choices": weathers, "description": said}
    return [
        DeclareLaunchArgument("world", **world),
        DeclareLaunchArgument("weather", **weather),
        DeclareLaunchArgument(
            "light", default_value="1.0", description="Embedded: factor of the pictures' brightness, 0.05 to 3."
        ),
        DeclareLaunchArgument(
            "objects_definition_file",
            default_value="",
            description="Embedded: spawn file (JSON) of the car's cameras and other sensors, in CARLA's format; "
            "empty: one camera, rgb_front.",
        ),
    ]


def embedded_vehicle(context) -> dict[str, float]:
    """The world's car, in parameters of the planner."""
    return importlib.import_module("wm_sim.worlds").WORLDS[value(context, "world")].vehicle


def embedded_parameters(context, role_name: str, bundle: str = "") -> dict[str, str | float]:
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
    light = value(context, "light", float)
    return {
        "objects_definition_file": path,
        "world": value(context, "world"),
        "weather": value(context, "weather"),
        "light": light,
    }
