"""The built-in simulator as `drive` and `benchmark` start it: its command-line options and its parameters."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from wm_bundle import Bundle, BundleManifest, lock_step
from wm_bundle.spawn_file import SpawnFileError
from wm_evaluation.command_line import option
from wm_planner.launching.spawned_cameras import cameras_of_spec, require_embedded_cameras
from wm_sim.weather import LEAST_LIGHT, MOST_LIGHT, WEATHERS
from wm_sim.worlds import DEFAULT_WORLD, WORLDS, worlds_described

from wm_tools.common.errors import DriveError

LONGEST_START_S = 3600.0  # the simulator's limit on its wait for a driver
MARGIN_S = 60.0  # by which the simulator waits longer than we do: we give up before it continues without a driver


@dataclass(frozen=True, kw_only=True)
class EmbeddedOptions:
    """Options of the built-in simulator."""

    role_name: Annotated[str, option("NAME")] = "ego_vehicle"
    """Name of the car in topic names."""
    world: Annotated[
        Literal[tuple(WORLDS)], option(meaning=f"World of the built-in simulator; {worlds_described()}.")
    ] = DEFAULT_WORLD
    weather: Annotated[Literal[WEATHERS], option()] = "noon"
    """Light and weather in the built-in simulator's pictures; random: drawn anew for each episode by its seed."""
    light: Annotated[float, option("X")] = 1.0
    """Factor of the brightness of the built-in simulator's pictures, 0.05 to 3."""
    objects_definition_file: Annotated[Path | None, option("FILE", default="one camera, rgb_front")] = None
    """Spawn file with the cameras and other sensors of the built-in simulator; required for a bundle with several
    cameras."""
    start_timeout: Annotated[float, option("SECONDS")] = 600.0
    """Longest wait for the planner to be ready [s]; the first start with TensorRT takes some minutes."""

    def __post_init__(self):
        role, longest_s = self.role_name, LONGEST_START_S - MARGIN_S
        if not (role.isascii() and role.isidentifier() and not role.startswith("_")):
            raise ValueError(f"--role-name: expected a ROS name (a letter, then letters, digits and _), found '{role}'")
        if not (math.isfinite(self.start_timeout) and 0.0 < self.start_timeout <= longest_s):
            raise ValueError(f"--start-timeout: expected above 0 to {longest_s:g} s, found {self.start_timeout:g}")
        if self.world not in WORLDS:
            raise ValueError(f"--world: expected one of {', '.join(WORLDS)}, found '{self.world}'")
        if self.weather not in WEATHERS:
            raise ValueError(f"--weather: expected one of {', '.join(WEATHERS)}, found '{self.weather}'")
        if not LEAST_LIGHT <= self.light <= MOST_LIGHT:
            raise ValueError(f"--light: expected {LEAST_LIGHT:g} to {MOST_LIGHT:g}, found {self.light:g}")


def check_cameras(options: EmbeddedOptions, bundle: Bundle) -> None:
    """Raise DriveError unless the simulator has the bundle's cameras."""
    file = options.objects_definition_file
    try:
        require_embedded_cameras(
            cameras_of_spec(bundle.manifest.image),
            file or "",
            options.role_name,
            bundle.path,
            "--objects-definition-file ",
        )
    except SpawnFileError as error:
        raise DriveError(str(error)) from None


def simulator_parameters(
    manifest: BundleManifest, options: EmbeddedOptions, seed: int, real_time_factor: float, autopilot: bool
) -> dict:
    """Parameters of the built-in simulator that fit a bundle; a ``real_time_factor`` of 0 makes it wait for commands.
    It stands still until a driver is connected and it is reset, and again after each episode."""
    camera, file = manifest.image.cameras[0], options.objects_definition_file
    return {
        "role_name": options.role_name,
        "seed": seed,
        "world": options.world,
        "weather": options.weather,
        "light": float(options.light),
        "fixed_delta_seconds": manifest.control_period_s,
        "synchronous_mode": True,
        **lock_step.simulator_parameters(real_time_factor == 0.0),
        "real_time_factor": float(real_time_factor),
        "objects_definition_file": str(file.expanduser().absolute()) if file else "",
        "image_width": camera.source_width,  # without such a file
        "image_height": camera.source_height,
        "autopilot": autopilot,
        "auto_reset": False,
        "wait_for_driver": options.start_timeout + MARGIN_S,
    }
