"""Where Humble and Jazzy (and what came after it) differ: in Python here and nowhere else, in the shell in
scripts/ros_underlay.sh.

Imports nothing of ROS before it is asked to, and nothing that a real ROS 2's own Python may lack.
"""

import os
import time
from collections.abc import Callable
from typing import Any


def is_humble() -> bool:
    """Whether the ROS 2 in use is Humble."""
    return os.environ.get("ROS_DISTRO") == "humble"


def discovery(domain_id: int) -> dict[str, str]:
    """The variables that put a process into the domain, its graph kept on this machine."""
    only_here = {"ROS_LOCALHOST_ONLY": "1"} if is_humble() else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return {"ROS_DOMAIN_ID": str(domain_id), **only_here}


def local_environment(domain_id: int) -> dict[str, str]:
    """This process's variables for a child in the domain, its graph kept on this machine."""
    variables = {**os.environ, **discovery(domain_id)}
    variables.pop("ROS_STATIC_PEERS", None)  # machines that would be looked for all the same; Humble has no such list
    return variables


def event_callbacks() -> tuple[type, type]:
    """rclpy's PublisherEventCallbacks and SubscriptionEventCallbacks."""
    try:
        from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
    except ImportError:  # Humble's name of the module
        from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks
    return PublisherEventCallbacks, SubscriptionEventCallbacks


def with_times(callback: Callable[[Any, dict], None]) -> Callable:
    """A callback for ``create_subscription`` that is given the message and when it was sent and received, as rclpy's
    MessageInfo has it. Humble's rclpy tells neither: the message then counts as sent and received when it is taken.
    """
    from rclpy.subscription import Subscription

    if hasattr(Subscription, "CallbackType"):
        return callback

    def take(message: Any) -> None:
        now_ns = time.time_ns()
        callback(message, {"source_timestamp": now_ns, "received_timestamp": now_ns})

    return take


def bag_play_leaves_topics_out() -> bool:
    """Whether `ros2 bag play` has the option --exclude-topics; Humble's has none of the kind."""
    return not is_humble()
