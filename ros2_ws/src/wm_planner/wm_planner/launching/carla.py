"""CARLA's ROS bridge and the car in launch files: upstream's bridge and its fork have the same programs.

The programs are started directly, not through the bridge's own launch files: those end the whole launch without an
error when the bridge fails.
"""

import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from wm_bundle.lock_step import WAITS
from wm_bundle.processes.publishers import publishers_of
from wm_bundle.spawn_file import RGB_CAMERA, SpawnFileError, cameras_of, has_sensors, publishing_sensors, read_objects

from wm_planner.launching import last_to_end
from wm_planner.launching.arguments import value
from wm_planner.launching.files import parameter_file, temporary_json
from wm_planner.launching.nodes import unexpected_end
from wm_planner.launching.spawned_cameras import cameras_of_bundle, require_cameras
from wm_planner.launching.transport import picture_transport

PACKAGES = ("carla_ros_bridge", "carla_spawn_objects")
SERVER_TIMEOUT_S = 30.0  # the bridge's own 2 s is too short for a server that loads a map
LONGEST_TICK_S = 0.1  # CARLA's physics needs less


@dataclass(frozen=True)
class Bridge:
    """The bridge's settings. ``tick_s`` [s] is the time between two images; not ``synchronous``: the server runs in
    real time, and only the cameras keep that tick. Synchronous ticks wait for their commands, except if ``paced``:
    another program asks for each tick, for which the bridge would log two lines. Raises RuntimeError for a tick that
    CARLA refuses."""

    host: str
    port: int
    town: str
    role_name: str
    tick_s: float
    synchronous: bool
    paced: bool = False

    def __post_init__(self):
        if not 0.0 < self.tick_s < LONGEST_TICK_S:
            raise RuntimeError(
                f"fixed_delta_seconds:={self.tick_s:g}: expected more than 0 and less than "
                f"{LONGEST_TICK_S:g} with CARLA"
            )

    def parameters(self) -> dict:
        """Parameters of the node."""
        return {
            "use_sim_time": True,
            "host": self.host,
            "port": self.port,
            "timeout": SERVER_TIMEOUT_S,
            "passive": False,
            "town": self.town,
            "ego_vehicle_role_name": [self.role_name],  # a text would be searched: "" and "ego" are in "ego_vehicle"
            "register_all_sensors": False,  # only the spawned car's: one of another client may end the bridge's ticks
            "synchronous_mode": self.synchronous,
            WAITS: self.synchronous and not self.paced,
            "fixed_delta_seconds": self.tick_s if self.synchronous else 0.0,
        }


def carla_arguments() -> list[tuple[str, object, str]]:
    """The launch arguments of ``bridge_of``, and ``spawn``."""
    spawn = Path(get_package_share_directory("wm_planner"), "launch", "carla_spawn.json")
    return [
        ("host", "localhost", "CARLA: host of the server."),
        ("port", "2000", "CARLA: port of the server."),
        ("town", "Town01", "CARLA: map to load."),
        ("spawn", spawn, "CARLA: JSON file of the car and its sensors."),
        ("synchronous", True, "CARLA: whether simulated time waits for every command or row; false: real time."),
    ]


def bridge_of(context, role_name: str, paced: bool = False) -> Bridge:
    """The bridge of these arguments and ``fixed_delta_seconds``."""
    return Bridge(
        host=value(context, "host"),
        port=value(context, "port", int),
        town=value(context, "town"),
        role_name=role_name,
        tick_s=value(context, "fixed_delta_seconds", float),
        synchronous=value(context, "synchronous") == "true",
        paced=paced,
    )


