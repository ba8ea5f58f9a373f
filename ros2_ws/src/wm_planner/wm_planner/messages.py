"""Between ROS messages and the planner's plain types."""

import array
import math

import numpy as np
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from sensor_msgs.msg import Image
from wm_bundle import ACTION_HIGH, ACTION_LOW
from wm_msgs.msg import ImaginedRollouts

from wm_planner.continuity import NS_PER_S, StatusSample
from wm_planner.pilot import Frame
from wm_planner.planner import Plan


def stamp_ns(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return stamp.sec * NS_PER_S + stamp.nanosec


def frame_of(message: Image, received_s: float) -> Frame:
    """A view of a camera image, nothing is copied."""
    return Frame(stamp_ns(message.header.stamp), message.height, message.width, message.encoding, message.step,
                 message.data, received_s)


def status_sample_of(message: CarlaEgoVehicleStatus) -> StatusSample | None:
    """The part of a vehicle_status that is used, with the applied command clipped to its limits.

    None when one of the numbers is not finite: such a message is as good as none.
    """
    control = message.control
    command = (control.steer, control.throttle, control.brake)
    if not all(math.isfinite(number) for number in (message.velocity, *command)):
        return None
    limited = tuple(min(max(number, low), high)
                    for number, low, high in zip(command, ACTION_LOW, ACTION_HIGH, strict=True))
    return StatusSample(stamp_ns(message.header.stamp), message.velocity, limited)


def control_message(command: np.ndarray, stamp: Time) -> CarlaEgoVehicleControl:
    """A command (3,) [steer, throttle, brake]; gears are the vehicle's own affair."""
    message = CarlaEgoVehicleControl()
    message.header.stamp = stamp
    message.steer, message.throttle, message.brake = (float(number) for number in command)
    message.gear = 1
    return message


def rollouts_message(plan: Plan, pictures: np.ndarray, period_s: float, stamp: Time) -> ImaginedRollouts:
    """All candidates of a plan, and its best future: ``pictures`` (H, C, height, width) uint8, shown side by side."""
    message = ImaginedRollouts()
    message.header.stamp = stamp
    message.candidates, message.horizon = plan.candidates.shape[:2]
    message.period_s = period_s
    message.actions = array.array("f", np.ascontiguousarray(plan.candidates, np.float32).tobytes())
    message.returns = array.array("f", np.ascontiguousarray(plan.returns, np.float32).tobytes())
    message.best = plan.best
    strip = pictures[:, :3].transpose(2, 0, 3, 1)  # (height, H, width, 3)
    height, steps, width, _ = strip.shape
    future = message.future
    future.header.stamp = stamp
    future.height, future.width, future.encoding, future.step = height, steps * width, "rgb8", 3 * steps * width
    future.data = array.array("B", np.ascontiguousarray(strip).tobytes())
    return message
