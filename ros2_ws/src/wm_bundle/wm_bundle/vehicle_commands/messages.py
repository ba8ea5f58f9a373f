"""The messages that vehicles are commanded with: where in each a motion is.

To add one, write one entry of ``OUTPUTS``.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class MessageMissingError(ValueError):
    """A type of message whose package is not installed; one clear line."""


@dataclass(frozen=True)
class Motion:
    """What a vehicle is told to do, in SI units and REP-103's signs.

    ``turn_rps``: the yaw rate, where a message has that instead of an angle. ``limit_mps2``: the largest acceleration
    on the way to the speed, 0: none is told. ``acceleration_mps2``: the acceleration itself, None where a message has
    none. ``angle_rate_rps``: the largest change of the angle, 0: none is told."""

    speed_mps: float
    angle_rad: float = 0.0
    turn_rps: float | None = None
    limit_mps2: float = 0.0
    acceleration_mps2: float | None = None
    angle_rate_rps: float = 0.0


@dataclass(frozen=True)
class CommandOutput:
    """One type of message. ``topic``: where it is usually sent, ``{role_name}`` is the vehicle's name. ``fill`` puts a
    motion into a message and ``read`` takes it out, with the angle in the message's own measure; None: the message has
    the pedals themselves. ``turns``: it has a yaw rate instead of an angle."""

    type: str
    topic: str
    fill: Callable[[Any, Motion], None] | None = None
    read: Callable[[Any], Motion] | None = None
    turns: bool = False

    @property
    def has_header(self) -> bool:
        """Whether its messages have a stamp and a frame."""
        return self.type in (CARLA, ACKERMANN_STAMPED, TWIST_STAMPED)

    @property
    def has_stamp(self) -> bool:
        """Whether its messages say which image they answer."""
        return self.has_header or self.type == AUTOWARE

    def stamp_of(self, message: Any) -> Any:
        """The stamp of a message that has one."""
        return message.header.stamp if self.has_header else message.stamp

    def lets_move(self, message: Any) -> bool:
        """Whether a vehicle that keeps this order may move. One that is not a number counts as moving."""
        if self.read is None:
            return not (message.throttle <= 0.0 and message.brake >= 1.0)
        motion = self.read(message)
        stands = motion.speed_mps == 0.0 and not motion.turn_rps and (motion.acceleration_mps2 or 0.0) <= 0.0
        return not stands

    @property
    def message_class(self) -> type:
        """The class of its messages. Raises MessageMissingError where their package is not installed."""
        package, _, name = self.type.split("/")
        try:
            return getattr(importlib.import_module(f"{package}.msg"), name)
        except (ImportError, AttributeError):
            raise MessageMissingError(
                f"expected the message {self.type}, found no such message installed: install the package {package} "
                f"(apt install ros-$ROS_DISTRO-{package.replace('_', '-')}, or build it) and source its workspace"
            ) from None


CARLA = "carla_msgs/msg/CarlaEgoVehicleControl"
ACKERMANN, ACKERMANN_STAMPED = "ackermann_msgs/msg/AckermannDrive", "ackermann_msgs/msg/AckermannDriveStamped"
TWIST, TWIST_STAMPED = "geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"
AUTOWARE = "autoware_control_msgs/msg/Control"


def _fill_ackermann(drive: Any, motion: Motion) -> None:
    drive.steering_angle, drive.steering_angle_velocity = motion.angle_rad, motion.angle_rate_rps
    drive.speed, drive.acceleration = motion.speed_mps, motion.limit_mps2


def _read_ackermann(drive: Any) -> Motion:
    return Motion(float(drive.speed), float(drive.steering_angle), limit_mps2=abs(float(drive.acceleration)))


def _fill_twist(twist: Any, motion: Motion) -> None:
    twist.linear.x, twist.angular.z = motion.speed_mps, motion.turn_rps


def _read_twist(twist: Any) -> Motion:
    return Motion(float(twist.linear.x), turn_rps=float(twist.angular.z))


def _fill_autoware(control: Any, motion: Motion) -> None:
    lateral, longitudinal = control.lateral, control.longitudinal
    lateral.stamp = longitudinal.stamp = control.stamp
    lateral.steering_tire_angle = motion.angle_rad
    lateral.steering_tire_rotation_rate = motion.angle_rate_rps
    lateral.is_defined_steering_tire_rotation_rate = motion.angle_rate_rps > 0.0
    longitudinal.velocity = motion.speed_mps
    longitudinal.acceleration = motion.acceleration_mps2
    longitudinal.is_defined_acceleration = True


def _read_autoware(control: Any) -> Motion:
    longitudinal = control.longitudinal
    acceleration = float(longitudinal.acceleration) if longitudinal.is_defined_acceleration else None
    angle = float(control.lateral.steering_tire_angle)
    return Motion(float(longitudinal.velocity), angle, acceleration_mps2=acceleration)


OUTPUTS = {
    "carla": CommandOutput(CARLA, "/carla/{role_name}/vehicle_control_cmd"),
    "twist": CommandOutput(TWIST, "/cmd_vel", _fill_twist, _read_twist, turns=True),
    "twist_stamped": CommandOutput(
        TWIST_STAMPED,
        "/cmd_vel",
        lambda message, motion: _fill_twist(message.twist, motion),
        lambda message: _read_twist(message.twist),
        turns=True,
    ),
    "ackermann": CommandOutput(ACKERMANN, "/carla/{role_name}/ackermann_cmd", _fill_ackermann, _read_ackermann),
    "ackermann_stamped": CommandOutput(
        ACKERMANN_STAMPED,
        "/drive",
        lambda message, motion: _fill_ackermann(message.drive, motion),
        lambda message: _read_ackermann(message.drive),
    ),
    "autoware": CommandOutput(AUTOWARE, "/control/command/control_cmd", _fill_autoware, _read_autoware),
}
OUTPUT_OF_TYPE = {output.type: output for output in OUTPUTS.values()}
