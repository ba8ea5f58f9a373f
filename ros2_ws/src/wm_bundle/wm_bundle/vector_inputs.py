"""The vector inputs: numbers that models get besides the picture, and the messages that carry them.

To add one, write one entry of ``VECTOR_INPUTS``, or without programming a free signal (``free_signals``): then bags can
be converted with it, models are trained on it, and the planner node subscribes to its topic. Its normalisation comes
from the training data.
"""

import importlib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter, pos
from typing import Any


@dataclass(frozen=True)
class InputTopic:
    """A topic that carries inputs."""

    kind: str
    """Its name in ``--topics KIND=TOPIC``, and in the parameters ``<kind>_topic`` and ``<input>_source``."""
    leaf: str
    """Its usual name below ``/carla/<role_name>/``."""
    type: str
    other_types: tuple[str, ...] = ()
    """Accepted from bags only where the topic is named: they may mean something else."""
    own_types: tuple[str, ...] = ()
    """Accepted from bags wherever they are: they mean nothing else."""
    stamped: bool = True
    """False: a message is for the moment of the next image; in a bag, for when it was recorded, if named."""
    derived: bool = False
    """Its numbers are no fields of its messages: ``wm_bundle.routes`` computes them, by the inputs' names."""

    @property
    def message_class(self) -> type:
        """The class of its messages. Raises ImportError where their package is not installed."""
        package, _, name = self.type.split("/")
        return getattr(importlib.import_module(f"{package}.msg"), name)


@dataclass(frozen=True)
class Source:
    """Where in a topic's messages a number is: a path of fields, or a function of the message."""

    topic: InputTopic
    field: str | Callable[[Any], float]
    if_named: bool = False
    """Preferred where the topic of a bag is named."""
    factor: float = 1.0
    """To the input's unit and sign: some send a yaw rate of the other sign, or in degrees per second."""

    def read(self, message: Any) -> float:
        """The number in a message, in the input's unit and with its sign."""
        return self.factor * float((attrgetter(self.field) if isinstance(self.field, str) else self.field)(message))


@dataclass(frozen=True)
class VectorInput:
    """One vector input. ``sources``: best first."""

    name: str
    unit: str
    sources: tuple[Source, ...]
    reading: Callable = pos
    """Converts a source's number, or an array of them, to the model's."""
    usual: bool = False
    """`collect` records it without being asked."""
    converted: bool = False
    """`convert` reads it without being asked; from a bag of a simulator that sends rewards, if its topic is named."""
    hold_s: float = 0.5
    """How long a recorded sample stays valid [s]."""
    hold_periods: float | None = 2.5
    """How old the newest sample may be at an image, while driving [control periods]: two may be lost. None: ``hold_s``,
    for what is sent more slowly than pictures."""
    definition: str = ""
    """Of a free signal: what ``free_signals`` makes it from."""

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return self.name.replace("_", " ")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its sources' topics."""
        return tuple(source.topic.kind for source in self.sources)

    @property
    def derived(self) -> bool:
        """Whether it is computed rather than read from messages."""
        return any(source.topic.derived for source in self.sources)

    @property
    def told(self) -> dict[str, str]:
        """Its column's entry in an episode's meta."""
        told = {"name": self.name, "unit": self.unit}
        return {**told, "source": self.definition} if self.definition else told

    def longest_age_s(self, period_s: float) -> float:
        """How old a sample may be at an image, while driving with this control period [s]."""
        return self.hold_s if self.hold_periods is None else self.hold_periods * period_s

    def place(self, told: object) -> int | None:
        """Its index in a vector whose columns are listed as dictionaries; None if missing."""
        told = told if isinstance(told, list) else []
        return next((k for k, one in enumerate(told) if isinstance(one, dict) and one.get("name") == self.name), None)


def _twist(message: Any) -> Any:
    """Unwraps the covariance message that all but a TwistStamped have."""
    return getattr(message.twist, "twist", message.twist)


def _signed_speed(message: Any) -> float:
    """Signed speed from a velocity in the vehicle's axes (REP-103: x forward), negative backwards; not finite where
    that is not."""
    velocity = _twist(message).linear
    return math.copysign(math.hypot(velocity.x, velocity.y, velocity.z), velocity.x)


def _steering_angle(message: Any) -> float:
    """Of an Autoware SteeringReport, an Ackermann command, or a plain number."""
    message = getattr(message, "drive", message)
    for field in ("steering_tire_angle", "steering_angle"):
        if hasattr(message, field):
            return getattr(message, field)
    return message.data


def _gap(message: Any) -> float:
    """NaN stays; no car ahead, as infinity, is the longest gap."""
    return max(min(message.data, LONGEST_GAP_M), 0.0)


def _ordered(option: int) -> Callable[[Any], float]:
    """1 if CARLA's RoadOption is this one, 0 for others; NaN for a number that is none."""
    return lambda message: float(message.data == option) if message.data in _ROAD_OPTIONS else math.nan


