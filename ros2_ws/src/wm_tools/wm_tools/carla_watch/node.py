"""The node ``wm_carla_watch``, which the launch file starts beside CARLA's bridge: ends with one line and exit code 1
when the drive cannot go on, and so ends the launch. ``watch`` decides."""

import sys
from dataclasses import dataclass

import rclpy
from carla_msgs.msg import CarlaStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from wm_bundle.processes.node_start import serving, start_node
from wm_bundle.processes.parameters import VehicleParameters, declare, parameter, role_name_parameter
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals

from wm_tools.carla_watch.watch import STATUS, CarlaWatch

EXIT_OVER = 1
_PERIOD_S = 0.5


@dataclass(frozen=True)
class CarlaWatchParameters(VehicleParameters):
    role_name: str = role_name_parameter()
    sensors: tuple[str, ...] = parameter(("rgb_front",), "ids of the car's sensors that must publish")


class CarlaWatchNode(Node):
    """Topics and a timer only; ``over`` says why the drive cannot go on."""

    def __init__(self):
        """Raises ParameterError."""
        super().__init__("wm_carla_watch", automatically_declare_parameters_from_overrides=True)
        config = declare(self, CarlaWatchParameters)
        self.over: str | None = None
        self._prefixes = (STATUS, f"/carla/{config.role_name}/")
        self._watch = CarlaWatch(config.role_name, config.sensors)
        self.create_subscription(CarlaStatus, STATUS, self._on_status, QoSProfile(depth=10))
        self.create_timer(_PERIOD_S, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        guard_services(self)

    def _on_status(self, message: CarlaStatus) -> None:
        self._watch.tick(message.synchronous_mode_running)

    def _look(self) -> None:
        topics = [name for name, _ in self.get_topic_names_and_types() if name.startswith(self._prefixes)]
        self.over = self._watch.look({topic: self.count_publishers(topic) for topic in topics})


def main(argv: list[str] | None = None) -> int:
    """Watch until a signal (0) or the end of the drive (1)."""
    stop_signals = note_stop_signals()
    node = start_node("ros2 run wm_tools carla_watch", CarlaWatchParameters, CarlaWatchNode, argv)
    try:
        with serving(node) as executor:
            while not (stop_signals or node.over):
                executor.spin_once(timeout_sec=0.1)
            if node.over:
                node.get_logger().fatal(node.over)
            return EXIT_OVER if node.over else 0
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