def carla(bridge: Bridge, spawn: str, bundle: str) -> list:
    """Actions that start the bridge, spawn the car of the file ``spawn`` for the ``bundle`` (a folder), and watch both.

    Raises RuntimeError where the bridge is not installed, the file does not match the bundle, or a simulator runs.
    """
    from launch_ros.actions import Node  # only needed in launch files

    _require_installed()
    objects = spawned_objects(bridge, spawn, bundle)
    require_alone(bridge.role_name)
    file = temporary_json("carla_spawn_", {"objects": objects})
    sensors = publishing_sensors(next(entry for entry in objects if entry["id"] == bridge.role_name))
    return [
        Node(
            package=package,
            executable=executable,
            exec_name=executable,  # what its lines begin with, also with a prefix
            name=package if package in PACKAGES else None,
            prefix=f"{shlex.quote(sys.executable)} -m {last_to_end.__name__}" if executable == "bridge" else None,
            output="screen",
            arguments=["--ros-args", "--log-level", f"{package}:={'warn' if bridge.paced else 'info'}"],
            parameters=[parameter_file(parameters)],
            additional_env=picture_transport() if executable == "bridge" else {},
            on_exit=partial(unexpected_end, part),
        )
        for package, executable, part, parameters in (
            ("carla_ros_bridge", "bridge", "CARLA bridge", bridge.parameters()),
            (
                "carla_spawn_objects",
                "carla_spawn_objects",
                "car spawner",
                {"objects_definition_file": file, "spawn_sensors_only": False},
            ),
            ("wm_tools", "carla_watch", "watch on CARLA", {"role_name": bridge.role_name, "sensors": sensors}),
        )
    ]


def _require_installed() -> None:
    try:
        for package in PACKAGES:
            get_package_prefix(package)
    except PackageNotFoundError:
        raise RuntimeError(
            "simulator:=carla needs the CARLA ROS bridge (packages carla_ros_bridge and carla_spawn_objects), which is "
            "not installed: build github.com/ika-rwth-aachen/carla-ros-bridge (or, for CARLA 0.9.13, carla-simulator/"
            "ros-bridge) in a workspace of a real ROS 2, source that before env.sh, and install the client of your "
            "CARLA server's version (pip install carla==VERSION); docs/carla.md has every step"
        ) from None


def require_alone(role_name: str) -> None:
    """Raise RuntimeError where a simulator or a car of this name already publishes: two would share all topics, and a
    second bridge loads the map again under the first."""
    for topic, nodes in publishers_of(("/carla/status", f"/carla/{role_name}/vehicle_status")).items():
        raise RuntimeError(
            f"{topic} is published by {', '.join(nodes)} already: end that simulator first, or give this launch "
            "another ROS_DOMAIN_ID and another server"
        )


def spawned_objects(bridge: Bridge, spawn: str, bundle: str) -> list[dict]:
    """The objects of the file ``spawn`` for this run. Raises RuntimeError for an unusable file, or one whose car lacks
    a camera of the ``bundle`` (empty: any camera)."""
    try:
        objects = fitting_objects(read_objects(spawn), bridge, spawn)
        car = next(entry for entry in objects if has_sensors(entry))
        require_cameras(cameras_of_bundle(bundle) if bundle else {}, cameras_of(car), bundle, spawn)
        if not cameras_of(car):
            raise SpawnFileError(f"{spawn}: expected a camera of the type {RGB_CAMERA}, found none")
    except SpawnFileError as error:
        raise RuntimeError(f"spawn:={error}") from None
    return objects


def fitting_objects(objects: list[dict], bridge: Bridge, spawn: str) -> list[dict]:
    """The same objects, the car under the bridge's role_name; without synchronous mode its cameras keep the tick.

    The car is the first vehicle with sensors; RuntimeError where there is none.
    """
    car = next((entry for entry in objects if has_sensors(entry)), None)
    if car is None:
        raise RuntimeError(
            f"spawn:={spawn}: expected a vehicle with sensors, found "
            f"{', '.join(entry['type'] for entry in objects) or 'nothing'}"
        )
    sensors = [
        sensor
        if bridge.synchronous or not sensor["type"].startswith("sensor.camera.")
        else {**sensor, "sensor_tick": bridge.tick_s}
        for sensor in car["sensors"]
    ]
    fitting = {**car, "id": bridge.role_name, "sensors": sensors}
    if any(entry["id"] == bridge.role_name for entry in objects if entry is not car):
        raise RuntimeError(f"spawn:={spawn}: expected one object with the id {bridge.role_name} (role_name), found two")
    return [fitting if entry is car else entry for entry in objects]
