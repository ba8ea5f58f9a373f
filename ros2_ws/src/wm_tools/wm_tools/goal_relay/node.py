"""The node ``wm_goal_relay``: ``/goal_pose``, where RViz's "2D Goal Pose" publishes, to ``/carla/<role_name>/goal``."""

import sys
from dataclasses import dataclass

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from wm_bundle.processes.node_start import serving, start_node
from wm_bundle.processes.parameters import VehicleParameters, declare, parameter, role_name_parameter, topic_parameter
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals

from wm_tools.goal_relay.goal import refusal


@dataclass(frozen=True)
class GoalRelayParameters(VehicleParameters):
    role_name: str = role_name_parameter()
    from_topic: str = parameter("/goal_pose", "goals that somebody points at")
    goal_topic: str = topic_parameter("goals for the program that plans routes", "goal")
    frame: str = parameter("map", "the frame of the program that plans routes; a goal in another one is refused")


class GoalRelayNode(Node):
    """One subscription, one publisher. What is not passed on is said in the log."""

    def __init__(self):
        """Raises ParameterError and InvalidTopicNameException."""
        super().__init__("wm_goal_relay", automatically_declare_parameters_from_overrides=True)
        self._config = declare(self, GoalRelayParameters)
        self._goals = self.create_publisher(PoseStamped, self._config.topic("goal_topic"), QoSProfile(depth=10))
        self.create_subscription(PoseStamped, self._config.from_topic, self._on_goal, QoSProfile(depth=10))
        guard_services(self)

    def _on_goal(self, message: PoseStamped) -> None:
        at, turned = message.pose.position, message.pose.orientation
        position, orientation = (at.x, at.y, at.z), (turned.x, turned.y, turned.z, turned.w)
        reason = refusal(message.header.frame_id, position, orientation, self._config.frame)
        if reason is not None:
            self.get_logger().warning(reason)
            return
        self._goals.publish(message)
        listeners = self._goals.get_subscription_count()
        nobody = "" if listeners else f"; but nobody subscribes to {self._goals.topic_name}, so no route will come"
        (self.get_logger().info if listeners else self.get_logger().warning)(
            f"a goal at ({at.x:.1f}, {at.y:.1f}){nobody}"
        )


def main(argv: list[str] | None = None) -> int:
    """Relay until a signal."""
    stop_signals = note_stop_signals()
    node = start_node("ros2 run wm_tools goal_relay", GoalRelayParameters, GoalRelayNode, argv)
    try:
        with serving(node) as executor:
            while not stop_signals:
                executor.spin_once(timeout_sec=0.1)
        return 0
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
