"""Commands as messages of every type: the inverse of ``reading``.

Throttle and brake become an acceleration (``definition``), within the vehicle's limits, and that a speed: what the
vehicle would drive ``speed_reach_s`` later, at least 0 and at most ``max_speed``. The brake wins over the throttle. The
full brake with straight wheels, with which planner and watchdog answer faults, is an order to stand, at the largest
deceleration where the message has one.
"""

from typing import Any

from wm_bundle.vehicle_commands.definition import (
    angle_of_steer,
    coasting_mps2,
    pedals_of_acceleration,
    yaw_rate_of_angle,
)
from wm_bundle.vehicle_commands.messages import Motion
from wm_bundle.vehicle_commands.parameters import CommandParameters


class CommandWriter:
    """Makes the messages of one vehicle, in order.

    Where its speed is not measured, it is assumed to follow the commands; after an order to stand, from 0 again."""

    def __init__(self, parameters: CommandParameters, period_s: float = 0.0):
        """``period_s``: from one command to the next. Raises MessageMissingError."""
        self._vehicle = parameters
        self._output = parameters.output
        self._period_s = period_s
        self._assumed_mps = 0.0
        self.message_class = self._output.message_class

    def __call__(self, command, stamp: Any, speed_mps: float | None = None, frame: str = "") -> Any:
        """The message of a ``command`` (3,) [steer, throttle, brake] that answers the image of this ``stamp`` (a ROS
        time), at the measured ``speed_mps``, None: unknown. ``frame`` is for messages with a header."""
        steer, throttle, brake = (float(number) for number in command)
        message = self.message_class()
        if self._output.has_header:
            message.header.stamp, message.header.frame_id = stamp, frame
        elif hasattr(message, "stamp"):
            message.stamp = stamp
        if self._output.fill is None:
            message.steer, message.throttle, message.brake, message.gear = steer, throttle, brake, 1
        else:
            self._output.fill(message, self._motion(steer, throttle, brake, speed_mps))
        return message

    def limited(self, command, speed_mps: float | None):
        """The command (3,) that the vehicle is told in effect: less throttle where it would become too fast."""
        if self._output.fill is None or command[2] > 0.0:
            return command
        now_mps = self._assumed_mps if speed_mps is None else speed_mps
        allowed = (self._vehicle.max_speed - now_mps) / self._vehicle.speed_reach_s
        if self._acceleration(float(command[1]), 0.0, now_mps) <= allowed:
            return command
        changed = command.copy()
        full = self._vehicle.full_throttle, self._vehicle.full_brake
        changed[1], changed[2] = pedals_of_acceleration(allowed, now_mps, *full)
        return changed

    def _acceleration(self, throttle: float, brake: float, speed_mps: float) -> float:
        vehicle = self._vehicle
        if brake > 0.0:
            pressed = -min(brake * vehicle.full_brake, vehicle.max_deceleration)
        else:
            pressed = min(throttle * vehicle.full_throttle, vehicle.max_acceleration)
        return pressed - coasting_mps2(speed_mps)

    def _motion(self, steer: float, throttle: float, brake: float, speed_mps: float | None) -> Motion:
        vehicle = self._vehicle
        now_mps = self._assumed_mps if speed_mps is None else abs(speed_mps)
        acceleration = self._acceleration(throttle, brake, now_mps)
        stands = brake >= 1.0 and steer == 0.0
        wanted_mps, self._assumed_mps = (
            0.0 if stands else min(max(now_mps + acceleration * later_s, 0.0), vehicle.max_speed)
            for later_s in (vehicle.speed_reach_s, self._period_s)
        )
        # A limit of this very acceleration would keep a vehicle that follows it too fast: only one that stops needs it.
        if wanted_mps == 0.0:
            limit = -acceleration
        elif wanted_mps < now_mps:
            limit = vehicle.max_deceleration + coasting_mps2(now_mps)
        else:
            limit = vehicle.max_acceleration
        angle_rad = angle_of_steer(steer, vehicle.max_steering_angle)
        turn_rps = yaw_rate_of_angle(angle_rad, wanted_mps, vehicle.wheelbase) if self._output.turns else None
        return Motion(
            wanted_mps,
            angle_rad * vehicle.steering_ratio,
            turn_rps,
            max(limit, 0.0),
            min(acceleration, (vehicle.max_speed - now_mps) / vehicle.speed_reach_s),
            vehicle.steering_rate * vehicle.steering_ratio,
        )
