"""The car's sensors: from a spawn file in the format of CARLA's carla_spawn_objects, or the built-in ones.

    {"objects": [{"type": "vehicle...", "id": "ego_vehicle", "sensors": [
        {"type": "sensor.camera.rgb", "id": "rgb_front", "spawn_point": {"x": 2.0, "z": 2.0, "pitch": 10.0},
         "image_size_x": 320, "image_size_y": 240, "fov": 90.0, "sensor_tick": 0.0}, ...]}]}

Metres and degrees, ROS axes, relative to the car. Anything unknown to this simulator is skipped, with a warning.
"""

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from wm_bundle.spawn_file import DEFAULT_SIZES, NATIVE_VIEW, RGB_CAMERA, SpawnFileError

from wm_sim.pinhole import Mount

COLLISION = "sensor.other.collision"
LANE_INVASION = "sensor.other.lane_invasion"
IMU = "sensor.other.imu"
ODOMETRY = "sensor.pseudo.odom"
SPEEDOMETER = "sensor.pseudo.speedometer"
TRANSFORM = "sensor.pseudo.tf"
MARKERS = "sensor.pseudo.markers"
CONTROL = "actor.pseudo.control"
CAMERAS = tuple(DEFAULT_SIZES)
EVENTS = (COLLISION, LANE_INVASION)
OF_THE_CAR = (*CAMERAS, *EVENTS, IMU, ODOMETRY, SPEEDOMETER, TRANSFORM, MARKERS, CONTROL)
OF_THE_WORLD = (MARKERS,)

FOV_DEGREES = 90.0  # CARLA's default
NATIVE_SIZE = DEFAULT_SIZES[NATIVE_VIEW][0]
KEYS = {
    RGB_CAMERA: ("image_size_x", "image_size_y", "fov", "sensor_tick"),
    NATIVE_VIEW: ("image_size_x", "image_size_y", "sensor_tick"),
    IMU: ("sensor_tick",),
}
MOUNT_KEYS = ("x", "y", "z", "roll", "pitch", "yaw")


@dataclass(frozen=True)
class SensorSpec:
    """One sensor."""

    type: str
    id: str
    on_car: bool = True  # False: of the world, its topic is /carla/<id>
    mount: Mount = field(default_factory=Mount)
    sensor_tick_s: float = 0.0  # shortest simulated time between two of its messages
    width: int = 0  # [px], cameras only
    height: int = 0  # [px]
    fov: float = 0.0  # [rad] horizontal, pinhole cameras only


def built_in(camera: SensorSpec, width: int, height: int) -> list[SensorSpec]:
    """The sensors without a spawn file, with this camera in this size [px]."""
    sensors = [
        (ODOMETRY, "odometry"),
        (SPEEDOMETER, "speedometer"),
        (IMU, "imu"),
        (COLLISION, "collision"),
        (LANE_INVASION, "lane_invasion"),
        (CONTROL, "control"),
    ]
    return [*(SensorSpec(kind, name) for kind, name in sensors), replace(camera, width=width, height=height)]


