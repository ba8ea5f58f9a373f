"""Commands of every type as (steer, throttle, brake), see controls.py for what these mean.

CarlaEgoVehicleControl has them as they are, the steer as a fraction of the vehicle's own largest angle; the hand brake
is no part of an action. What is commanded in reverse gear, or for a speed below zero, is no action either: it is left
out together with the pictures taken meanwhile.

AckermannDrive has the road wheel's angle, positive left, and a wanted speed; its acceleration, where it is not zero,
is the most that may be used to reach it. Twist has a wanted speed and yaw rate: the angle is that of the kinematic
bicycle which turns so at this speed, and below walking speed the angle before. For both the pedals are those that
would bring the measured speed to the wanted one in REACH_S, by the inverse dynamics of controls.py.
"""

import math
from dataclasses import dataclass

from wm_data.conversion.controls import (
    STEADY_SPEED_MPS,
    angle_of_yaw_rate,
    pedals_of_acceleration,
    steer_of_angle,
)
from wm_data.conversion.sources.rosbag.topics import CONTROL, TWIST, TWIST_STAMPED

REACH_S = 1.0  # in which a vehicle is taken to reach a speed that was commanded without an acceleration


@dataclass(frozen=True)
class Command:
    """``values``: steer, throttle, brake, maybe not finite. ``reverse``: for a vehicle in reverse gear, which an action
    cannot express."""

    values: tuple[float, float, float]
    reverse: bool = False


def of_carla(control) -> Command:
    """From a CarlaEgoVehicleControl."""
    return Command((float(control.steer), float(control.throttle), float(control.brake)), bool(control.reverse))


class CommandReader:
    """Makes commands of one topic's messages."""

    def __init__(self, msgtype: str, max_steer_rad: float, wheelbase_m: float):
        self._msgtype = msgtype
        self._max_steer_rad = max_steer_rad
        self._wheelbase_m = wheelbase_m
        self._angle_rad = 0.0

    @property
    def needs_speed(self) -> bool:
        """Whether a command only means something at a measured speed."""
        return self._msgtype != CONTROL

    def __call__(self, message, speed_mps: float) -> Command:
        """The command in a message that was sent at ``speed_mps`` [m/s]."""
        if self._msgtype == CONTROL:
            return of_carla(message)
        if self._msgtype in (TWIST, TWIST_STAMPED):
            twist = message.twist if self._msgtype == TWIST_STAMPED else message
            wanted_mps, limit_mps2 = float(twist.linear.x), 0.0
            if abs(wanted_mps) >= STEADY_SPEED_MPS:
                self._angle_rad = float(angle_of_yaw_rate([twist.angular.z], [wanted_mps], self._wheelbase_m)[0])
            angle_rad = self._angle_rad if math.isfinite(twist.angular.z) else math.nan
        else:
            drive = getattr(message, "drive", message)
            wanted_mps, limit_mps2 = float(drive.speed), abs(float(drive.acceleration))
            angle_rad = float(drive.steering_angle)
        acceleration = (wanted_mps - speed_mps) / REACH_S
        if limit_mps2 > 0.0:
            acceleration = min(max(acceleration, -limit_mps2), limit_mps2)
        if not all(map(math.isfinite, (wanted_mps, limit_mps2, angle_rad, speed_mps))):
            return Command((math.nan,) * 3)
        throttle, brake = pedals_of_acceleration(acceleration, speed_mps)
        steer = steer_of_angle(angle_rad, self._max_steer_rad)
        return Command((float(steer), float(throttle), float(brake)), reverse=wanted_mps < 0.0)