LONGEST_GAP_M = 100.0
LEFT, RIGHT, STRAIGHT, FOLLOW = 1, 2, 3, 4
"""CARLA's RoadOption; a change of lanes follows the road."""
_ROAD_OPTIONS = range(1, 7)
ROUTE_DISTANCES_M = (5, 10, 20, 40, 80)
_ROUTE_POINT = re.compile(r"route_([1-9]\d{0,2}|\d{1,2}\.\d?[1-9])m_[xy]", re.ASCII)

STATUS = InputTopic("status", "vehicle_status", "carla_msgs/msg/CarlaEgoVehicleStatus")
ODOMETRY = InputTopic(
    "odometry",
    "odometry",
    "nav_msgs/msg/Odometry",
    other_types=("geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/TwistWithCovarianceStamped"),
)
IMU = InputTopic("imu", "imu", "sensor_msgs/msg/Imu")
_FLOAT = "std_msgs/msg/Float32"
SPEEDOMETER = InputTopic("speedometer", "speedometer", _FLOAT, stamped=False)
STEERING = InputTopic(
    "steering",
    "steering_angle",
    _FLOAT,
    other_types=("ackermann_msgs/msg/AckermannDriveStamped", "ackermann_msgs/msg/AckermannDrive"),
    own_types=("autoware_vehicle_msgs/msg/SteeringReport", "autoware_auto_vehicle_msgs/msg/SteeringReport"),
    stamped=False,
)
SPEED_LIMIT = InputTopic("speed_limit", "speed_limit", _FLOAT, stamped=False)
GAP = InputTopic("gap", "gap", _FLOAT, stamped=False)
COMMAND = InputTopic("command", "high_level_command", "std_msgs/msg/Int8", stamped=False)
ROUTE = InputTopic("route", "waypoints", "nav_msgs/msg/Path", derived=True)

# Speed over ground in either direction: a vehicle status has no sign. Deriving actions from motion needs the sign of
# the other sources, to detect driving backwards.
SPEED = VectorInput(
    "speed",
    "m/s",
    (Source(STATUS, "velocity"), Source(ODOMETRY, _signed_speed), Source(SPEEDOMETER, "data")),
    reading=abs,
    usual=True,
    converted=True,
)
# Positive left (REP-103).
YAW_RATE = VectorInput(
    "yaw_rate",
    "rad/s",
    (Source(ODOMETRY, lambda message: _twist(message).angular.z), Source(IMU, "angular_velocity.z", if_named=True)),
    converted=True,
)


def _from_route(name: str, unit: str) -> VectorInput:
    return VectorInput(name, unit, (Source(ROUTE, name),))


def _from_command(name: str, option: int) -> VectorInput:
    return VectorInput(name, "1", (Source(COMMAND, _ordered(option)),), hold_s=10.0, hold_periods=None)


VECTOR_INPUTS: dict[str, VectorInput] = {
    entry.name: entry
    for entry in (
        SPEED,
        YAW_RATE,
        VectorInput("acceleration_along", "m/s^2", (Source(IMU, "linear_acceleration.x"),)),
        # Positive left (REP-103): across, and the angle of the front wheels.
        VectorInput("acceleration_across", "m/s^2", (Source(IMU, "linear_acceleration.y"),)),
        VectorInput("steering_angle", "rad", (Source(STEERING, _steering_angle),)),
        VectorInput("speed_limit", "m/s", (Source(SPEED_LIMIT, "data"),), hold_s=10.0, hold_periods=None),
        # To the car ahead in the own lane, bumper to bumper.
        VectorInput("gap", "m", (Source(GAP, _gap),), hold_s=1.0, hold_periods=None),
        # Points ahead on the route in the vehicle's frame (REP-103).
        *(_from_route(f"route_{distance}m_{axis}", "m") for distance in ROUTE_DISTANCES_M for axis in "xy"),
        _from_route("route_offset", "m"),  # positive: the vehicle is left of the route
        _from_route("route_heading", "rad"),  # the vehicle's yaw minus the route's, positive left
        _from_route("route_left", "m"),  # to the goal
        _from_command("command_left", LEFT),
        _from_command("command_right", RIGHT),
        _from_command("command_straight", STRAIGHT),
    )
}


def known_input(name: str) -> VectorInput | None:
    """The registry's entry of this name; points of a route may lie at any whole distance below 1000 m."""
    if name in VECTOR_INPUTS or not _ROUTE_POINT.fullmatch(name):
        return VECTOR_INPUTS.get(name)
    return _from_route(name, "m")


def input_topics(entries: Iterable[VectorInput] | None = None) -> dict[str, InputTopic]:
    """All topics that vector inputs come from, by kind; without ``entries``, those of the registry."""
    entries = VECTOR_INPUTS.values() if entries is None else entries
    return {source.topic.kind: source.topic for entry in entries for source in entry.sources}


def usual_inputs() -> list[VectorInput]:
    """The inputs that `collect` records without being asked, in order."""
    return [entry for entry in VECTOR_INPUTS.values() if entry.usual]


def converted_inputs() -> list[VectorInput]:
    """The inputs that `convert` reads without being asked, in order."""
    return [entry for entry in VECTOR_INPUTS.values() if entry.converted]
