"""Tells /diagnostics why a planner could not be configured, when it has no publishers of its own."""

import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.lifecycle import LifecycleNode

from wm_planner.node.diagnostics import Diagnosis, Level
from wm_planner.node.endpoints import RELIABLE
from wm_planner.node.messages import diagnostics_message

_DISCOVERY_S = 0.3  # for those who listen to be found: the node itself is known by then
_RECEIPT_S = 0.5


def tell_refusal(node: LifecycleNode, topic: str, reason: str) -> None:
    """Publish ``reason`` as an error once, to those who listen on ``topic`` now."""
    try:
        publisher = node.create_publisher(DiagnosticArray, topic, RELIABLE)
    except InvalidTopicNameException:
        return  # the log has the reason
    deadline_s = time.monotonic() + _DISCOVERY_S
    while publisher.get_subscription_count() == 0 and time.monotonic() < deadline_s:
        time.sleep(0.02)
    line = Diagnosis(f"{node.get_name()}: engine", Level.ERROR, f"not configured: {reason}")
    publisher.publish(diagnostics_message([line], "", node.get_clock().now().to_msg()))
    publisher.wait_for_all_acked(Duration(seconds=_RECEIPT_S))
    node.destroy_publisher(publisher)
