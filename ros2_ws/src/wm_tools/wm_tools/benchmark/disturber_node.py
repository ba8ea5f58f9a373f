"""`python -m wm_tools.benchmark.disturber_node`: the relay between a simulator and a planner. Wiring only.

It relays the simulator's images to the planner on separate topics, and the planner's commands back; ``disturber`` says
what happens to them. The planner's side is connected first, so that the simulator sees a driver only once there is one.
"""

import array
import sys
from dataclasses import dataclass

import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from wm_bundle import ImageError
from wm_bundle.pictures.images import decode_image
from wm_bundle.processes.node_start import EXIT_REFUSED, serving, start_node
from wm_bundle.processes.parameters import NodeParameters, declare, parameter
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_bundle.times import ns_of
from wm_bundle.vehicle_commands.parameters import CommandParameters
from wm_bundle.vehicle_commands.writing import CommandWriter
from wm_planner.node.messages import time_message

from wm_tools.benchmark.disturbance import KINDS, Disturbance, Effects
from wm_tools.benchmark.disturber import Command, LockStepDisturber, Passed, RealTimeDisturber
from wm_tools.common.errors import DriveError

LONGEST_WAIT_S = 0.05  # between checks of what is due
_RELIABLE = QoSProfile(depth=10)
_ENCODINGS = ("bgra8", "rgba8", "bgr8", "rgb8", "mono8")
_COLOURS = 3  # channels to disturb: not alpha


@dataclass(frozen=True)
class Relay(NodeParameters):
    simulator_images: tuple[str, ...] = parameter((), "image topics of the simulator, one per camera")
    planner_images: tuple[str, ...] = parameter((), "image topics for the planner, in the same order")
    simulator_control: str = parameter("", "the simulator's topic for commands")
    planner_control: str = parameter("", "the planner's topic for commands")
    disturbance: str = parameter("camera_latency", "kind of disturbance", choices=tuple(KINDS))
    size: float = parameter(0.0, "its size, in the unit of its kind")
    period_s: float = parameter(0.08, "control period", "s")
    lock_step: bool = parameter(False, "whether the simulator waits for commands")
    seed: int = parameter(0, "seed of noise and drops")


class DisturberNode(Node):
    """Relays until ``fault`` names something that cannot be relayed."""

    def __init__(self):
        """Raises DriveError for a disturbance that does not exist."""
        super().__init__("wm_disturber", automatically_declare_parameters_from_overrides=True)
        self._relay = relay = declare(self, Relay)
        self._effects = Effects(Disturbance(relay.disturbance, relay.size), relay.seed)
        self._disturber = (
            LockStepDisturber(self._effects, relay.period_s) if relay.lock_step else RealTimeDisturber(self._effects)
        )
        self.fault: str | None = None
        self._listening = False
        self._to_planner = [self.create_publisher(Image, topic, _RELIABLE) for topic in relay.planner_images]
        self.create_subscription(CarlaEgoVehicleControl, relay.planner_control, self._on_command, _RELIABLE)
        guard_services(self)

    def look(self) -> None:
        """Connect to the simulator once the planner is there, and send what is due."""
        if not self._listening:
            self._connect()
        elif isinstance(self._disturber, RealTimeDisturber):
            self._pass(self._disturber.due())

    def wait_s(self) -> float:
        """How long nothing is due [s]."""
        wait_s = self._disturber.wait_s() if isinstance(self._disturber, RealTimeDisturber) else None
        return LONGEST_WAIT_S if wait_s is None else min(wait_s, LONGEST_WAIT_S)

    def _connect(self) -> None:
        heard = all(publisher.get_subscription_count() for publisher in self._to_planner)
        if not heard or not self.count_publishers(self._relay.planner_control):
            return
        self._listening = True
        self._write = CommandWriter(CommandParameters())
        self._to_simulator = self.create_publisher(CarlaEgoVehicleControl, self._relay.simulator_control, _RELIABLE)
        for camera, topic in enumerate(self._relay.simulator_images):
            self.create_subscription(
                Image, topic, lambda message, camera=camera: self._on_image(camera, message), _RELIABLE
            )

    def _on_image(self, camera: int, message: Image) -> None:
        try:
            disturbed = disturb_image(message, self._effects)
        except DriveError as error:
            self.fault = str(error)
            return
        self._pass(self._disturber.image(camera, ns_of(message.header.stamp), disturbed))

    def _on_command(self, message: CarlaEgoVehicleControl) -> None:
        if not self._listening:
            return
        stamp = ns_of(message.header.stamp)
        self._pass(self._disturber.command(Command(stamp, message.steer, message.throttle, message.brake)))

    def _pass(self, passed: Passed) -> None:
        for camera, image in passed.images:
            self._to_planner[camera].publish(image)
        for command in passed.commands:
            values = (command.steer, command.throttle, command.brake)
            self._to_simulator.publish(self._write(values, time_message(command.stamp_ns)))


def disturb_image(message: Image, effects: Effects) -> Image:
    """The message, or a copy with disturbed pixels. Raises DriveError for an image that is damaged or not of 8-bit
    channels."""
    if message.encoding not in _ENCODINGS:
        known = ", ".join(_ENCODINGS)
        raise DriveError(f"images of encoding {message.encoding} cannot be disturbed; supported: {known}")
    try:
        pixels = decode_image(message.height, message.width, message.encoding, message.step, message.data)
    except ImageError as error:
        raise DriveError(str(error)) from None
    colours = pixels[:, :, :_COLOURS]
    disturbed = effects.picture(colours)
    if disturbed is colours:
        return message
    changed = pixels.copy()
    changed[:, :, :_COLOURS] = disturbed
    return Image(
        header=message.header,
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        step=pixels.shape[2] * message.width,
        data=array.array("B", changed.tobytes()),
    )


def main() -> int:
    """Relay until a signal: exit code 0, or 2 with one message for something that cannot be relayed."""
    stop = note_stop_signals()
    node = start_node("python -m wm_tools.benchmark.disturber_node", Relay, DisturberNode)
    with serving(node) as executor:
        while not stop and node.fault is None:
            executor.spin_once(timeout_sec=node.wait_s())
            node.look()
    rclpy.try_shutdown()
    if node.fault is not None:
        print(f"disturber: {node.fault}", file=sys.stderr)
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
