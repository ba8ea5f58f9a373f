"""Checks that a simulated car has the cameras that a bundle was trained with."""

import json
from collections.abc import Mapping
from pathlib import Path

from wm_bundle import ImageSpec
from wm_bundle.spawn_file import SpawnFileError, cameras_in

BUILT_IN_CAMERA = "rgb_front"  # of the built-in simulator without a spawn file

Sizes = Mapping[str, tuple[int, int]]
"""Width and height [px] of cameras by their names."""


def cameras_of_spec(image: ImageSpec) -> dict[str, tuple[int, int]]:
    """The cameras of a bundle."""
    return {camera.name: (camera.source_width, camera.source_height) for camera in image.cameras}


def cameras_of_bundle(folder: str) -> dict[str, tuple[int, int]]:
    """The cameras of the bundle in a folder; none for an unreadable one, which the planner will refuse."""
    try:
        cameras = json.loads(Path(folder).expanduser().joinpath("bundle.json").read_text())["image"]["cameras"]
        return {camera["name"]: (camera["source_width"], camera["source_height"]) for camera in cameras}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def require_cameras(expected: Sizes, found: Sizes, bundle: str | Path, where: str) -> None:
    """Raise SpawnFileError unless every camera of ``bundle`` is among those ``found``, in its size. ``where`` names the
    source of ``found``."""
    if any(found.get(name) != size for name, size in expected.items()):
        raise SpawnFileError(
            f"{where}: the bundle {bundle} expects {_spell(expected)}, found "
            f"{_spell(found) or 'no RGB camera'}: change the file, or drive a bundle of these cameras"
        )


def require_embedded_cameras(
    expected: Sizes, file: str | Path, role_name: str, bundle: str | Path, argument: str
) -> None:
    """The same for the built-in simulator with this spawn file, empty for none; ``argument`` names it in messages.

    Raises SpawnFileError, also for an unusable file.
    """
    if file:
        try:
            found = cameras_in(file, role_name)
        except SpawnFileError as error:
            raise SpawnFileError(f"{argument}{error}") from None
        require_cameras(expected, found, bundle, f"{argument}{file}")
    elif not set(expected) <= {BUILT_IN_CAMERA}:
        raise SpawnFileError(
            f"the bundle {bundle} expects {_spell(expected)}, and the built-in simulator has {BUILT_IN_CAMERA} only: "
            f"give a spawn file with these cameras, {argument}FILE"
        )


def _spell(cameras: Sizes) -> str:
    return ", ".join(f"{name} {width}x{height}" for name, (width, height) in cameras.items())
