"""The vector inputs: numbers that models get besides the picture, and the messages that carry them.

To add one, write one entry of ``VECTOR_INPUTS``: then bags are converted with it, models are trained on it, and the
planner node subscribes to its topic. Its normalisation comes from the training data.
"""

import importlib
import math
from collections.abc import Callable
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
    stamped: bool = True
    """False: a message is for the moment of the next image; in a bag, for when it was recorded, if named."""

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
    """`collect` records it. The others come only from bags: of a simulator that sends rewards, where named."""
    hold_s: float = 0.5
    """How long a recorded sample stays valid [s]."""
    hold_periods: float = 2.5
    """How old the newest sample may be at an image, while driving [control periods]: two may be lost."""

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return self.name.replace("_", " ")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its sources' topics."""
        return tuple(source.topic.kind for source in self.sources)

    @property
    def told(self) -> dict[str, str]:
        """Its column's entry in an episode's meta."""
        return {"name": self.name, "unit": self.unit}

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


STATUS = InputTopic("status", "vehicle_status", "carla_msgs/msg/CarlaEgoVehicleStatus")
ODOMETRY = InputTopic(
    "odometry",
    "odometry",
    "nav_msgs/msg/Odometry",
    other_types=("geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/TwistWithCovarianceStamped"),
)
IMU = InputTopic("imu", "imu", "sensor_msgs/msg/Imu")
SPEEDOMETER = InputTopic("speedometer", "speedometer", "std_msgs/msg/Float32", stamped=False)

# Speed over ground in either direction: a vehicle status has no sign. Deriving actions from motion needs the sign of
# the other sources, to detect driving backwards.
SPEED = VectorInput(
    "speed",
    "m/s",
    (Source(STATUS, "velocity"), Source(ODOMETRY, _signed_speed), Source(SPEEDOMETER, "data")),
    reading=abs,
    usual=True,
)
# Positive left (REP-103).
YAW_RATE = VectorInput(
    "yaw_rate",
    "rad/s",
    (Source(ODOMETRY, lambda message: _twist(message).angular.z), Source(IMU, "angular_velocity.z", if_named=True)),
)
VECTOR_INPUTS: dict[str, VectorInput] = {entry.name: entry for entry in (SPEED, YAW_RATE)}


def input_topics() -> dict[str, InputTopic]:
    """All topics that vector inputs come from, by kind."""
    return {source.topic.kind: source.topic for entry in VECTOR_INPUTS.values() for source in entry.sources}


def usual_inputs() -> list[VectorInput]:
    """The inputs that `collect` records, in order."""
    return [entry for entry in VECTOR_INPUTS.values() if entry.usual]
