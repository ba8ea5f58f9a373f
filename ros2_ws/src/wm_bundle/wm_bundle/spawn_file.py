"""The cameras of a spawn file (``objects_definition_file``), as CARLA's spawner and the built-in simulator read them.

{"objects": [{"type": "vehicle...", "id": "ego_vehicle", "sensors": [
    {"type": "sensor.camera.rgb", "id": "rgb_front", "image_size_x": 320, "image_size_y": 240, ...}, ...]}]}
"""

import json
import os
from pathlib import Path

RGB_CAMERA = "sensor.camera.rgb"
NATIVE_VIEW = "sensor.camera.native"  # the built-in simulator's native picture; not in CARLA
DEFAULT_SIZES = {RGB_CAMERA: (800, 600), NATIVE_VIEW: (96, 96)}
"""Width and height [px] of the camera types that a model can use, by default."""


class SpawnFileError(ValueError):
    """A spawn file cannot be used; the message says what was expected, what was found and where."""


def read_objects(path: str | os.PathLike) -> list[dict]:
    """All objects of the file. Raises SpawnFileError."""
    try:
        objects = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))["objects"]
        well_formed = isinstance(objects, list) and all({"type", "id"} <= set(entry) for entry in objects)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpawnFileError(f"{path}: expected a JSON file with 'objects', found {error!r}") from None
    if not well_formed:
        raise SpawnFileError(f"{path}: expected 'objects' with 'type' and 'id' each, found others")
    return objects


def has_sensors(entry: dict) -> bool:
    """Whether an object is a car with sensors."""
    return str(entry["type"]).startswith("vehicle.") and bool(entry.get("sensors"))


def cameras_of(car: dict) -> dict[str, tuple[int, int]]:
    """Width and height [px] of a car's cameras by their ids, in the file's order. Raises SpawnFileError."""
    cameras = {}
    for sensor in car["sensors"]:
        try:
            if sensor["type"] not in DEFAULT_SIZES:
                continue
            width, height = (
                int(float(sensor.get(key, default)))  # the spawner accepts numbers as text
                for key, default in zip(("image_size_x", "image_size_y"), DEFAULT_SIZES[sensor["type"]], strict=True)
            )
            cameras[str(sensor["id"])] = (width, height)
        except (KeyError, TypeError, ValueError):
            raise SpawnFileError(
                f"expected cameras with 'id', 'image_size_x' and 'image_size_y', found {str(sensor)[:80]}"
            ) from None
    return cameras


def cameras_in(path: str | os.PathLike, role_name: str) -> dict[str, tuple[int, int]]:
    """``cameras_of`` the car ``role_name`` in the file ``path``. Raises SpawnFileError where it has none."""
    cars = [entry for entry in read_objects(path) if has_sensors(entry)]
    car = next((entry for entry in cars if entry["id"] == role_name), None)
    if car is None:
        found = ", ".join(str(entry["id"]) for entry in cars) or "none"
        raise SpawnFileError(f"{path}: expected a vehicle with sensors and the id {role_name}, found {found}")
    try:
        cameras = cameras_of(car)
    except SpawnFileError as error:
        raise SpawnFileError(f"{path}: {error}") from None
    if not cameras:
        raise SpawnFileError(f"{path}: expected a camera of the type {' or '.join(DEFAULT_SIZES)}, found none")
    return cameras
