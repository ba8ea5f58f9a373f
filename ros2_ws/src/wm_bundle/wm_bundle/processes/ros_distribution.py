"""The differences between Humble and Jazzy (and later): for Python all are here, for the shell in
scripts/ros_underlay.sh.

Imports ROS only when needed, and nothing that a real ROS 2's own Python may lack.
"""

import os
import time
from collections.abc import Callable
from typing import Any


def is_humble() -> bool:
    """Whether the ROS 2 in use is Humble."""
    return os.environ.get("ROS_DISTRO") == "humble"


def discovery(domain_id: int) -> dict[str, str]:
    """Variables for a process in the domain, with discovery limited to this machine."""
    only_here = {"ROS_LOCALHOST_ONLY": "1"} if is_humble() else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return {"ROS_DOMAIN_ID": str(domain_id), **only_here}


def local_environment(domain_id: int) -> dict[str, str]:
    """This process's variables for a child in the domain, with discovery limited to this machine."""
    variables = {**os.environ, **discovery(domain_id)}
    variables.pop("ROS_STATIC_PEERS", None)  # peers that would be contacted anyway; Humble has no such list
    return variables


def event_callbacks() -> tuple[type, type]:
    """rclpy's PublisherEventCallbacks and SubscriptionEventCallbacks."""
    try:
        from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
    except ImportError:  # Humble's name of the module
        from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks
    return PublisherEventCallbacks, SubscriptionEventCallbacks


def with_times(callback: Callable[[Any, dict], None]) -> Callable:
    """A callback for ``create_subscription`` that gets the message and, in rclpy's MessageInfo, when it was sent and
    received. Humble's rclpy has neither: there both are the time at which the message is taken.
    """
    from rclpy.subscription import Subscription

    if hasattr(Subscription, "CallbackType"):
        return callback

    def take(message: Any) -> None:
        now_ns = time.time_ns()
        callback(message, {"source_timestamp": now_ns, "received_timestamp": now_ns})

    return take


def bag_play_leaves_topics_out() -> bool:
    """Whether `ros2 bag play` has the option --exclude-topics; Humble lacks it."""
    return not is_humble()
