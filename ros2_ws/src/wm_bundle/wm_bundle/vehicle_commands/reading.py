"""Messages of every type as (steer, throttle, brake), see ``definition`` for what these mean.

CarlaEgoVehicleControl has them directly, the steer as a fraction of the vehicle's largest angle; the hand brake is not
part of an action. Commands in reverse gear, for a negative speed, or to turn on the spot are not actions either.

AckermannDrive has the road wheel's angle, positive left, and a target speed; its acceleration, if not zero, is the
limit for reaching it. Autoware's Control has the acceleration itself beside both, if it says so. Twist has a target
speed and yaw rate: the angle is that of the kinematic bicycle that turns this way at this speed, however slow, and at 0
the previous angle. The pedals are those that would bring the measured speed to the target in ``reach_s``.
"""

import math
from dataclasses import dataclass
from typing import Any

from wm_bundle.vehicle_commands.definition import (
    BRAKE_MPS2,
    REACH_S,
    SPOT_TURN_RPS,
    THROTTLE_MPS2,
    angle_of_curvature,
    coasting_mps2,
    pedals_of_acceleration,
    steer_of_angle,
)
from wm_bundle.vehicle_commands.messages import CARLA, OUTPUT_OF_TYPE, Motion

_REVERSE = "in reverse gear"
_ON_THE_SPOT = "while turning on the spot"


@dataclass(frozen=True)
class Command:
    """``values``: steer, throttle, brake, possibly not finite. ``beyond``: the part of the command that they cannot
    express, as "in reverse gear"; None without one."""

    values: tuple[float, float, float]
    beyond: str | None = None


def of_carla(control: Any) -> Command:
    """From a CarlaEgoVehicleControl."""
    values = (float(control.steer), float(control.throttle), float(control.brake))
    return Command(values, _REVERSE if control.reverse else None)


class CommandReader:
    """Converts messages of one type to commands."""

    def __init__(
        self,
        msgtype: str,
        max_steer_rad: float,
        wheelbase_m: float,
        reach_s: float = REACH_S,
        full_pedals: tuple[float, float] = (THROTTLE_MPS2, BRAKE_MPS2),
        stops: bool = False,
    ):
        """``full_pedals``: what full throttle and full brake mean [m/s^2]. ``stops``: an order to stand is obeyed with
        the told limit, or a full brake, as vehicles' own controllers do; otherwise within ``reach_s``, as any other
        speed."""
        self._msgtype = msgtype
        self._output = OUTPUT_OF_TYPE[msgtype]
        self._max_steer_rad, self._wheelbase_m, self._reach_s, self._stops = max_steer_rad, wheelbase_m, reach_s, stops
        self._full_pedals = full_pedals
        self._angle_rad = 0.0

    @property
    def needs_speed(self) -> bool:
        """Whether a command depends on the measured speed."""
        return self._msgtype != CARLA

    @property
    def uses_wheelbase(self) -> bool:
        """Whether the steer is computed from a turn."""
        return self._output.turns

    def __call__(self, message: Any, speed_mps: float) -> Command:
        """The command in a message that was sent at ``speed_mps`` [m/s]."""
        if self._msgtype == CARLA:
            return of_carla(message)
        motion = self._output.read(message)
        angle_rad, beyond = (motion.angle_rad, None) if motion.turn_rps is None else self._angle_of_turn(motion)
        acceleration = self._acceleration(motion, speed_mps)
        if not all(map(math.isfinite, (motion.speed_mps, motion.limit_mps2, angle_rad, acceleration, speed_mps))):
            return Command((math.nan,) * 3)
        throttle, brake = pedals_of_acceleration(acceleration, speed_mps, *self._full_pedals)
        steer = steer_of_angle(angle_rad, self._max_steer_rad)
        return Command((float(steer), float(throttle), float(brake)), _REVERSE if motion.speed_mps < 0.0 else beyond)

    def _angle_of_turn(self, motion: Motion) -> tuple[float, str | None]:
        """The angle [rad], and what the command asks beyond it."""
        wanted_mps, turn_rps = motion.speed_mps, motion.turn_rps
        if not math.isfinite(turn_rps):
            return math.nan, None
        if wanted_mps and math.isfinite(wanted_mps):
            self._angle_rad = angle_of_curvature(turn_rps, wanted_mps, self._wheelbase_m)
        elif abs(turn_rps) > SPOT_TURN_RPS:
            return self._angle_rad, _ON_THE_SPOT
        return self._angle_rad, None

    def _acceleration(self, motion: Motion, speed_mps: float) -> float:
        if motion.acceleration_mps2 is not None:
            return motion.acceleration_mps2
        if self._stops and motion.speed_mps == 0.0:
            return -(motion.limit_mps2 or self._full_pedals[1] + coasting_mps2(speed_mps))
        acceleration = (motion.speed_mps - speed_mps) / self._reach_s
        if motion.limit_mps2 > 0.0:
            acceleration = min(max(acceleration, -motion.limit_mps2), motion.limit_mps2)
        return acceleration
