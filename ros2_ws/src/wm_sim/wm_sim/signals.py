"""What a world knows beside the car's sensors: on topics of single numbers, as models take them. CARLA has none."""

import math
from collections.abc import Callable

from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from std_msgs.msg import Float32, Int8
from wm_bundle.vector_inputs import COMMAND, GAP, SPEED_LIMIT, STEERING

from wm_sim.world import World


class SignalTopics:
    """Their publishers; a number that a world does not know is not sent."""

    def __init__(self, create_publisher: Callable[[type, str, QoSProfile], Publisher], base: str, world: World):
        """``base``: the vehicle's topics lie below it."""
        self._world = world
        self._command = create_publisher(Int8, f"{base}/{COMMAND.leaf}", 10)
        self._numbers = [
            (create_publisher(Float32, f"{base}/{topic.leaf}", 10), number)
            for topic, number in (
                (STEERING, lambda: -world.state().steering_angle),  # positive left, as ROS counts
                (SPEED_LIMIT, world.speed_limit),
                (GAP, world.gap),
            )
        ]

    def publish(self) -> None:
        """The numbers of this tick."""
        self._command.publish(Int8(data=self._world.command()))
        for publisher, number in self._numbers:
            if not math.isnan(value := number()):
                publisher.publish(Float32(data=value))
