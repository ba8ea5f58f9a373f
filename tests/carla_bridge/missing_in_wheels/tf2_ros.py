"""The part of tf2_ros that CARLA's bridge uses, for a ROS 2 without it."""

from geometry_msgs.msg import TransformStamped  # noqa: F401  (the bridge takes it from here)
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage


class TransformBroadcaster:
    """Publishes transforms on /tf: reliable, volatile, the last hundred."""

    def __init__(self, node):
        self._publisher = node.create_publisher(TFMessage, "/tf", QoSProfile(depth=100))

    def sendTransform(self, transform):
        """Send one transform or a list of them."""
        transforms = transform if isinstance(transform, list | tuple) else [transform]
        self._publisher.publish(TFMessage(transforms=list(transforms)))
