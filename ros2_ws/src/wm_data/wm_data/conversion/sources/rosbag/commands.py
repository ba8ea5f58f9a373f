"""Commands of every type as (steer, throttle, brake), see controls.py for their definition.

CarlaEgoVehicleControl has them directly, the steer as a fraction of the vehicle's largest angle; the hand brake is not
part of an action. Commands in reverse gear, for a negative speed, or to turn on the spot are not actions either: they
are skipped together with the pictures taken meanwhile.

AckermannDrive has the road wheel's angle, positive left, and a target speed; its acceleration, if not zero, is the
limit for reaching it. Twist has a target speed and yaw rate: the angle is that of the kinematic bicycle that turns this
way at this speed, however slow, and at 0 the previous angle. For both the pedals are those that would bring the
measured speed to the target in REACH_S, by the inverse dynamics of controls.py.
"""

import math
from dataclasses import dataclass

from wm_data.conversion.controls import SPOT_TURN_RPS, angle_of_curvature, pedals_of_acceleration, steer_of_angle
from wm_data.conversion.sources.rosbag.topics import CONTROL, TWIST, TWIST_STAMPED

_REVERSE = "in reverse gear"
_ON_THE_SPOT = "while turning on the spot"
REACH_S = 1.0  # assumed time to reach a speed commanded without an acceleration


@dataclass(frozen=True)
class Command:
    """``values``: steer, throttle, brake, possibly not finite. ``beyond``: the part of the command that they cannot
    express, as "in reverse gear"; None without one."""

    values: tuple[float, float, float]
    beyond: str | None = None


def of_carla(control) -> Command:
    """From a CarlaEgoVehicleControl."""
    values = (float(control.steer), float(control.throttle), float(control.brake))
    return Command(values, _REVERSE if control.reverse else None)


class CommandReader:
    """Converts one topic's messages to commands."""

    def __init__(self, msgtype: str, max_steer_rad: float, wheelbase_m: float):
        self._msgtype = msgtype
        self._max_steer_rad = max_steer_rad
        self._wheelbase_m = wheelbase_m
        self._angle_rad = 0.0

    @property
    def needs_speed(self) -> bool:
        """Whether a command depends on the measured speed."""
        return self._msgtype != CONTROL

    @property
    def uses_wheelbase(self) -> bool:
        """Whether the steer is computed from a turn."""
        return self._msgtype in (TWIST, TWIST_STAMPED)

    def __call__(self, message, speed_mps: float) -> Command:
        """The command in a message that was sent at ``speed_mps`` [m/s]."""
        if self._msgtype == CONTROL:
            return of_carla(message)
        beyond = None
        if self.uses_wheelbase:
            twist = message.twist if self._msgtype == TWIST_STAMPED else message
            wanted_mps, limit_mps2 = float(twist.linear.x), 0.0
            turn_rps = float(twist.angular.z)
            if wanted_mps and math.isfinite(wanted_mps) and math.isfinite(turn_rps):
                self._angle_rad = angle_of_curvature(turn_rps, wanted_mps, self._wheelbase_m)
            elif abs(turn_rps) > SPOT_TURN_RPS:
                beyond = _ON_THE_SPOT
            angle_rad = self._angle_rad if math.isfinite(turn_rps) else math.nan
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
        return Command((float(steer), float(throttle), float(brake)), _REVERSE if wanted_mps < 0.0 else beyond)
