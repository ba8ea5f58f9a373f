"""A spawn file (``objects_definition_file``), as CARLA's spawner and the built-in simulator read it, and its cameras.

{"objects": [{"type": "vehicle...", "id": "ego_vehicle", "sensors": [
    {"type": "sensor.camera.rgb", "id": "rgb_front", "image_size_x": 320, "image_size_y": 240, ...}, ...]}]}

CARLA's spawner and bridge take what they cannot use without an error: a whole number in a spawn point becomes 0, a
spawn point of a vehicle without one of its six numbers a random place, an id that is no ROS name ends the bridge's
ticks. Here a file is completed where only one meaning is possible, and refused otherwise.
"""

import json
import math
import os
import re
from pathlib import Path

RGB_CAMERA = "sensor.camera.rgb"
NATIVE_VIEW = "sensor.camera.native"  # the built-in simulator's native picture; not in CARLA
DEFAULT_SIZES = {RGB_CAMERA: (800, 600), NATIVE_VIEW: (96, 96)}
"""Width and height [px] of the camera types that a model can use, by default."""
PLACE, TURN = ("x", "y", "z"), ("roll", "pitch", "yaw")  # of a spawn point [m, degrees]
_PUBLISHING = (
    "sensor.camera.",
    "sensor.lidar.",
    *(f"sensor.other.{name}" for name in ("imu", "gnss", "collision", "lane_invasion")),
)
_STANDING = ("vehicle", "walker", "sensor")  # what the spawner places in the world
_ID = re.compile(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)  # becomes a part of topics


class SpawnFileError(ValueError):
    """A spawn file cannot be used; the message says what was expected, what was found and where."""


def read_objects(path: str | os.PathLike) -> list[dict]:
    """All objects of the file, complete: spawn points have all six numbers, as floats. Raises SpawnFileError."""
    try:
        objects = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))["objects"]
        well_formed = isinstance(objects, list) and all({"type", "id"} <= set(entry) for entry in objects)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpawnFileError(f"{path}: expected a JSON file with 'objects', found {error!r}") from None
    if not well_formed:
        raise SpawnFileError(f"{path}: expected 'objects' with 'type' and 'id' each, found others")
    try:
        return _complete(objects, "objects", in_world=True)
    except SpawnFileError as error:
        raise SpawnFileError(f"{path}: {error}") from None


def _complete(entries, where: str, in_world: bool) -> list[dict]:
    """The objects of one list; not ``in_world``: attached to another one. Their ids differ."""
    _require(isinstance(entries, list), where, "a list", entries)
    complete, ids = [], set()
    for number, entry in enumerate(entries):
        complete.append(_completed(entry, f"{where}[{number}]", in_world))
        _require(entry["id"] not in ids, f"{where}[{number}].id", "another id than those before it", entry["id"])
        ids.add(entry["id"])
    return complete


def _completed(entry, where: str, in_world: bool) -> dict:
    words = isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("type", "id"))
    _require(words, where, "an object with 'type' and 'id'", entry)
    kind = entry["type"].split(".")[0]
    _require(not in_world or kind in _STANDING, f"{where}.type", "a vehicle, a walker or a sensor", entry["type"])
    _require(_ID.fullmatch(entry["id"]), f"{where}.id", "a ROS name (letters, digits and _)", entry["id"])
    given = dict(entry)
    for key in ("sensors", "attached_objects"):
        if key in entry:
            given[key] = _complete(entry[key], f"{where}.{key}", in_world=False)
    if "spawn_point" in entry:
        # What is attached may be where its parent is; in the world, no place is the obvious one.
        given["spawn_point"] = _spawn_point(entry["spawn_point"], f"{where}.spawn_point", PLACE if in_world else ())
    if kind == "sensor":
        for key in given.keys() - {"spawn_point", "attached_objects"}:  # become the sensor's attributes, as text
            _require(
                isinstance(given[key], (bool, int, float, str)), f"{where}.{key}", "a number or a word", given[key]
            )
    return given


def _spawn_point(point, where: str, needed: tuple[str, ...]) -> dict[str, float]:
    _require(isinstance(point, dict), where, f"an object with {', '.join(PLACE + TURN)}", point)
    unknown = sorted(point.keys() - {*PLACE, *TURN})
    _require(not unknown, where, f"no keys but {', '.join(PLACE + TURN)}", ", ".join(unknown))
    missing = [key for key in needed if key not in point]
    _require(not missing, where, "x, y and z", f"no {', '.join(missing)}")
    return {key: _finite(point.get(key, 0.0), f"{where}.{key}") for key in PLACE + TURN}


def _finite(value, where: str) -> float:
    """A number, also one written as text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    _require(math.isfinite(number), where, "a number", value)
    return number


def _require(holds, where: str, expected: str, found) -> None:
    if not holds:
        raise SpawnFileError(f"{where}: expected {expected}, found {str(found)[:80]}")


def has_sensors(entry: dict) -> bool:
    """Whether an object is a car with sensors."""
    return str(entry["type"]).startswith("vehicle.") and bool(entry.get("sensors"))


def publishing_sensors(car: dict) -> list[str]:
    """The ids of a car's sensors that certainly have topics in CARLA's bridge, once they are spawned."""
    return [sensor["id"] for sensor in car["sensors"] if sensor["type"].startswith(_PUBLISHING)]


def cameras_of(car: dict) -> dict[str, tuple[int, int]]:
    """Width and height [px] of a car's cameras by their ids, in the file's order. Raises SpawnFileError."""
    cameras = {}
    for sensor in car["sensors"]:
        if sensor["type"] not in DEFAULT_SIZES:
            continue
        keys, sizes = ("image_size_x", "image_size_y"), DEFAULT_SIZES[sensor["type"]]
        width, height = (
            int(_finite(sensor.get(key, size), f"{sensor['id']}.{key}")) for key, size in zip(keys, sizes, strict=True)
        )
        cameras[sensor["id"]] = (width, height)
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
