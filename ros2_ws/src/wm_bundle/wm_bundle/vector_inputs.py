"""The vector inputs: numbers beside the picture that models are trained and driven with, and which messages tell them.

To add one, write one entry of ``VECTOR_INPUTS``: bags are then converted with it, models trained on them have it, and
the planner node subscribes to its topic. What it is normalised with comes from the training data.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter, pos
from typing import Any


@dataclass(frozen=True)
class InputTopic:
    """A topic that tells inputs."""

    kind: str
    """What it is called in ``--topics KIND=TOPIC``, in the parameters ``<kind>_topic`` and ``<input>_source``."""
    leaf: str
    """Its usual name below ``/carla/<role_name>/``."""
    type: str
    other_types: tuple[str, ...] = ()
    """Accepted from bags too, but only where the topic is named: they may as well be something else."""
    stamped: bool = True
    """False: a message tells of the moment of the next image; in a bag, of when it was recorded, where it is named."""

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
    """Preferred to all others where the topic of a bag is named."""

    def read(self, message: Any) -> float:
        """The number in a message, in the input's unit, with the sign that the source gives it."""
        return float((attrgetter(self.field) if isinstance(self.field, str) else self.field)(message))


@dataclass(frozen=True)
class VectorInput:
    """One number beside the picture. ``sources``: the best first."""

    name: str
    unit: str
    sources: tuple[Source, ...]
    reading: Callable = pos
    """What models get of a number that a source tells, or of an array of them."""
    usual: bool = False
    """`collect` records it. The others are taken from bags only: of a simulator that sends rewards, where named."""
    hold_s: float = 0.5
    """How long a sample of a recording holds [s]."""
    hold_periods: float = 2.5
    """How old the newest sample may be at an image, while driving [control periods]: two of them were lost."""

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
        """What the meta of an episode says of its column."""
        return {"name": self.name, "unit": self.unit}

    def place(self, told: object) -> int | None:
        """Its column of a vector whose columns a list of dictionaries names; None where it has none."""
        told = told if isinstance(told, list) else []
        return next((k for k, one in enumerate(told) if isinstance(one, dict) and one.get("name") == self.name), None)


def _twist(message: Any) -> Any:
    """Without the covariance that all but a TwistStamped have around it."""
    return getattr(message.twist, "twist", message.twist)


def _signed_speed(message: Any) -> float:
    """Of a velocity in the vehicle's axes (REP-103: x forward), negative backwards; not finite where that is not."""
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

# How fast the vehicle is over ground, whichever way: a vehicle status tells it without a sign. Who derives actions from
# a motion needs the sign of the others, to know when the vehicle drives backwards.
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
    """Those that `collect` records, in order."""
    return [entry for entry in VECTOR_INPUTS.values() if entry.usual]
