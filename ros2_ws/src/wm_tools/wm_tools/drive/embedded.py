"""The built-in simulator as `drive` and `benchmark` start it: what the user may ask of it, and its parameters."""

import argparse
import math
from pathlib import Path
from typing import Protocol

from wm_bundle import Bundle, BundleManifest, lock_step
from wm_bundle.spawn_file import SpawnFileError
from wm_planner.launching.spawned_cameras import cameras_of_spec, require_embedded_cameras
from wm_sim.worlds import WORLDS, worlds_described

from wm_tools.common.errors import DriveError

LONGEST_START_S = 3600.0  # the simulator's own limit to its wait for a driver
MARGIN_S = 60.0  # that the simulator waits beyond us: we give up before it goes on without a driver


class EmbeddedOptions(Protocol):
    """What options of a command say of the built-in simulator."""

    role_name: str
    world: str
    objects_definition_file: Path | None
    start_timeout: float  # [s]


def add_embedded_options(parser: argparse.ArgumentParser, defaults: dict) -> None:
    """The options that ``EmbeddedOptions`` reads, but for the role_name."""
    add = parser.add_argument
    add(
        "--world",
        choices=WORLDS,
        help=f"world of the built-in simulator; {worlds_described()} (default: {defaults['world']})",
    )
    add(
        "--objects-definition-file",
        type=Path,
        metavar="FILE",
        help="spawn file of the built-in simulator's cameras and other sensors; a bundle of several cameras needs one "
        "(default: one camera, rgb_front)",
    )
    add(
        "--start-timeout",
        type=float,
        metavar="SECONDS",
        help="longest wait for the planner to be ready [s]: the first start on TensorRT takes some minutes (default: "
        f"{defaults['start_timeout']:g})",
    )


def check_embedded_options(options: EmbeddedOptions) -> None:
    """Raise DriveError where they make no sense."""
    longest_s = LONGEST_START_S - MARGIN_S
    if not (math.isfinite(options.start_timeout) and 0.0 < options.start_timeout <= longest_s):
        raise DriveError(f"--start-timeout: expected above 0 to {longest_s:g} s, found {options.start_timeout:g}")
    if options.world not in WORLDS:
        raise DriveError(f"--world: expected one of {', '.join(WORLDS)}, found '{options.world}'")


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

    It stands until a driver is connected and it is reset, and again after each episode.
    """
    camera, file = manifest.image.cameras[0], options.objects_definition_file
    return {
        "role_name": options.role_name,
        "seed": seed,
        "world": options.world,
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