def read_spawn_file(path: str, role_name: str) -> tuple[list[SensorSpec], list[str]]:
    """Read the sensors of the car ``role_name``, in the file's order, and a warning for each skipped one.

    Raises SpawnFileError.
    """
    try:
        content = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise SpawnFileError(f"parameter objects_definition_file: {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SpawnFileError(f"parameter objects_definition_file: {path} is not JSON: {error}") from None
    return _Reader(path).read(content, role_name)


class _Reader:
    """Reads one file's content; collects what it skips."""

    def __init__(self, path: str):
        self._path = path
        self._skipped: list[str] = []

    def read(self, content, role_name: str) -> tuple[list[SensorSpec], list[str]]:
        if not isinstance(content, dict) or not isinstance(content.get("objects"), list):
            self._refuse("objects", "a list of objects", content)
        sensors, cars = [], []
        for number, entry in enumerate(content["objects"]):
            where = f"objects[{number}]"
            kind = self._word(entry, "type", where)
            if kind.startswith("vehicle."):
                cars.append(self._word(entry, "id", where))
                if cars[-1] == role_name:
                    self._note_unused(entry, ("sensors",), f"{kind} {role_name}")
                    sensors += self._sensors(entry.get("sensors", []), f"{where}.sensors")
            else:
                sensors += self._sensor(entry, where, OF_THE_WORLD)
        if role_name not in cars:
            self._refuse("objects", f"a vehicle with the id {role_name!r} (parameter role_name)", cars)
        seen = set()
        for sensor in sensors:
            if (sensor.on_car, sensor.id) in seen:
                self._refuse("objects", "sensors with different ids", sensor.id)
            seen.add((sensor.on_car, sensor.id))
        return sensors, self._skipped

    def _sensors(self, entries, where: str) -> list[SensorSpec]:
        if not isinstance(entries, list):
            self._refuse(where, "a list", entries)
        return [
            sensor
            for number, entry in enumerate(entries)
            for sensor in self._sensor(entry, f"{where}[{number}]", OF_THE_CAR)
        ]

    def _sensor(self, entry, where: str, known: tuple[str, ...]) -> list[SensorSpec]:
        """The sensor, or nothing if this simulator has none of its kind."""
        kind, name = self._word(entry, "type", where), self._word(entry, "id", where)
        if kind not in known:
            self._skipped.append(f"{self._path}: {where}: {kind} {name!r} is not simulated: skipped")
            return []
        if not (name.isascii() and name.isidentifier()):
            self._refuse(f"{where}.id", "a ROS name", name)
        self._note_unused(entry, KEYS.get(kind, ()), f"{kind} {name}")
        mount = self._mount(entry, f"{where}.spawn_point")
        if kind == RGB_CAMERA and mount.z < 0.05:
            self._refuse(f"{where}.spawn_point.z", "a height above the ground of 0.05 m or more", mount.z)
        tick = self._number(entry, "sensor_tick", 0.0, where, 0.0, 3600.0) if kind in KEYS else 0.0
        if kind not in DEFAULT_SIZES:
            return [SensorSpec(kind, name, known is OF_THE_CAR, mount, tick)]
        width, height = (
            self._number(entry, key, value, where, 8, 4096, whole=True)
            for key, value in zip(("image_size_x", "image_size_y"), DEFAULT_SIZES[kind], strict=True)
        )
        fov = self._number(entry, "fov", FOV_DEGREES, where, 1.0, 170.0) if kind == RGB_CAMERA else 0.0
        return [SensorSpec(kind, name, True, mount, tick, width, height, math.radians(fov))]

    def _mount(self, entry: dict, where: str) -> Mount:
        given = entry.get("spawn_point", {})
        if not isinstance(given, dict):
            self._refuse(where, f"an object with {', '.join(MOUNT_KEYS)}", given)
        x, y, z, *angles = (self._number(given, key, 0.0, where, -1e4, 1e4) for key in MOUNT_KEYS)
        return Mount(x, y, z, *map(math.radians, angles))

    def _note_unused(self, entry: dict, used: tuple[str, ...], what: str) -> None:
        """Record attributes that are set but have no effect here."""
        # 0 switches a noise or a bias off; the track decides where the car starts.
        unused = [
            key
            for key, value in entry.items()
            if key not in ("type", "id", "spawn_point", *used) and value not in (0, "0", "0.0", [])
        ]
        if unused:
            self._skipped.append(f"{self._path}: {what}: {', '.join(unused)} has no effect here")

    def _word(self, entry, key: str, where: str) -> str:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), str):
            self._refuse(where, f"an object with a {key}", entry)
        return entry[key]

    def _number(
        self, entry: dict, key: str, default: float, where: str, low: float, high: float, whole: bool = False
    ) -> float:
        """A number as the spawner takes it: also one written as text."""
        given = entry.get(key, default)
        try:
            value = float(given)
        except (TypeError, ValueError):
            value = math.nan
        if isinstance(given, bool) or not low <= value <= high or (whole and value != int(value)):
            self._refuse(f"{where}.{key}", f"a{' whole' if whole else ''} number from {low} to {high}", given)
        return int(value) if whole else value

    def _refuse(self, where: str, expected: str, found) -> None:
        text = repr(found)
        raise SpawnFileError(
            f"parameter objects_definition_file: {self._path}: {where}: expected {expected}, got "
            f"{text if len(text) <= 80 else text[:77] + '...'}"
        )
